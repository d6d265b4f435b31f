"""Self-consistency: the most frequent answer wins (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from tts import Candidate, Card, Context, Decision, MissingCapabilityError, Needs, Strategy
from tts_strategies._votes import count_votes, nobody_votes, settled


class Majority(Strategy):
    """Vote over equivalence classes of answers, not over strings.

    Candidates without an answer do not vote; where nobody votes, the first usable candidate is returned with
    confidence 0. Confidence is the winner's share of the votes.
    """

    name: ClassVar[str] = "majority"
    order_invariant: ClassVar[bool] = False
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="none",
        use="answers that can be compared, and nothing else at hand",
        weakness="right only where the most frequent answer is; free-form answers have no classes",
        metric="maj@k",
    )

    ties: Literal["earliest", "seeded"] = "earliest"
    """Of equally heavy classes the one whose first member came first ("earliest"), or one drawn by the run's seed
    ("seeded"). By default the earliest (our choice: it needs no seed).
    """

    weights: Literal["equal", "logprob"] = "equal"
    """A vote counts one ("equal", the vote of arXiv 2203.11171), or the geometric mean token probability of its
    response ("logprob", that paper's normalised weighted sum; the policy, or the file of candidates, must have
    log-probabilities).
    """

    decided_early: bool = False
    """Stop once no candidate that is missing can change which class wins; the rest is cancelled. By default all are
    waited for (our choice: which response speaks for the class may hang on what came first).
    """

    @model_validator(mode="after")
    def _early_counts_votes(self) -> Self:
        if self.decided_early and self.weights != "equal":
            raise ValueError("decided_early=true counts equal votes; what a missing one would weigh is not known")
        return self

    def required(self) -> Needs:
        """Log-probabilities for weights that are made of them."""
        return Needs(logprobs=self.weights == "logprob")

    def curve(self) -> Literal["maj@k"] | None:
        """That of a vote, where each candidate has one."""
        return "maj@k" if self.weights == "equal" else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The member of the heaviest class that equals most others in it."""
        seen = await self._seen(ctx)
        usable = [candidate for candidate in seen if candidate.ok]
        votes = await count_votes(ctx, usable)
        if not votes.voters:
            return nobody_votes(ctx, usable).model_copy(update={"rates": self._rates(ctx, seen)})
        weight = [math.fsum(self._weight(votes.voters[i]) for i in group) for group in votes.members()]
        best = max(weight)
        tied = [label for label, value in enumerate(weight) if math.isclose(value, best, rel_tol=1e-9)]
        winner = tied[0] if self.ties == "earliest" else ctx.rng.choice(tied)
        chosen = votes.speaker(winner)
        return Decision(
            text=chosen.text,
            chosen=chosen.index,
            confidence=min(1.0, weight[winner] / (sum(weight) or 1.0)),
            trace={
                "votes": [[text, round(value, 6)] for text, value in zip(votes.answers, weight, strict=True)],
                "tied": len(tied) > 1,
                **votes.doubts,
            },
            rates=self._rates(ctx, seen),
        )

    async def _seen(self, ctx: Context) -> Sequence[Candidate]:
        """All candidates, or as many as settle the vote."""
        if not self.decided_early:
            return (await ctx.candidates()).candidates
        seen: list[Candidate] = []
        async with ctx.sample() as arriving:
            async for candidate in arriving:
                seen.append(candidate)
                if len(seen) < ctx.k and await self._settled(ctx, seen):
                    break
        if not any(candidate.ok for candidate in seen):
            return (await ctx.candidates()).candidates  # which says why there is none
        return sorted(seen, key=lambda candidate: candidate.index)

    async def _settled(self, ctx: Context, seen: Sequence[Candidate]) -> bool:
        """Whether one class wins whatever the missing candidates say."""
        missing = sorted(set(range(ctx.k)) - {candidate.index for candidate in seen})
        voters = sorted([c for c in seen if c.ok and c.answer is not None], key=lambda candidate: candidate.index)
        if len(voters) < len(missing):
            return False
        votes = await count_votes(ctx, voters)
        standing = [(len(group), voters[group[0]].index) for group in votes.members()]
        return settled(standing, missing, earliest=self.ties == "earliest")

    def _rates(self, ctx: Context, seen: Sequence[Candidate]) -> dict[str, tuple[int, int]]:
        return {"candidates saved": (ctx.k - len(seen), ctx.k)} if self.decided_early else {}

    def _weight(self, candidate: Candidate) -> float:
        if self.weights == "equal":
            return 1.0
        if candidate.logprob is None:
            raise MissingCapabilityError(
                f"majority(weights='logprob'): candidate {candidate.index} has no log-probability; "
                "sample anew, or use weights='equal'"
            )
        return math.exp(candidate.logprob / max(candidate.usage.generated_tokens, 1))
