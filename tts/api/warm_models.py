"""The models that stay loaded between calls of the synchronous face."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import threading
from collections import Counter
from functools import cache
from typing import Any

from tts.engine.models import ModelPool
from tts.engine.reference import ModelKey

# Models stay loaded between calls, so that a second `tts.solve` does not load 7B parameters again.
_models = ModelPool()
_users: Counter[ModelKey] = Counter()
_lock = threading.Lock()


class WarmModels:
    """The models of the synchronous face while one call uses them.

    Models that no call uses are closed first, so that changing the model does not keep two in memory, and so are those
    whose files have changed since they were loaded.
    """

    def __init__(self, references: set[tuple[Any, str]]) -> None:
        _close_at_exit()
        self._wanted = {_models.check(kind, text) for kind, text in references}

    async def __aenter__(self) -> ModelPool:
        with _lock:
            idle = {key for key in self._wanted if _users[key] <= 0}
            _users.update(self._wanted)
            used = {key for key, count in _users.items() if count > 0}
        try:
            await _models.drop_outdated(self._wanted, idle)
            await _models.keep_only(used)
        except BaseException:
            self._leave()
            raise
        return _models

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        with _lock:
            _users.subtract(self._wanted)


def _close_models() -> None:
    """Give models a chance to clean up at exit; the interpreter has no worker threads any more, so much may fail."""
    with contextlib.suppress(Exception):
        logging.getLogger("tts").setLevel(logging.CRITICAL)
        asyncio.run(_models.keep_only(()))


@cache
def _close_at_exit() -> None:
    atexit.register(_close_models)
