"""What the built-in model is asked where the user names none: sums of products, the one thing it knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Example

One = TypeVar("One", bound=Example)
_PRODUCT = r"\d+\s*(?:\*|×|·|\\cdot|\\times)\s*\d+"
_SUM = rf"{_PRODUCT}(?:\s*\+\s*{_PRODUCT})*"
_ASKED = re.compile(
    rf"(?:(?:compute|calculate|evaluate|what is|find the value of)\s+)?\$?\s*{_SUM}\s*\$?\s*=?\s*[.?]?"
    rf"|add up these products:\s*{_PRODUCT}(?:,\s*{_PRODUCT})*\s*\.?",
    re.IGNORECASE,
)
_SHOWN = 80  # characters of a problem in a message


def is_sum(text: str) -> bool:
    """A problem of the form that the built-in model was trained on, in one of its wordings."""
    return _ASKED.fullmatch(text.strip()) is not None


def check_sum(text: str) -> None:
    """Raise `ConfigError` for a problem that the built-in model does not know."""
    if not is_sum(text):
        line = " ".join(text.split())
        short = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
        raise ConfigError(needs_model(f"{short!r} is no sum of products such as 'Compute 12*7+31*4.'"))


def only_sums(examples: Iterable[One]) -> Iterator[One]:
    """The examples; raises `ConfigError` at the first that the built-in model does not know."""
    for example in examples:
        check_sum(example.problem.text)
        yield example


def needs_model(why: str) -> str:
    """The sentence for a call that names no model and is about something else."""
    return f"the built-in model only knows sums; name one with --model (model= in Python): {why}"
