"""From a reference to a model behind SGLang's server, be it an engine of our own or servers that run already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict

from tts import BackendUnavailable, ConfigError, run_sync
from tts_backends.checkpoints.chat import Chat, read_template
from tts_backends.checkpoints.digest import fingerprint
from tts_backends.checkpoints.files import CheckpointFiles
from tts_backends.checkpoints.source import Source, commit_of, find, trained_prompts
from tts_backends.openai.access import Access
from tts_backends.openai.errors import Trouble
from tts_backends.openai.link import Link
from tts_backends.openai.options import Connection
from tts_backends.openai.pool import Pool
from tts_backends.openai.server import Address, Server
from tts_backends.openai.session import Limits
from tts_backends.sglang.process import EngineProcess

# What says where and how fast a model runs, but not what it answers; every other option counts in the fingerprint.
_PLACEMENT = {
    "tp_size", "tensor_parallel_size", "pp_size", "pipeline_parallel_size", "dp_size", "data_parallel_size", "device",
    "mem_fraction_static", "max_running_requests", "max_total_tokens", "max_queued_requests", "chunked_prefill_size",
    "max_prefill_tokens", "schedule_policy", "schedule_conservativeness", "page_size", "disable_radix_cache",
    "enable_metrics", "log_level", "log_level_http", "download_dir", "load_format", "skip_server_warmup",
    "disable_cuda_graph", "cuda_graph_max_bs", "base_gpu_id", "watchdog_timeout",
}  # fmt: skip
_HERE = Limits(connect=10.0, first_byte=None, total=7 * 24 * 3600.0, patience=0.0)
_START_SECONDS = 60.0  # for a server's first words about itself


class Options(Connection):
    """What `sglang:model[@option=value,...]` takes.

    With `base_url` the model is asked of servers that run already, reached as the other options say; `model` is then
    where its tokenizer is found. Without it an engine is started, and every option of `sglang.launch_server` is one
    here by its name with underscores: a switch is `true` or `false`, as in `tp_size=2`, `disable_radix_cache=true`.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    base_url: str = ""
    """The address of a server that runs already; several joined by `+` are a pool. Without it an engine is started."""

    chat_template: Path | None = None
    """A Jinja file that replaces the model's own chat template."""

    def engine(self) -> dict[str, str]:
        """The options of an engine of our own; raises `ConfigError` where they do not go with the others."""
        given = {name: str(value) for name, value in (self.model_extra or {}).items()}
        if self.base_url:
            for name in given:
                raise ConfigError(f"sglang: {name!r} is an option of the engine; start the server at base_url with it")
        for name in sorted(self.model_fields_set & set(Connection.model_fields) - {"think_open", "think_close", "tag"}):
            if not self.base_url:
                raise ConfigError(f"sglang: {name!r} is about a server that runs already; give its @base_url=, too")
        return given


class Facts(NamedTuple):
    """What a server says of itself.

    `context` is in tokens, a few less than the model's, which SGLang keeps free; `order` is what priorities are
    multiplied with.
    """

    names: tuple[str, ...]
    dtype: str
    context: int
    version: str
    seed: bool
    shares_prefixes: bool
    order: int
    at_once: int | None
    structured: bool


