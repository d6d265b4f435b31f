"""What bounds the time of an answer."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from tts.vocabulary.record import Record


class TimeLimits(Record):
    """How long an answer may take, what it may do without.

    At the deadline a strategy gets the candidates that are there; where it must still write, time is kept for that. If
    even that does not fit, the answer is the best of what is there by vote.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    deadline: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds from arrival to answer. By default there is none."""

    quorum: int | None = Field(default=None, ge=1)
    """The fewest usable candidates that a strategy goes on with. By default one, at the deadline."""

    grace: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Seconds in which the rest is waited for once the quorum is there. By default it is, until the deadline."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.grace is not None and self.quorum is None:
            raise ValueError(f"grace={self.grace:g} begins once a quorum is there; give quorum=, too")
        if self.quorum is not None and self.grace is None and self.deadline is None:
            raise ValueError(f"quorum={self.quorum} ends no waiting by itself; give grace= or deadline=, too")
        return self

    @property
    def some(self) -> TimeLimits | None:
        """These limits, or `None` where there are none."""
        return None if self.deadline is None and self.quorum is None else self
