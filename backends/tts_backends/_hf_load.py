"""From a reference to a model in memory: folders, GGUF files, hub ids, devices and dtypes."""

from __future__ import annotations

import contextlib
import hashlib
import json
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
from transformers.utils.hub import cached_file

from tts import BackendUnavailable, ConfigError, MissingDependencyError
from tts.prompts import PROMPTS_FILE, Prompts

_WHOLE = 64 * 2**20  # files up to this many bytes are hashed whole
_SAMPLES, _SAMPLE = 256, 16384  # of larger files: so many pieces, spread evenly, of so many bytes


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


class Source(NamedTuple):
    """Where a model comes from: a folder, or a hub id; `gguf` names a file in it."""

    place: str
    folder: Path | None
    gguf: str | None


class Loaded(NamedTuple):
    """A model ready to run, its tokenizer, a digest of what its weights and files are, and what it was trained on."""

    model: Any
    tokenizer: Any
    template: str | None
    digest: str
    prompts: Prompts | None = None


def find(model: str, gguf: str | None = None) -> Source:
    """Where the model is, `gguf` being the file wanted in it; raises `ConfigError` where a path leads to none."""
    shipped = model == "miniature" or model.startswith("miniature/")
    path = Path(__file__).parent / model if shipped else Path(model).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Source(str(path.parent), path.parent, path.name)
    if path.is_dir():
        return Source(str(path), path, _gguf_in(path, gguf))
    if shipped:
        raise BackendUnavailable(f"the weights of hf:{model} are not part of this installation", retryable=False)
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1 or not model:
        raise ConfigError(f"{model!r} is no folder; give a folder with a model or a hub id like 'org/name'")
    return Source(model, None, gguf)


def _gguf_in(folder: Path, wanted: str | None) -> str | None:
    if wanted is not None:
        if not (folder / wanted).is_file():
            raise ConfigError(f"there is no file {wanted!r} in {str(folder)!r}")
        return wanted
    if (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        return None  # transformers puts an adapter on the model that its configuration names
    found = sorted(p.name for p in folder.glob("*.gguf"))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{str(folder)!r} has {len(found)} GGUF files; choose one with @gguf=, e.g. {found[0]!r}")
    raise ConfigError(f"{str(folder)!r} holds no model: it has neither a config.json nor a GGUF file")


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
    loaded.to(device).eval()
    digest = weights_digest(source, commit_of(loaded.config, options.revision))
    return Loaded(loaded, tokenizer, template, digest), _absent(info)


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


def fingerprint(*parts: Any) -> str:
    """What identifies a model's outputs, of all that changes them."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()


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


def read_template(path: Path | None) -> str | None:
    """A chat template of the user's, where there is one."""
    try:
        return None if path is None else path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the chat template {str(path)!r} cannot be read: {error.strerror}") from error


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


def commit_of(config: Any, revision: str | None) -> str | None:
    """The commit of the hub that a model came from, as its configuration says, else the revision asked for."""
    return getattr(config, "_commit_hash", None) or revision


def trained_prompts(source: Source, commit: str | None) -> Prompts | None:
    """What the checkpoint's `tts.json` says; a hub's is fetched at the commit of the weights."""
    if source.folder is not None:
        file: Path | str | None = source.folder / PROMPTS_FILE
    else:
        file = cached_file(
            source.place,
            PROMPTS_FILE,
            revision=commit,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return Prompts.read(Path(file)) if file is not None and Path(file).is_file() else None


def weights_digest(source: Source, commit: str | None) -> str:
    """What the weights are: a local folder's files, with those of an adapter's base, or a hub id at its commit."""
    seen = hashlib.blake2b(digest_size=16)
    if source.folder is None:
        seen.update(f"{source.place}@{commit}/{source.gguf}".encode())
        return seen.hexdigest()
    if source.gguf is not None:
        files = [source.folder / source.gguf]
    else:
        found = [p for p in sorted(source.folder.iterdir()) if p.suffix in {".safetensors", ".json", ".bin", ".model"}]
        files = [p for p in found if p.name != PROMPTS_FILE]  # it changes what is asked, not what is answered
    for file in files:
        seen.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        _hash_content(file, seen)
    adapter = source.folder / "adapter_config.json"
    if source.gguf is None and adapter.is_file():
        base = json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"]
        seen.update(weights_digest(find(base), commit).encode())
    return seen.hexdigest()


def _hash_content(file: Path, seen: Any) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _WHOLE:
            seen.update(stream.read())
            return
        for piece in range(_SAMPLES):
            stream.seek(piece * (size - _SAMPLE) // (_SAMPLES - 1))
            seen.update(stream.read(_SAMPLE))
