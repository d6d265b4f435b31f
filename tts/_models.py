"""Model references and the pool that loads each model once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from tts._contracts import Backend, Judge, JudgeFormat, Scorer
from tts._errors import BackendError, ConfigError, TTSError, did_you_mean
from tts._limiter import Limiter
from tts._parameters import noted
from tts._plugins import build, plugins

ModelKind = Literal["backend", "scorer", "judge"]
DEFAULT_MODEL = "hf:miniature"
EXECUTORS = ("ray",)  # backends, scorers and judges of this name run others, elsewhere
_log = logging.getLogger("tts")


class Reference(NamedTuple):
    """`backend:model[@option=value,...]`, taken apart."""

    plugin: str
    model: str
    options: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        tail = ",".join(f"{key}={value}" for key, value in self.options)
        return f"{self.plugin}:{self.model}" + (f"@{tail}" if tail else "")


_EXAMPLES: dict[ModelKind, str] = {
    "backend": "'hf:Qwen/Qwen2.5-7B-Instruct' or 'hf:folder@dtype=float32'",
    "scorer": "'hf-reward:folder' or 'recorded:rm_scores'",
    "judge": "'generic:hf:folder'",
}


def parse_reference(text: str, kind: ModelKind = "backend") -> Reference:
    """Take a reference apart; options come after the last `@` that is followed by `name=`.

    Raises `ConfigError` for anything that has not this form, with examples of the kind.
    """
    plugin, colon, rest = text.partition(":")
    if not colon or not plugin or not rest:
        raise ConfigError(f"model reference {text!r} should look like {_EXAMPLES[kind]}")
    model, at, tail = rest.rpartition("@")
    if not at or "=" not in tail:
        return Reference(plugin, rest, ())
    options = []
    for part in tail.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"model reference {text!r}: {part!r} is not option=value")
        options.append((key.strip(), value.strip()))
    return Reference(plugin, model, tuple(sorted(options)))


class Loaded(NamedTuple):
    """A loaded model with the limiter that all its users share; a backend that judges has a `format`."""

    reference: str
    model: Any
    limiter: Limiter
    format: JudgeFormat | None = None

    @property
    def fingerprint(self) -> str:
        """What identifies its outputs, given the prompt."""
        return str(self.model.fingerprint)


_PARTS: dict[ModelKind, tuple[str, ...]] = {
    "backend": ("generate", "count_tokens", "fingerprint", "capabilities"),
    "scorer": ("score", "fingerprint"),
    "judge": ("compare", "fingerprint"),
}


def model_name(model: object) -> str:
    """What to call a model in messages: its reference, or the name of an object that the user made."""
    return model if isinstance(model, str) else str(getattr(model, "name", type(model).__name__))


def live_model(kind: ModelKind, model: object, concurrency: int | None) -> Loaded:
    """A model that the user made and will close.

    Raises `ConfigError` where it lacks a part of the protocol.
    """
    missing = [part for part in _PARTS[kind] if not hasattr(model, part)]
    if missing or isinstance(model, type):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"an object of type {type(model).__name__}"
        raise ConfigError(
            f"{what} is no {kind}: give a reference like 'hf:folder', or an object with {', '.join(_PARTS[kind])}"
        )
    return Loaded(model_name(model), model, Limiter(concurrency or _slots(kind, model)))


def _slots(kind: ModelKind, model: Any) -> int:
    return int(model.capabilities.concurrency) if kind == "backend" else 64


class ModelKey(NamedTuple):
    """What makes two roles share a model: the kind, the class that loads it, and the reference.

    The class counts because a notebook may define it again under the same name.
    """

    kind: ModelKind
    plugin: Any
    reference: Reference


def judge_format(text: str) -> tuple[JudgeFormat, str] | None:
    """The format and the backend reference in `FORMAT:BACKEND:MODEL`, or `None` for a judge that is a class of its own.

    Raises `ConfigError` for what is no judge reference, and for options that the format refuses.
    """
    reference = parse_reference(text, "judge")
    cls = _plugin("judge", text)
    if not (isinstance(cls, type) and issubclass(cls, JudgeFormat)):
        return None
    if ":" not in reference.model:
        raise ConfigError(f"judge {text!r} names no backend; it should look like '{reference.plugin}:hf:FOLDER'")
    own = {name: value for name, value in reference.options if name in cls.model_fields}
    others = ",".join(f"{name}={value}" for name, value in reference.options if name not in own)
    backend = reference.model + (f"@{others}" if others else "")
    return build(f"judge {reference.plugin!r}", cls, own), backend


def _plugin(kind: ModelKind, text: str) -> Any:
    """The class of a reference; raises `ConfigError` that says so where the name is one of another kind."""
    name = parse_reference(text, kind).plugin
    others = [other for other in _PARTS if name in plugins().names(other)]
    if others and kind not in others:
        unformatted = kind == "judge" and others == ["backend"]
        example = f"; a format comes before it, e.g. 'generic:{text}'" if unformatted else ""
        known = ", ".join(plugins().names(kind))
        raise ConfigError(f"{text!r} is no {kind}: {name!r} is a {others[0]}{example}; known {kind}s: {known}")
    return plugins().resolve(kind, name)


class FoundModel(NamedTuple):
    """What a reference stands for: `cls(model, options)` loads it."""

    cls: Any
    model: str
    options: Any


def find_model(kind: ModelKind, text: str) -> FoundModel:
    """Take a reference apart and check all of it that can be checked without loading.

    Raises `ConfigError`, or `MissingDependencyError` where the plugin's packages are not installed.
    """
    key = ModelPool.check(kind, text)
    return FoundModel(key.plugin, key.reference.model, _options(key))


def placed(kind: ModelKind, text: str, executor: str | None) -> str:
    """The reference of a model that an executor runs: `hf:m` becomes `ray:hf:m`, `rrm:hf:m` becomes `rrm:ray:hf:m`.

    A plugin that says `light = True` stays where the engine is. Raises `ConfigError` for an unknown executor.
    """
    if executor is None or text.startswith(f"{executor}:"):
        return text
    if executor not in EXECUTORS:
        raise ConfigError(f"executor={executor!r}; known: {', '.join(EXECUTORS)}, or None for models in this process")
    if kind == "judge" and judge_format(text) is not None:
        name, _, backend = text.partition(":")
        return f"{name}:{placed('backend', backend, executor)}"
    return text if getattr(_plugin(kind, text), "light", False) else f"{executor}:{text}"


class ModelPool:
    """Loads each model once; two roles, and two threads, with one reference share it."""

    def __init__(self) -> None:
        self._models: dict[ModelKey, Future[Any]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def check(kind: ModelKind, text: str) -> ModelKey:
        """Everything about a reference that can be checked without loading: the plugin's name and its options."""
        if kind == "judge" and (judging := judge_format(text)) is not None:
            kind, text = "backend", judging[1]
        reference = parse_reference(text, kind)
        key = ModelKey(kind, _plugin(kind, text), reference)
        if not (isinstance(getattr(key.plugin, "Options", None), type) and issubclass(key.plugin.Options, BaseModel)):
            raise ConfigError(f"{kind} {reference.plugin!r} has no Options; give its class `Options = tts.NoOptions`")
        _options(key)
        return key

    async def get(self, kind: ModelKind, text: str, concurrency: int | None) -> Loaded:
        """The model of a reference, loaded on a worker thread the first time.

        Raises `BackendError` where loading fails; it is tried again the next time.
        """
        key = self.check(kind, text)
        with self._lock:
            mine = key not in self._models
            loading = self._models.setdefault(key, Future())
        if mine:
            try:
                loading.set_result(await asyncio.to_thread(key.plugin, key.reference.model, _options(key)))
            except BaseException as error:
                with self._lock:
                    del self._models[key]
                loading.set_exception(_loading_error(error, kind, text))
        model: Backend | Scorer | Judge = await asyncio.wrap_future(loading)
        # A limiter belongs to one event loop, a model to the process: each engine limits for itself.
        slots = concurrency or _slots(key.kind, model)
        judging = judge_format(text) if kind == "judge" else None
        return Loaded(text, model, Limiter(slots), judging[0] if judging else None)

    def __len__(self) -> int:
        return len(self._models)

    async def keep_only(self, wanted: Collection[ModelKey]) -> None:
        """Close every other model that is loaded; one that fails to close does not keep the others."""
        with self._lock:
            idle = [key for key, model in self._models.items() if key not in wanted and model.done()]
            closing = [self._models.pop(key).result() for key in idle]
        failures = await asyncio.gather(*(model.aclose() for model in closing), return_exceptions=True)
        for key, failure in zip(idle, failures, strict=True):
            if isinstance(failure, Exception):
                _log.warning("closing %s raised %s: %s", key.reference, type(failure).__name__, failure)


def _loading_error(error: BaseException, kind: ModelKind, text: str) -> BaseException:
    if isinstance(error, TTSError) or not isinstance(error, Exception):
        return error
    wrapped = BackendError(f"{kind} {text!r} could not be loaded: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _options(key: ModelKey) -> Any:
    plugin, reference = key.plugin, key.reference
    try:
        return plugin.Options(**dict(reference.options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = did_you_mean(name, plugin.Options.model_fields)
            unknown = ConfigError(f"{reference.plugin!r} has no option {name!r}{known}")
            raise noted(unknown, plugin.Options) from error
        wrong = ConfigError(f"{reference}: option {name}={first.get('input')!r}: {first['msg']}")
        raise noted(wrong, plugin.Options, name) from error
