"""The pool that loads each model once."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, passes, raised, shown
from tts.bridge.left import leave
from tts.bridge.threads import in_thread
from tts.bridge.waits import waiting
from tts.contracts.models import JudgeFormat
from tts.engine.limiter import Limiter
from tts.engine.reference import ModelKey, ModelKind, judge_format, model_key, options_of
from tts.registry.code import code_of
from tts.vocabulary.errors import BackendError, ConfigError, TTSError

CLOSING = 60.0  # seconds in which a model must have closed: engines in processes of their own take their time
_log = logging.getLogger("tts")


class Loaded(NamedTuple):
    """A loaded model with the limiter that all its users share; a backend that judges has a `format`.

    `code` identifies a model that has no fingerprint of its own.
    """

    reference: str
    model: Any
    limiter: Limiter
    format: JudgeFormat | None = None
    code: str = ""

    @property
    def fingerprint(self) -> str:
        """What identifies its outputs, given the prompt."""
        return _own_fingerprint(self.model) or self.code

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; raises `BackendTimeout` where the model is silent for too long."""
        count = self.model.count_tokens
        return await self.limiter.calls.ask(repr(self.reference), lambda: count(texts), shows=False)


_PARTS: dict[ModelKind, tuple[str, ...]] = {
    "backend": ("generate", "count_tokens", "capabilities"),
    "scorer": ("score",),
    "judge": ("compare",),
}


def _own_fingerprint(model: object) -> str:
    own = getattr(model, "fingerprint", None)
    return "" if own is None else str(own)


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
    return Loaded(model_name(model), model, Limiter(concurrency or _slots(kind, model)), code=live_code(model))


def live_code(model: object) -> str:
    """What identifies a model that the user made and that has no fingerprint: its code, and its attributes now."""
    return "" if _own_fingerprint(model) else code_of(model)


def _slots(kind: ModelKind, model: Any) -> int:
    return int(model.capabilities.concurrency) if kind == "backend" else 64


