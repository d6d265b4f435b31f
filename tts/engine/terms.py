"""What one call asks otherwise than its engine does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tts.vocabulary.records import Sampling
from tts.vocabulary.time_limits import TimeLimits


class Terms(NamedTuple):
    """Sampling, limits of time, a budget in tokens of the call's own; `None` is the engine's.

    The budget counts what this call pays; the engine's counts it, too. `tell` hears the answer while a model writes it,
    thinking included, where the strategy and the backend can tell of it; what it hears is the beginning of the answer.
    """

    sampling: Sampling | None = None
    limits: TimeLimits | None = None
    budget: int | None = None
    tell: Callable[[str], None] | None = None


AS_THE_ENGINE = Terms()
