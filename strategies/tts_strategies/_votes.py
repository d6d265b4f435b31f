"""Votes: who has one, for which class of equal answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tts import Candidate, Context, Decision


class Votes(NamedTuple):
    """The candidates that have an answer, the class that each votes for, and the answer that speaks for each class.

    Classes are numbered by the first of their members. `undecided` counts the pairs of answers whose comparison came
    to a limit: neither equal nor different.
    """

    voters: tuple[Candidate, ...]
    labels: tuple[int, ...]
    answers: tuple[str, ...]
    undecided: int = 0

    @property
    def doubts(self) -> dict[str, int]:
        """What a trace says of comparisons that came to a limit; nothing where none did."""
        return {"undecided": self.undecided} if self.undecided else {}

    def speaker(self, label: int) -> Candidate:
        """The first voter of a class with the answer that speaks for it: the one that equals most others in it."""
        own = [voter for voter, of in zip(self.voters, self.labels, strict=True) if of == label]
        return next((voter for voter in own if voter.answer == self.answers[label]), own[0])

    def members(self) -> list[list[int]]:
        """For each class, the places of its voters."""
        return [[i for i, label in enumerate(self.labels) if label == own] for own in range(len(self.answers))]


async def count_votes(ctx: Context, candidates: Sequence[Candidate]) -> Votes:
    """The votes of the candidates, in their order; answers that fit no class well are logged."""
    voters = tuple(candidate for candidate in candidates if candidate.answer is not None)
    clusters = await ctx.cluster([candidate.answer for candidate in voters])
    if clusters.conflicts:
        told = [str(conflict) for conflict in clusters.conflicts]
        ctx.log("answers that are neither clearly equal nor clearly different", conflicts=told)
    undecided = sum(conflict.kind == "undecided" for conflict in clusters.conflicts)
    labels = tuple(label for label in clusters.labels if label is not None)
    return Votes(voters, labels, clusters.representatives, undecided)


def nobody_votes(ctx: Context, usable: Sequence[Candidate]) -> Decision:
    """The first usable candidate with confidence 0, for where no candidate has an answer."""
    ctx.log("no candidate has an answer; the first usable one is returned")
    return Decision(text=usable[0].text, chosen=usable[0].index, confidence=0.0, trace={"votes": []})


def settled(standing: Sequence[tuple[int, int]], missing: Sequence[int], *, earliest: bool) -> bool:
    """Whether the leading class wins, whatever the missing candidates vote for.

    `standing` has the votes and the first member of each class, `missing` the indices of those that have not come.
    `earliest` says that a tie goes to the class whose first member came first in the order of the indices.
    """
    if not standing:
        return False
    leader = max(standing, key=lambda one: (one[0], -one[1]))
    others = [one for one in standing if one is not leader]
    left, soonest = len(missing), min(missing, default=math.inf)
    for votes, first in [*others, (0, math.inf)]:  # a class of its own among them
        if votes + left > leader[0]:
            return False
        if votes + left == leader[0] and not (earliest and leader[1] < min(first, soonest if left else math.inf)):
            return False
    return True