class ModelPool:
    """Loads each model once; two roles, and two threads, with one reference share it.

    `look_every` is in how many seconds it asks a model again whether its files have changed.
    """

    def __init__(self, look_every: float = 0.0) -> None:
        self._look_every = look_every
        self._looked: dict[ModelKey, float] = {}  # monotonic seconds
        self._models: dict[ModelKey, Future[_Made]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def check(kind: ModelKind, text: str) -> ModelKey:
        """Everything about a reference that can be checked without loading: the plugin's name and its options."""
        return model_key(kind, text)

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
                loading.set_result(await in_thread(f"{text} to be loaded", lambda: _load(key), idle=True))
            except BaseException as error:
                with self._lock:
                    del self._models[key]
                loading.set_exception(_loading_error(error, kind, text))
                if not isinstance(error, Exception):
                    raise
        made = await asyncio.wrap_future(loading)
        model, code = made.model, made.code
        # A limiter belongs to one event loop, a model to the process: each engine limits for itself.
        slots = concurrency or _slots(key.kind, model)
        judging = judge_format(text) if kind == "judge" else None
        return Loaded(text, model, Limiter(slots), judging[0] if judging else None, code)

    def __len__(self) -> int:
        return len(self._models)

    async def drop_outdated(self, wanted: Collection[ModelKey], idle: Collection[ModelKey] = ()) -> set[ModelKey]:
        """Forget those of these models that say that their files have changed, so that they are loaded anew.

        One of the `idle` is closed; another is freed when whoever works with it lets go of it. Returns which they are.
        """
        with self._lock:
            there = {
                key: loading
                for key in wanted
                if (loading := self._models.get(key)) and loading.done() and not loading.exception()
                if time.monotonic() - self._looked.get(key, -self._look_every) >= self._look_every
            }
            self._looked |= dict.fromkeys(there, time.monotonic())
        old = {key: one for key, one in there.items() if await _is_outdated(key, one.result())}
        with self._lock:
            mine = {key: one.result().model for key, one in old.items() if self._models.get(key) is one}
            for key in mine:
                del self._models[key]
        await _close_all({key: model for key, model in mine.items() if key in idle})
        return set(old)

    async def keep_only(self, wanted: Collection[ModelKey]) -> None:
        """Close every other model that is loaded; one that fails to close does not keep the others."""
        with self._lock:
            idle = [key for key, model in self._models.items() if key not in wanted and model.done()]
            closing = {key: self._models.pop(key).result().model for key in idle}
        await _close_all(closing)


async def _close_all(models: Mapping[ModelKey, Any]) -> None:
    """Close them at the same time; one that does not end in time is left behind."""
    closing = {key: asyncio.create_task(_close(key, model)) for key, model in models.items()}
    if not closing:
        return
    _, pending = await asyncio.wait(closing.values(), timeout=CLOSING)
    for key, task in closing.items():
        if task in pending:
            task.cancel()
            leave([task], f"aclose() of {key.reference} has not ended after {CLOSING:g} s")
        elif not task.cancelled() and (failure := task.exception()) is not None:
            _log.warning("closing '%s' %s", key.reference, did(failure))


class _Made(NamedTuple):
    """A model, and what identified it when it was loaded, where it does not say so itself."""

    model: Any
    code: str


async def _is_outdated(key: ModelKey, made: _Made) -> bool:
    if not made.code and not hasattr(made.model, "outdated"):
        return False
    return await in_thread(f"outdated() of {key.reference}", lambda: _outdated(key, made), idle=True)


def _outdated(key: ModelKey, made: _Made) -> bool:
    model = made.model
    try:
        with Foreign():
            if made.code and made.code != _code(key):
                return True
            return hasattr(model, "outdated") and bool(model.outdated())
    except BaseException as error:  # a model is a plugin and may raise anything
        if passes(error):
            raise
        name = f"{type(model).__module__}.{type(model).__name__}"
        raise BackendError(f"outdated() of {name} {did(error)}") from error


async def _close(key: ModelKey, model: Any) -> None:
    try:
        with waiting(f"aclose() of {key.reference}", idle=True), Foreign():
            await model.aclose()
    except BaseException as error:  # as above
        if passes(error):
            raise
        _log.warning("closing '%s' %s", key.reference, did(error))


def _code(key: ModelKey) -> str:
    return code_of(key.plugin, key.reference.model, options_of(key))


def _load(key: ModelKey) -> _Made:
    kind, name = key.kind, str(key.reference)
    try:
        with Foreign():
            model = key.plugin(key.reference.model, options_of(key))
            _check_parts(kind, model, name)
            return _Made(model, "" if _own_fingerprint(model) else _code(key))
    except BaseException as error:  # some no future takes, others would end the program
        if passes(error) or isinstance(error, TTSError):
            raise
        raise BackendError(f"{kind} {name!r} could not be loaded: it {did(error)}") from error


def _check_parts(kind: ModelKind, model: Any, name: str) -> None:
    """Raise `BackendError` where what was loaded could not be asked."""
    for part in _PARTS[kind]:
        if getattr(model, part, None) is None:
            raise BackendError(f"{kind} {name!r} has no {part}")
    own = getattr(model, "fingerprint", None)
    if own is not None and (not isinstance(own, str) or not own):
        raise BackendError(f"{kind} {name!r}: its fingerprint is {shown(own)}; it must be a text")
    slots = model.capabilities.concurrency if kind == "backend" else 1
    if not isinstance(slots, int) or slots < 1:
        raise BackendError(f"{kind} {name!r}: its capabilities have concurrency={shown(slots)}; it must be 1 or more")


def _loading_error(error: BaseException, kind: ModelKind, text: str) -> BaseException:
    """What others hear who wait for the same model: where who was loading it is cancelled, that they may try again."""
    if isinstance(error, TTSError):
        return error
    if not isinstance(error, Exception):
        return BackendError(f"loading {kind} {text!r} was broken off ({type(error).__name__})", retryable=True)
    wrapped = BackendError(f"{kind} {text!r} could not be loaded: {raised(error)}")
    wrapped.__cause__ = error
    return wrapped
