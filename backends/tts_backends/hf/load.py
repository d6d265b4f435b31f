"""From a reference to a model of transformers in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.utils import logging as transformers_logging

from tts import BackendUnavailable, ConfigError, MissingDependencyError
from tts.prompts import Prompts
from tts_backends.checkpoints.chat import read_template
from tts_backends.checkpoints.files import CheckpointFiles
from tts_backends.checkpoints.source import Source, commit_of, find, trained_prompts


class Options(BaseModel):
    """What `hf:model[@option=value,...]` takes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights. `auto` is float32 on CPUs, where a completion depends on its seed alone, and
    bfloat16 where an accelerator has it.
    """

    device: str = "auto"
    """Where the model goes, as torch names devices: `cpu`, `cuda:1`. `auto` takes an accelerator where there is one."""

    max_batch: int = Field(128, ge=1)
    """The most completions decoded at once; of a scorer, the most conversations in a batch. By default 128 (our choice;
    memory grows with it).
    """

    chat_template: Path | None = None
    """A Jinja file that replaces the model's own chat template."""

    think_open: str = Field("<think>", min_length=1)
    """The marker that opens a think block in the model's text. By default what reasoning models of the Qwen and
    DeepSeek families write.
    """

    think_close: str = Field("</think>", min_length=1)
    """The marker that closes a think block; what follows it is the summary."""

    gguf: str | None = None
    """Which GGUF file of the folder or repository to load; not needed where there is only one."""

    revision: str | None = None
    """The revision of a hub id (a branch, a tag or a commit); by default the newest."""

    attn: str | None = None
    """The attention implementation as transformers calls them, such as `eager` or `sdpa`; by default the model's."""

    trust_remote_code: bool = False
    """Whether code that comes with a checkpoint may run. Off by default (our choice: it can do anything that you can).
    """

    def files(self) -> list[Path]:
        """The user's own files that decide what the model is asked or answers."""
        return [] if self.chat_template is None else [self.chat_template]


class Loaded(NamedTuple):
    """A model ready to run, its tokenizer, a digest of what its weights and files are, and what it was trained on.

    `files` are those that it was loaded from.
    """

    model: Any
    tokenizer: Any
    template: str | None
    digest: str
    prompts: Prompts | None = None
    files: CheckpointFiles | None = None


def load(model: str, options: Options) -> Loaded:
    """Load a language model that can be batched, and its tokenizer.

    Raises `ConfigError` where the reference is wrong, `BackendUnavailable` where the model cannot be loaded.
    """
    loaded, _ = load_as(AutoModelForCausalLM, model, options)
    refuse_recurrent(model, loaded.model)
    commit = commit_of(loaded.model.config, options.revision)
    return loaded._replace(prompts=trained_prompts(find(model, options.gguf), commit))


def load_as(auto: Any, model: str, options: Options, **further: Any) -> tuple[Loaded, set[str]]:
    """Load model and tokenizer onto the device, in evaluation mode, with the head that `auto` gives it.

    `further` goes to its `from_pretrained`. Also returns the names of weights that the checkpoint does not have.
    """
    source = find(model, options.gguf)
    files = CheckpointFiles(source, *options.files())
    _refuse_unreachable(model, source, options.revision)
    device = _device(options.device)
    dtype = _dtype(options.dtype, device)
    template = read_template(options.chat_template)
    common: dict[str, Any] = {"trust_remote_code": options.trust_remote_code}
    if options.revision is not None:
        common["revision"] = options.revision
    if source.gguf is not None:
        common["gguf_file"] = source.gguf
    weights = common | further | ({} if options.attn is None else {"attn_implementation": options.attn})
    try:
        with _no_bars():
            tokenizer = AutoTokenizer.from_pretrained(source.place, **common)
            loaded, info = auto.from_pretrained(source.place, dtype=dtype, output_loading_info=True, **weights)
    except ImportError as error:
        raise MissingDependencyError(f"loading {model!r} needs one more package: {error}") from error
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        if "backend tokenizer" in str(error):
            first = ["it has no tokenizer that transformers can read, such as a tokenizer.json"]
        if "trust_remote_code" in str(error):
            first = ["it comes with code of its own; if you trust its authors, run it with @trust_remote_code=true"]
        raise BackendUnavailable(f"{model!r} cannot be loaded: {first[0]}", retryable=False) from error
    _keep_softcapping(model, loaded, options.attn)
    loaded.to(device).eval()
    digest = files.digest(commit_of(loaded.config, options.revision))
    return Loaded(loaded, tokenizer, template, digest, files=files), _absent(info)


def _keep_softcapping(model: str, loaded: Any, asked: str | None) -> None:
    """Take `eager` where `sdpa` would leave out the soft-capping of attention, as some releases of transformers do."""
    config = loaded.config.get_text_config()
    implementation = config._attn_implementation  # noqa: SLF001 - transformers has no public name for it
    if implementation != "sdpa" or not getattr(config, "attn_logit_softcapping", None):
        return
    if asked is not None:
        raise BackendUnavailable(
            f"{model!r} cannot be loaded: its attention is soft-capped, which @attn=sdpa leaves out; give @attn=eager",
            retryable=False,
        )
    loaded.set_attn_implementation("eager")


def _refuse_unreachable(model: str, source: Source, revision: str | None) -> None:
    """Raise `BackendUnavailable` for a model of a hub that cannot be reached, which transformers tries for a minute."""
    name = source.gguf or "config.json"
    if source.folder is not None or try_to_load_from_cache(source.place, name, revision=revision) is not None:
        return
    try:
        get_hf_file_metadata(hf_hub_url(source.place, name, revision=revision))
    except (HfHubHTTPError, HFValidationError):
        return  # the hub has answered, and transformers has sentences for that
    except Exception as error:  # of whatever client the hub's library uses
        why = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise BackendUnavailable(
            f"{model!r} cannot be loaded: it is no folder, nothing of it is in the hub's cache, and the hub cannot be "
            f"reached ({why[0]})",
            retryable=False,
        ) from error


def _absent(info: dict[str, Any]) -> set[str]:
    misfits = (key if isinstance(key, str) else key[0] for key in info["mismatched_keys"])
    return {*info["missing_keys"], *misfits}


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as transformers wrote it
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # as transformers wrote it


def _device(name: str) -> torch.device:
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if found is None else found
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"torch knows no device {name!r}; give auto, cpu, cuda, cuda:1 or mps") from error


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.bfloat16 if torch.backends.mps.is_macos_or_newer(14, 0) else torch.float16
    return torch.float32


def context_length(model: Any, tokenizer: Any) -> int:
    """Prompt and response together, in tokens."""
    config = model.config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if isinstance(length := getattr(config, name, None), int):
            return length
    return int(min(tokenizer.model_max_length, 2**20))  # tokenizers say 10**30 where they do not know


def end_tokens(model: Any, tokenizer: Any, template_end: int | None) -> frozenset[int]:
    """The tokens that end a response."""
    configured = model.generation_config.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return frozenset(int(t) for t in [*several, tokenizer.eos_token_id, template_end] if t is not None)


def refuse_recurrent(name: str, model: Any) -> None:
    """Raise `ConfigError` for a model whose rows cannot come and go in a batch."""
    odd = [x for x in DynamicCache(config=model.config).layers if not isinstance(x, DynamicLayer)]
    if odd:
        raise ConfigError(
            f"{name!r} keeps more than keys and values ({type(odd[0]).__name__}); the hf backend batches attention "
            "models only: serve it with vllm or sglang"
        )
