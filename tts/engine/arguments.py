"""The arguments that an engine is given, checked before anything is loaded or asked."""

from __future__ import annotations

from pathlib import Path

from tts.contracts.prices import Prices
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.time_limits import TimeLimits


def check_positive(**limits: object) -> None:
    """Raise `ConfigError` at the first that is neither positive nor no limit (`None`, "auto")."""
    for name, value in limits.items():
        positive = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if value is not None and value != "auto" and not positive:
            raise ConfigError(f"{name}={value!r}: it must be positive, or None for no limit")


def prices_of(given: Prices | str | Path | None, max_cost: float | None) -> Prices | None:
    """The prices as given, read where they are a file; raises `ConfigError` where `max_cost` wants some."""
    if max_cost is not None and given is None:
        raise ConfigError(
            f"max_cost={max_cost}: give prices= (on the command line --prices), a file of them or a tts.eval.Prices"
        )
    return None if given is None else Prices.of_any(given)


def check_k(k: int) -> None:
    """Raise `ConfigError` unless it is a number of candidates."""
    if not isinstance(k, int) or isinstance(k, bool):
        raise ConfigError(f"k={k!r}: the number of candidates is a whole number")
    if k < 1:
        raise ConfigError(f"k={k}: at least one candidate is needed")


def check_limits(limits: TimeLimits | None, k: int, n: int | None, order_trials: int) -> None:
    """Raise `ConfigError` where limits of time and the call do not go together."""
    if limits is None:
        return
    if limits.quorum is not None and limits.quorum > k:
        raise ConfigError(f"quorum={limits.quorum} can never be there: there are k={k} candidates; give {k} or less")
    if order_trials or (n is not None and n > k):
        what = "order_trials=" if order_trials else "n="
        raise ConfigError(f"{what} wants every candidate; leave it out, or deadline=, quorum= and grace=")
