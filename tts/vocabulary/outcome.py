"""What every strategy attached said of one group of candidates."""

from __future__ import annotations

from typing import NamedTuple

from tts.vocabulary.records import Candidate, Problem, Result


class Outcome(NamedTuple):
    """One problem (one group of k candidates) decided by every strategy attached.

    `order` is the place of the problem in its source; `results` and `errors` are by strategy label. `changed` is there
    where order trials were asked for: for each strategy that minds the order and that decided, whether another order of
    the candidates changed its answer, trial by trial. `scores` is what the scorer said of the candidates, by index.
    `left` is how many candidates of the problem are in no group, since k does not divide them; told by its first group.
    `new` is how many of the candidates, the first ones, are in no earlier group, where groups overlap; `None` for all.
    """

    order: int
    problem: Problem
    answer: str | None
    group: int
    candidates: tuple[Candidate, ...]
    results: dict[str, Result]
    errors: dict[str, Exception]
    changed: dict[str, tuple[bool, ...]] | None = None
    scores: dict[int, float] | None = None
    left: int = 0
    new: int | None = None
