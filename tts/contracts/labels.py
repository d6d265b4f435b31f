"""What strategies that run together are called."""

from __future__ import annotations

from collections.abc import Sequence

from tts.contracts.strategy import Strategy
from tts.registry.host import plugins
from tts.vocabulary.errors import ConfigError


def _written(strategy: Strategy) -> str:
    """A strategy as it would be called, with the parameters that are not default: `cascade(dear=gsr(outputs=4))`."""
    changed = strategy.model_dump(exclude_defaults=True, mode="json")
    values = {key: getattr(strategy, key) for key in changed}
    shown = {key: _written(value) if isinstance(value, Strategy) else changed[key] for key, value in values.items()}
    return strategy.name + (f"({', '.join(f'{key}={value}' for key, value in shown.items())})" if shown else "")


def label_strategies(strategies: Sequence[Strategy]) -> dict[str, Strategy]:
    """A label for each: its name, with the parameters that are not default where two share a name.

    Raises `ConfigError` for none at all, or for the same strategy twice.
    """
    if not strategies:
        raise ConfigError(f"no strategy is given; known: {', '.join(plugins().names('strategy'))}")
    names = [one.name for one in strategies]
    labelled: dict[str, Strategy] = {}
    for one in strategies:
        label = _written(one) if names.count(one.name) > 1 else one.name
        if label in labelled:
            raise ConfigError(f"strategy {label!r} is given twice with the same parameters")
        labelled[label] = one
    return labelled
