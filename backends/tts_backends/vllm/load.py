"""From a reference to what a vLLM engine is started with: its options in its own words over our defaults."""

from __future__ import annotations

import dataclasses
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from tts import BackendUnavailable, ConfigError, MissingDependencyError
from tts.prompts import Prompts
from tts_backends.foreign import words

if TYPE_CHECKING:
    from tts_backends.checkpoints.files import CheckpointFiles
    from tts_backends.checkpoints.source import Source

# What says where and how fast a model runs, but not what it answers; every other option counts in the fingerprint.
_PLACEMENT = {
    "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "data_parallel_size_local",
    "data_parallel_backend", "distributed_executor_backend", "max_num_seqs", "max_num_batched_tokens", "block_size",
    "gpu_memory_utilization", "kv_cache_memory_bytes", "enforce_eager", "enable_prefix_caching", "scheduling_policy",
    "disable_log_stats", "enable_log_requests", "max_model_len", "load_format", "download_dir",
}  # fmt: skip


class Options(BaseModel):
    """What `vllm:model[@option=value,...]` takes: every engine option of `vllm serve` by its name, and ours.

    Names are written with underscores, a switch as `true` or `false`, a part of a JSON option after a dot, as in
    `tensor_parallel_size=2`, `enforce_eager=true`, `speculative_config.method=ngram`.
    """

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    chat_template: Path | None = None
    """A Jinja file that replaces the model's own chat template."""

    think_open: str = Field("<think>", min_length=1)
    """The marker that opens a think block in the model's text. By default what reasoning models of the Qwen and
    DeepSeek families write.
    """

    think_close: str = Field("</think>", min_length=1)
    """The marker that closes a think block; what follows it is the summary."""


class Engine(NamedTuple):
    """Arguments that vLLM has accepted, and what the library wants to know of the model beside it."""

    arguments: Any  # vllm.AsyncEngineArgs
    config: Any  # vllm.config.VllmConfig
    template: str | None
    digest: str
    prompts: Prompts | None
    files: CheckpointFiles


def configure(model: str, options: Options, **defaults: str) -> Engine:
    """Everything that can be found out before the engine starts; `defaults` are engine options, too.

    Raises `ConfigError` where the reference is wrong, `BackendUnavailable` where vLLM cannot run the model.
    """
    require()
    from tts_backends.checkpoints.chat import read_template
    from tts_backends.checkpoints.files import CheckpointFiles
    from tts_backends.checkpoints.source import commit_of, find, trained_prompts

    source = find(model)
    files = CheckpointFiles(source, options.chat_template)
    _check(model, source)
    given = {name: str(value) for name, value in (options.model_extra or {}).items()}
    arguments = _arguments(model, source.place, {**_defaults(), **defaults, **given})
    template = read_template(options.chat_template)
    try:
        config = arguments.create_engine_config()
    except Exception as error:  # pydantic, transformers and vLLM itself refuse in their own ways
        raise BackendUnavailable(f"vllm cannot run {model!r}: {first_line(error)}", retryable=False) from error
    commit = commit_of(config.model_config.hf_config, arguments.revision)
    lasting = sorted((name, value) for name, value in given.items() if name.partition(".")[0] not in _PLACEMENT)
    digest = f"{files.digest(commit)}\0{lasting}"
    return Engine(arguments, config, template, digest, trained_prompts(source, commit), files)


def require() -> None:
    """Import vLLM with its messages on stderr; raises `MissingDependencyError` where it is not installed."""
    # The engine reads these from the environment only, its processes inherit them. stdout is our data channel.
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        from vllm import AsyncEngineArgs  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            f"the vllm backend needs vLLM and {error.name or 'a part of it'!r} is not installed; "
            "pip install 'ttscale[vllm]', best in an environment of its own"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line: of a pydantic error its first reason."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return (words(error).strip().splitlines() or [type(error).__name__])[0]


def _check(model: str, source: Source) -> None:
    if source.gguf is not None:
        raise ConfigError(f"{model!r} is a GGUF file; use hf:{model}, or give vllm a folder with safetensors")
    if source.folder is not None and not (source.folder / "config.json").is_file():
        raise ConfigError(f"{model!r} is an adapter without its model; merge it into the model for vllm, or use hf:")


def _defaults() -> dict[str, str]:
    from vllm.platforms import current_platform

    # The dtype is what the hf backend takes: on CPU vLLM would run even a float32 checkpoint in 16 bits. And vLLM 0.32
    # dies there of a request with a seed whose prompt it prefills in two steps.
    cpu = {"dtype": "float32", "enable_chunked_prefill": "false"} if current_platform.is_cpu() else {}
    return {"enable_prefix_caching": "true", "disable_log_stats": "true"} | cpu


def _arguments(model: str, place: str, options: dict[str, str]) -> Any:
    """The options, read by vLLM's parser of its own command line, which knows their types."""
    from vllm import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"vllm:{model}: {message}")

    known = {field.name: field.default for field in dataclasses.fields(AsyncEngineArgs) if field.name != "model"}
    for name in options:
        if name.partition(".")[0] not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]!r}?" if near else "; its options are those of `vllm serve --help=all`"
            raise ConfigError(f"vllm:{model}: vLLM has no engine option {name!r}{meant}")
    # Some switches have no form that says no; what is off by default need not be said.
    said = {name: value for name, value in options.items() if value.lower() != "false" or known.get(name) is not False}
    words = [_flag(name, value) for name, value in said.items()]
    parser = AsyncEngineArgs.add_cli_args(FlexibleArgumentParser(add_help=False, allow_abbrev=False))
    parser.error = refuse  # argparse's own would end the process
    return AsyncEngineArgs.from_cli_args(parser.parse_args(["--model", place, *words]))


def _flag(name: str, value: str) -> str:
    base, dot, rest = name.partition(".")
    flag = base.replace("_", "-")
    if not dot and value.lower() in {"true", "false"}:
        return f"--{flag}" if value.lower() == "true" else f"--no-{flag}"
    return f"--{flag}{dot}{rest}={value}"
