"""The student of a recipe: first its configuration or tokenizer, which cost nothing, then its weights."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tts import ConfigError
from tts_trainers.hybrid.recipe import LoraSection, ModelSection, chat_template
from tts_trainers.runtime.place import find_place, unpacked

T = TypeVar("T")


def load_config(section: ModelSection) -> Any:
    """The model's configuration, with the positions of the recipe."""
    from transformers import AutoConfig

    place = find_place(section.name)
    config = _loaded(section, lambda: AutoConfig.from_pretrained(place.name, **place.options))
    if section.max_positions is not None:
        config.max_position_embeddings = section.max_positions
    return config


def declared_positions(config: Any) -> int | None:
    """The most tokens that the model takes, where it says so."""
    value = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return value if isinstance(value, int) else None


def parameters(section: ModelSection, config: Any) -> int:
    """How many the model has, without reading one.

    Raises `ConfigError` for a model that is not causal.
    """
    import torch
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM

    build: Any = AutoModelForCausalLM
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ConfigError(
            f"model.name = {section.name!r} is no causal language model ({config.model_type}); give one that generates "
            "text from left to right"
        )
    with torch.device("meta"):
        return int(_loaded(section, lambda: build.from_config(config)).num_parameters())


def load_tokenizer(section: ModelSection) -> Any:
    """The tokenizer with the recipe's chat template.

    Raises `ConfigError` where there is no chat template at all.
    """
    from transformers import AutoTokenizer

    place = find_place(section.name)
    tokenizer = _loaded(section, lambda: AutoTokenizer.from_pretrained(place.name, **place.options))
    if section.chat_template is not None:
        tokenizer.chat_template = chat_template(section.chat_template)
    if tokenizer.chat_template is None:
        raise ConfigError(f"{section.name!r} has no chat template; set model.chat_template, e.g. to 'qwen3' (ours)")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # only fills batches: it is never a target nor attended to
    return tokenizer


def vocabulary_digest(tokenizer: Any) -> str:
    """Changes with what the tokenizer makes of a text; the chat template is not part of it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)  # the slow ones have none
    rules = repr(sorted(tokenizer.get_vocab().items())) if backend is None else backend.to_str()
    return hashlib.blake2b(rules.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def load_model(section: ModelSection, config: Any, end: int) -> Any:
    """The weights, for training; the model says that a turn ends with the token `end`."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    place = find_place(section.name)
    more: dict[str, Any] = dict(place.options)
    if section.quantisation is not None and place.gguf is not None:
        raise ConfigError("model.quantisation: a GGUF file cannot be read as weights of 4 bits; give another model")
    if section.quantisation is not None:
        more["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # as transformers wrote it
            load_in_4bit=True,
            bnb_4bit_quant_type=section.quantisation,
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_use_double_quant=True,
        )
        more["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    model = _loaded(
        section,
        lambda: AutoModelForCausalLM.from_pretrained(
            place.name,
            config=config,
            dtype=getattr(torch, section.dtype),
            attn_implementation=section.attn,
            **more,
        ),
    )
    if place.gguf is not None:
        model = unpacked(model)
    say_end(model, end)
    return model


def say_end(model: Any, end: int) -> None:
    """Have a model's configurations name the token that ends a turn, so that any server stops there."""
    model.config.get_text_config().eos_token_id = end
    known = model.generation_config.eos_token_id
    others = [token for token in (known if isinstance(known, list) else [known]) if token not in {None, end}]
    model.generation_config.eos_token_id = [end, *others] if others else end


def lora_config(section: LoraSection) -> Any:
    """The adapters as peft calls them."""
    from peft import LoraConfig

    targets = section.targets if isinstance(section.targets, str) else list(section.targets)
    return LoraConfig(
        r=section.r,
        lora_alpha=section.alpha,
        lora_dropout=section.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )


def merge_adapter(section: ModelSection, config: Any, end: int, adapter: Path, out: Path) -> None:
    """Write the model with its adapters merged.

    They are merged into weights that are read again, not into those that were trained on: 4-bit weights would lose
    by it, and sharded ones are not all here.
    """
    from peft import PeftModel

    base = load_model(section.model_copy(update={"quantisation": None}), config, end)
    with quiet_peft():
        PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(out)


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Without a warning that is not for the user: peft asks for a name that transformers is about to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing", FutureWarning)
        yield


def _loaded(section: ModelSection, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"model.name = {section.name!r} cannot be loaded: {first[0]}") from error
