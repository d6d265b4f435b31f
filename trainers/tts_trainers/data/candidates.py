"""Which of the student's own candidates a refine prompt shows (arXiv 2509.00084, section 3.2)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from tts import Candidate, Problem


class CandidateGroup(NamedTuple):
    """One problem with the candidates that its refine prompt shows, which are correct, and of what kind they are."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]
    kind: str = "own"
    """What was done to them (`tts_trainers.data.kinds`)."""

    @property
    def n_correct(self) -> int:
        """N_c: how many of the candidates shown are correct."""
        return sum(self.correct)


def choose(
    problem: Problem, candidates: Sequence[Candidate], correct: Sequence[bool], *, shown: int, rng: random.Random
) -> CandidateGroup:
    """The correct candidates first, filled with wrong ones, shuffled; all-wrong sets are kept.

    Among more correct (or wrong) ones than are needed, the choice is random.
    """
    order = list(range(len(candidates)))
    rng.shuffle(order)
    chosen = sorted(order, key=lambda i: not correct[i])[:shown]
    rng.shuffle(chosen)
    return CandidateGroup(problem, tuple(candidates[i] for i in chosen), tuple(correct[i] for i in chosen))


def limit_all_correct(groups: Sequence[CandidateGroup], share: float, *, rng: random.Random) -> list[CandidateGroup]:
    """Drop all-correct groups at random until they are at most `share` of what is left; the order stays.

    Correct candidates are chosen first, so without a limit an able student's prompts are nearly all of this kind.
    """
    dropped = over_shares([all(group.correct) for group in groups], {True: share}, rng=rng)
    return [group for i, group in enumerate(groups) if i not in dropped]


def over_shares(strata: Sequence[int], shares: Mapping[int, float], *, rng: random.Random) -> set[int]:
    """Positions to drop at random, so that each stratum is at most its share of what is left, and no more than must be.

    `strata`: of each position, such as its N_c. A stratum without a share is left whole. With shares for several strata
    each is met to within a prompt or so. Where several shares are for all strata there are and sum to less than 1,
    their proportions count; where these are all 0, nothing is left. A single share is always a limit.
    """
    places: dict[int, list[int]] = {}
    for position, stratum in enumerate(strata):
        places.setdefault(stratum, []).append(position)
    most = {stratum: Fraction(str(share)) for stratum, share in shares.items() if stratum in places}  # 0.1 is 1/10
    if len(shares) > 1 and most.keys() == places.keys() and 0 < (together := sum(most.values())) < 1:
        most = {stratum: share / together for stratum, share in most.items()}
    total, limited = Fraction(len(strata)), set[int]()
    while over := {stratum for stratum in most.keys() - limited if len(places[stratum]) > most[stratum] * total}:
        limited |= over
        whole = sum(len(of_one) for stratum, of_one in places.items() if stratum not in limited)
        total = whole / (1 - sum((most[stratum] for stratum in limited), Fraction(0)))
    dropped = set[int]()
    for stratum in sorted(limited):
        dropped |= set(rng.sample(places[stratum], len(places[stratum]) - int(most[stratum] * total)))
    return dropped


def keep_by_correctness(correct: Sequence[bool], *, of_all_correct: int, rng: random.Random) -> list[int]:
    """Which of a teacher's answers to one refine prompt become targets: the correct ones, in order.

    Where every answer is correct the prompt is easy, and a random `of_all_correct` of them are enough.
    """
    right = [i for i, is_right in enumerate(correct) if is_right]
    if len(right) < len(correct) or len(right) <= of_all_correct:
        return right
    return sorted(rng.sample(right, of_all_correct))