class Served(NamedTuple):
    """A model to talk to, with the engine's process where it is ours."""

    pool: Pool
    chat: Chat
    facts: Facts
    process: EngineProcess | None
    digest: str
    prompts: Any  # tts.prompts.Prompts | None
    files: CheckpointFiles | None = None  # of an engine of our own; else the user's chat template alone

    def fingerprint(self, options: Options) -> str:
        """What identifies the outputs."""
        markers = (options.think_open, options.think_close)
        return fingerprint("sglang", self.digest, self.facts.dtype, self.chat.template, *markers, *options.tags())

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of servers that are not ours."""
        return () if self.process is not None else tuple(address.origin for address in self.pool.addresses)


def serve(name: str, model: str, options: Options, defaults: Mapping[str, str]) -> Served:
    """Start an engine with these defaults for its options, or find the servers that are there.

    Raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`.
    """
    engine = options.engine()
    addresses = [_with_version(one) for one in options.addresses()] if options.base_url else []
    source = find(model)
    files = CheckpointFiles(source, options.chat_template)
    if source.gguf is not None:
        raise ConfigError(f"{model!r} is a GGUF file; use hf:{model}, or give sglang a folder with safetensors")
    template = read_template(options.chat_template)
    tokenizer, commit = _tokenizer(model, source, engine)
    chat = Chat(tokenizer, template, options.think_open, options.think_close)
    prompts = trained_prompts(source, commit)
    if addresses:
        pool = Pool("sglang", addresses, options.access(), options.limits(), options.retries)
        facts = run_sync(lambda: _facts(pool, lambda found: _check(name, model, found)))
        given = CheckpointFiles(Source(source.place, None, None), options.chat_template)
        given.digest(commit)
        return Served(pool, chat, facts, None, f"{facts.names[0]}\0{facts.version}", prompts, given)
    process = EngineProcess(name, source.place, engine, defaults)
    try:
        access = Access({"Authorization": f"Bearer {process.key}"})
        pool = Pool("sglang", [Address(process.address, None)], access, _HERE, retries=0)
        facts = run_sync(lambda: _facts(pool, lambda _: None))
    except BaseException:
        process.stop()
        raise
    lasting = sorted((key, value) for key, value in engine.items() if key not in _PLACEMENT)
    try:
        digest = files.digest(commit)
    except BaseException:
        process.stop()
        raise
    return Served(pool, chat, facts, process, f"{digest}\0{lasting}", prompts, files)


def _with_version(address: Address) -> Address:
    """The address with the /v1 that a health check needs; SGLang's own interface lies beside it."""
    return address._replace(base=f"{address.base.removesuffix('/v1')}/v1")


def _tokenizer(model: str, source: Source, engine: Mapping[str, str]) -> tuple[Any, str | None]:
    """The model's tokenizer and its commit, where it comes from a hub."""
    from transformers import AutoConfig, AutoTokenizer

    further: dict[str, Any] = {"trust_remote_code": engine.get("trust_remote_code", "").lower() == "true"}
    if "revision" in engine:
        further["revision"] = engine["revision"]
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.place, **further)
        config = AutoConfig.from_pretrained(source.place, **further)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendUnavailable(f"the tokenizer of {model!r} cannot be loaded: {first}", retryable=False) from error
    return tokenizer, commit_of(config, engine.get("revision"))


async def _facts(pool: Pool, check: Callable[[Facts], None]) -> Facts:
    """What the first server that is there says of itself; `check` refuses the wrong ones."""
    link = await pool.link()
    try:
        async with asyncio.timeout(_START_SECONDS):
            found = await asyncio.gather(*(_described(link, server) for server in link.servers))
    except TimeoutError:
        where = ", ".join(address.base for address in pool.addresses)
        raise BackendUnavailable(f"{where} has not answered for {_START_SECONDS:g} s", retryable=False) from None
    finally:
        await pool.release()
    there = [facts for facts in found if facts is not None]
    if not there:
        raise BackendUnavailable(f"{link.last}; start the server, or give another @base_url=", retryable=False)
    for facts in there:
        check(facts)
    return there[0]


async def _described(link: Link, server: Server) -> Facts | None:
    """What one server says, `None` where it is not there; raises `ConfigError` where it is no SGLang."""
    where = server.address.base
    try:
        about = json.loads(await link.get(server, "/../get_server_info"))
        cards = json.loads(await link.get(server, "/models"))["data"]
        return _read(about, cards[0])
    except Trouble as trouble:
        link.last = str(trouble)
        if trouble.unreachable or trouble.error.retryable:
            return None
        raise ConfigError(f"{trouble}; is it a server of SGLang? (openai:... reaches others)") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{where} does not describe itself as SGLang does; openai:... reaches other servers"
        ) from None


def _read(about: dict[str, Any], card: dict[str, Any]) -> Facts:
    first = -1 if not about.get("schedule_low_priority_values_first") else 1
    at_once = about.get("max_running_requests")
    return Facts(
        names=(about["served_model_name"] or about["model_path"], about["model_path"], about["tokenizer_path"]),
        dtype=str(about["dtype"]),
        context=int(about.get("max_req_input_len") or card["max_model_len"] - 6),
        version=str(about.get("weight_version")),
        seed=bool(about.get("enable_deterministic_inference")),
        shares_prefixes=not about.get("disable_radix_cache"),
        order=first if about.get("enable_priority_scheduling") else 0,
        at_once=None if at_once is None else int(at_once) * int(about.get("dp_size") or 1),
        structured=about.get("grammar_backend") not in (None, "none"),
    )


def _check(name: str, model: str, facts: Facts) -> None:
    """Refuse a server of another model: its tokens would be read with the wrong tokenizer."""
    known = {part for one in facts.names for part in (one, Path(one).name)}
    if not {model, Path(model).name} & known:
        raise ConfigError(
            f"{name}: the server has the model {facts.names[0]!r}; name it so, or the folder of its tokenizer"
        )
