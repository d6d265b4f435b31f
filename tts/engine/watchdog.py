"""The thread that watches a run: it names what blocks, before anybody has to ask."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress

from tts.bridge.stacks import in_foreign_code, where
from tts.bridge.supervised import interrupt, ready
from tts.bridge.waits import waits
from tts.engine.calls import SILENT, Limit
from tts.engine.models import Loaded
from tts.vocabulary.records import Role

TOLD = 60.0  # seconds of silence after which a line says so, and between two lines
BLOCKED = 10.0  # seconds that the event loop may stand still before a line names what blocks it
_TICK = 1.0
_log = logging.getLogger("tts")
_watching: weakref.WeakSet[Watchdog] = weakref.WeakSet()


class Watchdog:
    """Watches the models of one engine and the event loop that it runs on, on a daemon thread that sleeps.

    Once a second it has the loop look at each model's silence (`Calls.check`), which is what ends calls; a loop that
    does not come to that is blocked, and its stack says where. Code of a plugin that blocks it for `blocking` seconds,
    or for a minute where that is less, is broken off where that can be done: on the main thread.
    """

    def __init__(
        self,
        loaded: Mapping[Role, Loaded],
        limit: Callable[[Loaded], Limit],
        blocking: float | None = SILENT,
        tick: float = _TICK,
    ) -> None:
        self._loaded, self._limit, self._blocking, self._tick = loaded, limit, blocking, tick
        self._broken_off = 0.0  # when somebody was last broken off
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._over = threading.Event()
        self._seen = self._said = 0.0  # when the loop last answered; when somebody was last told that it does not
        self._checks: dict[int, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Watch the running loop, unless that is watched."""
        loop = asyncio.get_running_loop()
        if self._loop is loop and not self._over.is_set():
            return
        self.stop()
        self._loop, self._loop_thread, self._over = loop, threading.get_ident(), threading.Event()
        ready()
        self._seen = self._said = time.monotonic()
        _watching.add(self)
        run = _Run(weakref.ref(self), self._over, self._tick)
        threading.Thread(target=run, name="tts-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()
        _watching.discard(self)

    # --- on the watchdog's thread ----------------------------------------------------------------------------------

    def turn(self, sent: float) -> None:
        """One look at everything; `sent` is when the loop was last asked to answer."""
        now = time.monotonic()
        if self._loop is None or not self._loop.is_running():
            self._seen = now
        elif sent > self._seen:
            self._tell_of_loop(now)
        for role, loaded in self._models():
            self._tell_of(role, loaded, now)
        for wait in waits():
            if now - wait.told >= TOLD:
                wait.told = now
                place = where(wait.thread)
                _log.warning("waiting for %s for %.0f s%s", wait.what, now - wait.since, f"; in {place}" * bool(place))

    def ping(self) -> bool:
        """Ask the loop to answer; whether there is one."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed
            return False
        return True

    def _tell_of_loop(self, now: float) -> None:
        stood = now - self._seen
        if stood >= BLOCKED and now - self._said >= (BLOCKED if self._said <= self._seen else TOLD):
            self._said = now
            _log.warning(
                "the event loop has stood still for %.0f s, so nothing else goes on: it is blocked by %s",
                stood, where(self._loop_thread) or "what cannot be told",
            )  # fmt: skip
        limit = None if self._blocking is None else max(self._blocking, TOLD)
        if limit is not None and now - max(self._seen, self._broken_off) >= limit:
            self._broken_off, seen = now, self._seen  # the next in turn may block it, too
            interrupt(self._loop_thread, lambda: self._seen == seen and in_foreign_code())

    def _tell_of(self, role: str, loaded: Loaded, now: float) -> None:
        calls = loaded.limiter.calls
        silent = calls.silent_for(now)
        if silent >= TOLD and now - calls.told >= TOLD:
            calls.told = now
            words = str(getattr(loaded.model, "waits_for", "") or "")
            _log.warning(
                "%s has answered nothing for %.0f s (%s)%s",
                _named(role, loaded), silent, _calls(loaded), f"; {words}" if words else "",
            )  # fmt: skip

    def _models(self) -> list[tuple[str, Loaded]]:
        """Each model once, with its roles."""
        found: dict[int, tuple[str, Loaded]] = {}
        for role, loaded in list(self._loaded.items()):
            before = found.get(id(loaded.limiter))
            found[id(loaded.limiter)] = (f"{before[0]} and {role}" if before else role, loaded)
        return list(found.values())

    def waited_for(self, now: float) -> list[str]:
        """What models are being waited for, in words."""
        return [
            f"{_named(role, loaded)} ({_calls(loaded)}, silent for {loaded.limiter.calls.silent_for(now):.0f} s)"
            for role, loaded in self._models()
            if len(loaded.limiter.calls)
        ]

    # --- on the loop -----------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        self._seen = time.monotonic()
        if self._over.is_set():
            return
        for role, loaded in self._models():
            limit, key = self._limit(loaded), id(loaded.limiter)
            due = limit.silent is not None and loaded.limiter.calls.silent_for(self._seen) >= limit.silent
            if due and (key not in self._checks or self._checks[key].done()):
                check = loaded.limiter.calls.check(loaded.model, _named(role, loaded), limit)
                self._checks[key] = asyncio.get_running_loop().create_task(check)


class _Run:
    """The thread's work; it holds no watchdog, so that an engine which nobody closes can go."""

    def __init__(self, watchdog: weakref.ref[Watchdog], over: threading.Event, tick: float) -> None:
        self._watchdog, self._over, self._tick = watchdog, over, tick

    def __call__(self) -> None:
        sent = 0.0
        while not self._over.wait(self._tick):
            watchdog = self._watchdog()
            if watchdog is None:
                return
            with suppress(RuntimeError):  # a dictionary that changes meanwhile: next time
                watchdog.turn(sent)
            if sent <= watchdog._seen:  # noqa: SLF001 - a part of it
                sent = time.monotonic()
                if not watchdog.ping():
                    return
            del watchdog


def waited_for() -> list[str]:
    """What this program waits for now, in words, on all its engines."""
    now = time.monotonic()
    models = [said for watchdog in list(_watching) for said in watchdog.waited_for(now)]
    return [f"{wait.what} ({now - wait.since:.0f} s)" for wait in waits()] + models


def _named(role: str, loaded: Loaded) -> str:
    return f"{role} {loaded.reference!r}"


def _calls(loaded: Loaded) -> str:
    waiting = len(loaded.limiter)
    limited = str(getattr(loaded.model, "limited", None) or "")
    return f"{waiting} {'calls wait' if waiting != 1 else 'call waits'}{f', {limited}' if limited else ''}"
