"""Graded candidates: what the helpers of the other strategies (reward model, judge, synthesizer) learn from.

Decisions: answers are extracted and graded anew, with the library's own extractor and grader, so that a recorded
verdict of unknown origin never becomes a label; a problem is on one side of the split with all that was drawn for it.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tts import Candidate, ConfigError, Problem, Sampled, Store, plugins, read_candidate_sets
from tts.prompts import visible
from tts_trainers.helpers.evaluate import grade

log = logging.getLogger("tts.train")

T = TypeVar("T")


class GradedSet(NamedTuple):
    """The usable candidates of one problem, its gold answer, and which candidates are correct."""

    problem: Problem
    answer: str
    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]

    def of(self, verdict: bool) -> list[Candidate]:
        """The candidates that are correct, or those that are not; of equal visible texts the first."""
        chosen = (c for c, correct in zip(self.candidates, self.correct, strict=True) if correct == verdict)
        return list({visible(c): c for c in reversed(list(chosen))}.values())[::-1]


class Pair(NamedTuple):
    """Two responses to one problem of which the first is correct and the second is not."""

    problem: Problem
    chosen: Candidate
    rejected: Candidate


def read_graded(
    source: str | Path | Iterable[Any],
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    extractor: str = "auto",
    grader: str = "math",
) -> list[GradedSet]:
    """The candidate sets of a store (`.db`), a candidate file or an iterable, graded.

    Raises `ConfigError` where there is no candidate, or no problem with a gold answer.
    """
    extract = plugins().resolve("extractor", extractor)
    sets = list(_sets(source, columns, limit, extract))
    name = repr(Store.named(source) or str(source)) if isinstance(source, (str, Path)) else "the source"
    if not any(sampled.candidates.usable for sampled in sets):
        raise ConfigError(f"{name} holds no candidate; draw some with: tts sample PROBLEMS -o candidates.jsonl")
    known = [(s.candidates, s.answer) for s in sets if s.answer is not None and s.candidates.usable]
    if not known:
        raise ConfigError(f"none of the {len(sets)} problems of {name} has a gold answer, so nothing can be graded")
    if len(known) < len(sets):
        log.warning(
            "%d of %d problems have no gold answer or no candidate: left out", len(sets) - len(known), len(sets)
        )
    pairs = [(answer, c.answer) for found, answer in known for c in found.usable]
    verdicts = iter(grade(pairs, grader, [found.problem.text for found, _ in known for _ in found.usable]))
    return [
        GradedSet(found.problem, answer, found.usable, tuple(next(verdicts) for _ in found.usable))
        for found, answer in known
    ]


def _sets(
    source: str | Path | Iterable[Any], columns: Mapping[str, str] | None, limit: int | None, extract: Any
) -> Iterator[Sampled]:
    if not isinstance(source, (str, Path)) or (name := Store.named(source)) is None:
        yield from read_candidate_sets(source, columns=columns, limit=limit, extract=extract)
        return
    if not Store.exists(source):
        raise ConfigError(f"there is no store {name!r}; `tts sample --store {name}` makes one")
    with Store(source, read_only=True) as store:
        for number, found in enumerate(store.sets()):
            if number == limit:
                return
            yield Sampled(store.load(found, extract), found.answer)


def split_by_problem(sets: Sequence[GradedSet], share: float, seed: int) -> tuple[list[GradedSet], list[GradedSet]]:
    """Training sets and held-out sets, `share` of the problems (at least one, where it is not 0); seeded.

    Raises `ConfigError` where a share of a single problem is asked for.
    """
    problems = sorted({one.problem.digest for one in sets})
    if share and len(problems) < 2:
        raise ConfigError("one problem cannot be split into training and held-out problems; give more, or held_out = 0")
    held_out = set(random.Random(seed).sample(problems, max(1, int(share * len(problems))) if share else 0))
    return (
        [one for one in sets if one.problem.digest not in held_out],
        [one for one in sets if one.problem.digest in held_out],
    )


def preference_pairs(sets: Iterable[GradedSet], *, per_problem: int, seed: int, needed: bool = True) -> list[Pair]:
    """Pairs of a correct and a wrong response, at most `per_problem` of each problem.

    Within a problem each response is used as often as any other of its kind, to within one. The choice is seeded and
    does not depend on what other problems there are. Where no problem has both kinds, raises `ConfigError` if `needed`.
    """
    by_problem: dict[str, tuple[Problem, list[Candidate], list[Candidate]]] = {}
    for one in sets:
        _, correct, wrong = by_problem.setdefault(one.problem.digest, (one.problem, [], []))
        correct += one.of(True)
        wrong += one.of(False)
    pairs = []
    for digest, (problem, correct, wrong) in by_problem.items():
        rng = random.Random(f"{seed}/{digest}")
        rng.shuffle(correct)
        rng.shuffle(wrong)
        pairs += [Pair(problem, chosen, rejected) for chosen, rejected in _crossed(correct, wrong, per_problem)]
    if needed and not pairs:
        raise ConfigError(
            f"none of the {len(by_problem)} problems has both a correct and a wrong candidate; "
            "draw more candidates, hotter, or for problems of middling difficulty"
        )
    return pairs


def _crossed(left: Sequence[T], right: Sequence[T], most: int) -> Iterator[tuple[T, T]]:
    """Different pairs, in an order in which each element comes up as often as any other of its side."""
    if not left or not right:
        return
    lap = math.lcm(len(left), len(right))  # after a lap the same pairs would come again: the right side moves on by one
    for i in range(min(most, len(left) * len(right))):
        yield left[i % len(left)], right[(i + i // lap) % len(right)]
