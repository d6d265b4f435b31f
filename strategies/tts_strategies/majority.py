"""Self-consistency: the most frequent answer wins (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from tts import Candidate, Context, Decision, MissingCapabilityError, Needs, Strategy


class Majority(Strategy):
    """Vote over equivalence classes of answers, not over strings.

    `ties`: the class whose first member came first ("earliest"), or one drawn by the run's seed ("seeded"). `weights`:
    one vote each ("equal"), or the geometric mean token probability of the response ("logprob"; the policy, or the
    file of candidates, must have log-probabilities). Candidates without an answer do not vote; where nobody votes, the
    first usable candidate is returned with confidence 0. Confidence is the winner's share of the votes.
    """

    name: ClassVar[str] = "majority"
    order_invariant: ClassVar[bool] = False

    ties: Literal["earliest", "seeded"] = "earliest"
    weights: Literal["equal", "logprob"] = "equal"

    def required(self) -> Needs:
        """Log-probabilities for weights that are made of them."""
        return Needs(logprobs=self.weights == "logprob")

    async def aggregate(self, ctx: Context) -> Decision:
        """The first member of the heaviest class."""
        usable = (await ctx.candidates()).usable
        voters = [candidate for candidate in usable if candidate.answer is not None]
        if not voters:
            ctx.log("no candidate has an answer; the first usable one is returned")
            return Decision(text=usable[0].text, chosen=usable[0].index, confidence=0.0, trace={"votes": []})
        clusters = await ctx.cluster([candidate.answer for candidate in voters])
        if clusters.conflicts:
            ctx.log(
                "answers that are neither clearly equal nor clearly different",
                conflicts=[str(c) for c in clusters.conflicts],
            )
        weight = [0.0] * len(clusters.representatives)
        for candidate, label in zip(voters, clusters.labels, strict=True):
            if label is not None:
                weight[label] += self._weight(candidate)
        best = max(weight)
        tied = [label for label, value in enumerate(weight) if math.isclose(value, best, rel_tol=1e-9)]
        winner = tied[0] if self.ties == "earliest" else ctx.rng.choice(tied)
        chosen = next(c for c, label in zip(voters, clusters.labels, strict=True) if label == winner)
        votes = [[text, round(value, 6)] for text, value in zip(clusters.representatives, weight, strict=True)]
        return Decision(
            text=chosen.text,
            chosen=chosen.index,
            confidence=min(1.0, weight[winner] / sum(weight)),
            trace={"votes": votes, "tied": len(tied) > 1},
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
