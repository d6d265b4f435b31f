"""Votes: who has one, for which class of equal answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tts import Candidate, Context, Decision


class Votes(NamedTuple):
    """The candidates that have an answer, the class that each votes for, and an answer of each class.

    Classes are numbered by the first of their members.
    """

    voters: tuple[Candidate, ...]
    labels: tuple[int, ...]
    answers: tuple[str, ...]

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
    return Votes(voters, tuple(label for label in clusters.labels if label is not None), clusters.representatives)


def nobody_votes(ctx: Context, usable: Sequence[Candidate]) -> Decision:
    """The first usable candidate with confidence 0, for where no candidate has an answer."""
    ctx.log("no candidate has an answer; the first usable one is returned")
    return Decision(text=usable[0].text, chosen=usable[0].index, confidence=0.0, trace={"votes": []})
