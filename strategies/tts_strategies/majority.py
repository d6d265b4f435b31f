"""Self-consistency: the most frequent answer wins (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from tts import Candidate, Card, Context, Decision, MissingCapabilityError, Needs, Strategy
from tts_strategies._votes import count_votes, nobody_votes


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

    def required(self) -> Needs:
        """Log-probabilities for weights that are made of them."""
        return Needs(logprobs=self.weights == "logprob")

    def curve(self) -> Literal["maj@k"] | None:
        """That of a vote, where each candidate has one."""
        return "maj@k" if self.weights == "equal" else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The member of the heaviest class that equals most others in it."""
        usable = (await ctx.candidates()).usable
        votes = await count_votes(ctx, usable)
        if not votes.voters:
            return nobody_votes(ctx, usable)
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
        )

    def _weight(self, candidate: Candidate) -> float:
        if self.weights == "equal":
            return 1.0
        if candidate.logprob is None:
            raise MissingCapabilityError(
                f"majority(weights='logprob'): candidate {candidate.index} has no log-probability; "
                "sample anew, or use weights='equal'"
            )
        return math.exp(candidate.logprob / max(candidate.usage.generated_tokens, 1))
