"""What the engine works on: a problem to sample, or a group of k stored candidates."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tts.vocabulary.errors import ConfigError, TTSError
from tts.vocabulary.record import digest
from tts.vocabulary.records import Candidate, CandidateSet, Problem, Sampled, Sampling


class Work(NamedTuple):
    """One problem with its gold answer; `fixed` candidates are there already.

    `policy` and `sampling` tell what made the fixed ones, `left` how many candidates beside them are in no group, and
    `new` how many of them, the first ones, are in no earlier group; `None` for all. A work with an `error` fails
    without being worked on.
    """

    problem: Problem
    answer: str | None
    group: int = 0
    fixed: tuple[Candidate, ...] = ()
    policy: str = ""
    sampling: Sampling | None = None
    error: TTSError | None = None
    left: int = 0
    new: int | None = None


def groups(
    samples: Iterable[Sampled], k: int, can_complete: Callable[[CandidateSet], bool], balanced: int | None = None
) -> Iterator[Work]:
    """Non-overlapping groups of k (arXiv 2509.00084, section 4); what is left over is not used.

    With `balanced`, a seed, every candidate is in equally many groups; see `circle`.

    A set of fewer than k, or one with holes where candidates failed, is completed where `can_complete` says so. Else
    the candidates there are close ranks, and a set of fewer than k is an error: raised for the first set, which says
    that the call is wrong, recorded for a later one.
    """
    for number, (found, answer) in enumerate(samples):
        whole = {candidate.index for candidate in found} == set(range(len(found)))
        if (len(found) < k or not whole) and can_complete(found):
            fixed = tuple(candidate for candidate in found if candidate.index < k)
            yield Work(found.problem, answer, 0, fixed, found.policy, found.sampling)
        elif len(found) < k:
            error = ConfigError(
                f"k={k}, but problem {found.problem.id!r} has {len(found)} stored candidates and model= does not name "
                f"the model that made them ({found.policy or 'unknown'}); use k={len(found)} or less, or sample more"
            )
            if number == 0:
                raise error
            yield Work(found.problem, answer, error=error)
        else:
            yield from _whole_groups(found, answer, k, balanced)


def circle(order: Sequence[int], k: int) -> list[list[int]]:
    """Groups of k neighbours on a circle, one after the other, until all places are in equally many.

    Those are n / gcd(n, k) groups of n places, without one twice in a group; where k divides n none overlap. In a
    random order each group is a random choice of k, so a mean over the groups is unbiased for that over all of them.
    """
    n = len(order)
    return [[order[(group * k + i) % n] for i in range(k)] for group in range(n // math.gcd(n, k))]


def how_many_groups(n: int, k: int, balanced: int | None) -> int:
    """How many groups of k are made of n candidates."""
    return n // k if balanced is None else n // math.gcd(n, k)


def how_many_new(n: int, k: int, group: int) -> int | None:
    """How many candidates of a group are in no earlier one; `None` for all."""
    return None if (group + 1) * k <= n else max(n - group * k, 0)


def _whole_groups(found: CandidateSet, answer: str | None, k: int, balanced: int | None) -> Iterator[Work]:
    n, places = len(found), list(range(len(found)))
    if balanced is not None:
        random.Random(digest("balanced", balanced, found.problem.digest)).shuffle(places)
    parts = circle(places, k) if balanced is not None else [places[i : i + k] for i in range(0, n - k + 1, k)]
    for group, part in enumerate(parts):
        members = [found.candidates[place] for place in part]
        # Indices count from 0 within a group, so that a strategy never sees where its group lies in the set.
        fixed = tuple(c if c.index == i else c.model_copy(update={"index": i}) for i, c in enumerate(members))
        problem = with_recorded_of(found.problem, members)
        left = n % k if group == 0 and balanced is None else 0
        yield Work(
            problem, answer, group, fixed, found.policy, found.sampling, left=left, new=how_many_new(n, k, group)
        )


def with_recorded_of(problem: Problem, members: Sequence[Candidate]) -> Problem:
    """The problem with what was recorded about these candidates only, in their order."""
    recorded = problem.metadata.get("recorded")
    if not isinstance(recorded, Mapping):
        return problem
    places = [candidate.index for candidate in members]
    own = {
        name: [values[i] if i < len(values) else None for i in places] if isinstance(values, list) else values
        for name, values in recorded.items()
    }
    return problem.model_copy(update={"metadata": {**problem.metadata, "recorded": own}})
