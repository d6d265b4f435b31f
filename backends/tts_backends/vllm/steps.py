"""Whether an engine still makes steps, which tells a long answer from an engine that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# Seconds without a step after which it hangs: one step prefills some thousand tokens at most, on a CPU in tens of
# seconds.
RECENT = 60.0


class Steps:
    """When the engine has made its last step; the engine reports each through the logger that is made of this."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def made(self) -> None:
        """A step is over."""
        self._last = time.monotonic()

    def recent(self) -> bool:
        """Whether there was one of late."""
        return time.monotonic() - self._last < RECENT

    def logger(self) -> Callable[..., Any]:
        """What vLLM takes as a factory of loggers of statistics."""
        from vllm.v1.metrics.loggers import StatLoggerBase

        made = self.made

        class Listener(StatLoggerBase):  # type: ignore[misc]  # vLLM is in an environment of its own
            def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
                """It needs neither."""

            def record(self, *_: Any, **__: Any) -> None:
                made()

            def log_engine_initialized(self) -> None:
                made()

        return Listener
