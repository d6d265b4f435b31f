"""Failures that tests of engines plant, and what they ask for meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tts import Message, Request

LIMIT = 30.0  # seconds in which they must have heard
FAILURES = [RuntimeError("planted"), KeyboardInterrupt("planted"), SystemExit("planted"), MemoryError("planted")]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)


def raising(failure: BaseException) -> Callable[..., Any]:
    def planted(*_: Any, **__: Any) -> Any:
        raise failure

    return planted


def request(n: int = 3, **fields: Any) -> Request:
    return Request(messages=(Message(role="user", content="1+2"),), n=n, seeds=tuple(range(n)), **fields)
