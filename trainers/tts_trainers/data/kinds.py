"""The kinds of candidate groups that a refiner must survive: what a refine prompt shows, chosen or changed on purpose.

Shown nothing but its own candidates, a model learns that their givens are the problem's, and need not read the problem
any more. Errors that a task can plant are worked out to their end; others are general changes of a candidate's text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tts import Candidate, Problem
from tts.eval.control_kinds import NOTHING, Plant, miscopied, slipped, visible, without_answer
from tts_trainers.data.candidates import choose

Made = Sequence[Candidate | str]
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_INTEGER = re.compile(r"-?\d{1,12}")


class Pool(NamedTuple):
    """What the group of a refine prompt is made of: one problem's candidates, with what may be put among them.

    `correct` has a verdict for each candidate, `label` is the answer that they were graded by, `k` how many are shown.
    `donor` has responses to another problem, with another answer. `plant` is the task's (`tts.Task.planted`).
    """

    problem: Problem
    label: str
    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]
    donor: tuple[str, ...]
    k: int
    plant: Plant
    rng: random.Random

    def of(self, verdict: bool) -> list[Candidate]:
        """The candidates that are correct, or those that are not."""
        return [one for one, right in zip(self.candidates, self.correct, strict=True) if right == verdict]

    def own(self) -> list[Candidate]:
        """The choice of the paper: correct ones first, filled with wrong ones, shuffled (arXiv 2509.00084)."""
        group = choose(self.problem, self.candidates, self.correct, shown=self.k, rng=self.rng)
        return list(group.candidates)


class Kind(NamedTuple):
    """A kind of group in words, and how it is made; `None` where the pool has not what it takes."""

    says: str
    make: Callable[[Pool], Made | None]


def drawn(weights: Mapping[str, float], rng: random.Random) -> str:
    """A kind at random, by the weights."""
    return rng.choices(list(weights), list(weights.values()))[0]


def _some(pool: Pool, change: Callable[[Candidate, int], str | None]) -> Made | None:
    """The own group with 1 to all of its candidates changed, as many as chance has it."""
    own: list[Candidate | str] = list(pool.own())
    for number, place in enumerate(pool.rng.sample(range(len(own)), pool.rng.randint(1, len(own)))):
        one = own[place]
        assert isinstance(one, Candidate), "each place is drawn once"
        if (text := change(one, number)) is None:
            return None
        own[place] = text
    return own


def _slips(pool: Pool) -> Made | None:
    return _some(pool, lambda one, _: pool.plant(pool.problem, "slip", pool.rng) or slipped(visible(one), pool.rng))


def _miscopies(pool: Pool) -> Made | None:
    return _some(
        pool,
        lambda one, _: (
            pool.plant(pool.problem, "miscopied", pool.rng) or miscopied(pool.problem, visible(one), pool.rng)
        ),
    )


def _missing(pool: Pool) -> Made | None:
    return _some(pool, lambda one, _: _without_a_step(visible(one), pool.rng))


def _repeated(pool: Pool) -> Made | None:
    return _some(pool, lambda one, _: _with_a_step_twice(visible(one), pool.rng))


def _truncated(pool: Pool) -> Made | None:
    return _some(pool, lambda one, _: _cut(visible(one), pool.rng))


def _empty(pool: Pool) -> Made | None:
    return _some(pool, lambda one, _: NOTHING)  # noqa: ARG005 - whatever it was


def _noise(pool: Pool) -> Made | None:
    def shuffled(one: Candidate, _: int) -> str:
        words = visible(one).split()
        return " ".join(pool.rng.sample(words, len(words))) or NOTHING

    return _some(pool, shuffled)


def _boxes(pool: Pool) -> Made | None:
    return [NOTHING if one.answer is None else rf"\boxed{{{one.answer}}}" for one in pool.own()]


def _others(pool: Pool) -> Made | None:
    if not pool.donor:
        return None
    return _some(pool, lambda _, number: pool.donor[number % len(pool.donor)])


def _consensus(pool: Pool) -> Made | None:
    """All end in one wrong answer, which a candidate gave, or which is next to the right one."""
    wrong = [one.answer for one in pool.of(False) if one.answer]
    if not wrong and not _INTEGER.fullmatch(pool.label):
        return None
    answer = pool.rng.choice(wrong) if wrong else str(int(pool.label) + pool.rng.choice((-10, -1, 1, 10)))
    bodies = [without_answer(visible(one), one.answer) or "" for one in pool.own()]
    return [f"{body}\n\\boxed{{{answer}}}".strip() for body in bodies]


def _all_right(pool: Pool) -> Made | None:
    return _as_many(pool, pool.of(True), pool.k)


def _one_right(pool: Pool) -> Made | None:
    right, wrong = pool.of(True), pool.of(False)
    if not right or (not wrong and pool.k > 1):
        return None
    group = [pool.rng.choice(right), *_as_many(pool, wrong, pool.k - 1)]
    return pool.rng.sample(group, len(group))


def _duplicates(pool: Pool) -> Made | None:
    """One candidate several times, whatever it is worth, among others."""
    own = pool.own()
    copies = pool.rng.randint(min(2, len(own)), len(own))
    return [*[pool.rng.choice(own)] * copies, *own[copies:]]


def _as_many(pool: Pool, chosen: Sequence[Candidate], k: int) -> list[Candidate]:
    """K of them, each as often as any other to within one."""
    order = pool.rng.sample(list(chosen), len(chosen))
    return [order[i % len(order)] for i in range(k)] if order else []


def _steps(text: str) -> tuple[list[str], str]:
    """The lines of a response, or its sentences where it has few lines, and what joins them."""
    lines = text.split("\n")
    return (lines, "\n") if len(lines) > 2 else (_SENTENCE.split(text), " ")


def _without_a_step(text: str, rng: random.Random) -> str | None:
    """Without one step, which is not the last: that would be an answer that is missing."""
    steps, joint = _steps(text)
    places = [place for place, step in enumerate(steps[:-1]) if step.strip()]
    if not places:
        return None
    dropped = rng.choice(places)
    return joint.join(step for place, step in enumerate(steps) if place != dropped)


def _with_a_step_twice(text: str, rng: random.Random) -> str | None:
    steps, joint = _steps(text)
    places = [place for place, step in enumerate(steps[:-1]) if step.strip()]
    if not places:
        return None
    twice = rng.choice(places)
    return joint.join([*steps[: twice + 1], *steps[twice:]])


def _cut(text: str, rng: random.Random) -> str | None:
    """The first part of the text, one fifth to four fifths of it."""
    return text[: rng.randint(len(text) // 5, len(text) * 4 // 5)].rstrip() or NOTHING


KINDS: dict[str, Kind] = {
    "own": Kind("the student's own, correct ones first", Pool.own),
    "slip": Kind("a step that comes out wrong, in 1 to all", _slips),
    "miscopied": Kind("a number of the problem miscopied, in 1 to all", _miscopies),
    "missing": Kind("a step left out, in 1 to all", _missing),
    "repeated": Kind("a step written twice, in 1 to all", _repeated),
    "truncated": Kind("cut off on the way, 1 to all", _truncated),
    "empty": Kind("no text, in 1 to all", _empty),
    "noise": Kind("words in random order, in 1 to all", _noise),
    "boxes": Kind("answers without their solutions", _boxes),
    "other": Kind("responses to another problem, 1 to all", _others),
    "consensus": Kind("all end in one wrong answer", _consensus),
    "all_right": Kind("correct ones only", _all_right),
    "one_right": Kind("a single correct one", _one_right),
    "duplicates": Kind("one of them several times", _duplicates),
}
