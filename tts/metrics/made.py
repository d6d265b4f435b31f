"""How a comparison came about, so that a reader can tell it again: source, sampling, day, command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from tts.vocabulary.records import Sampling

_ALWAYS = ("temperature", "top_p")  # said even where they are the defaults


class Made(NamedTuple):
    """What is known of it, in words; empty where it is not."""

    source: str = ""
    sampling: str = ""
    date: str = ""
    command: str = ""

    @property
    def facts(self) -> list[str]:
        """What stands at the top of a report; the command stands by itself."""
        return [one for one in (self.source, self.sampling, self.date) if one]


def made_today(source: str, sampling: Sampling | None) -> Made:
    """What was made now, by the clock of this machine; without a sampling where nothing was sampled."""
    return Made(
        source, "" if sampling is None else told_sampling(sampling), dt.datetime.now().astimezone().date().isoformat()
    )


def told_sampling(sampling: Sampling) -> str:
    """`temperature 0.6, top_p 0.95, seed 3`: what is always said, and whatever is no default."""
    told: Sequence[str] = [
        f"{name} {getattr(sampling, name)}"
        for name, field in Sampling.model_fields.items()
        if name in _ALWAYS or getattr(sampling, name) != field.default
    ]
    return ", ".join(told)
