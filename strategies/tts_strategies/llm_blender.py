"""LLM-Blender: a pairwise ranker chooses the best candidates, another model fuses them (arXiv 2306.02561)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

from pydantic import Field

from tts import Card, Context, Decision, Needs
from tts_strategies._matches import Judging, Match, generators, verdict_rates
from tts_strategies._prompting import decided, succeeded
from tts_strategies.synthesizer import Synthesizing


class LLMBlender(Judging, Synthesizing):
    """Rank the candidates by all pairs under the judge, and let the synthesizer write from the best `top` of them.

    The paper's ranker is PairRM (`judge="pairrm:llm-blender/PairRM-hf"`), which is shown every pair in both orders; any
    other judge will do. A candidate's score is the number of matches that it won, a half for each without a winner (the
    paper's MaxWins); equal scores go by a seeded draw. The fuser's prompt is that of `synthesizer`; unreadable verdicts
    are treated as in `knockout`.

    Costs k (k - 1) verdicts, all in flight together (half as many without `both_orders`), and `outputs` syntheses. The
    trace has the ranking, `rates` the invalid verdicts and the flips.
    """

    name: ClassVar[str] = "llm_blender"
    needs: ClassVar[Needs] = Needs(judge=True, synthesizer=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="up to k (k - 1) by the judge, 1 by the synthesizer",
        use="candidates of several models, a small pairwise ranker, a model that fuses well",
        weakness="PairRM was not trained on mathematics; the fuser may blend a right answer with a wrong one",
    )

    both_orders: bool = True
    """Ask for each vote in both orders, at twice the price, and tell how often the judge flips. By default so, as the
    paper's ranker compares every pair (arXiv 2306.02561).
    """

    top: int = Field(3, ge=1)
    """How many of the best candidates the synthesizer reads; where there are no more than that, the judge is not asked.
    By default three, as in the paper (arXiv 2306.02561).
    """

    async def aggregate(self, ctx: Context) -> Decision:
        """The first fused answer; empty where the model never closed its think block."""
        players = await self.contestants(ctx)
        ctx.rng.shuffle(players)  # whoever is first here goes first among equals
        pairs = list(combinations(players, 2)) if len(players) > self.top else []
        matches = await self.play(ctx, pairs, generators(ctx.rng, len(pairs)))
        won = _wins(matches)
        ranked = sorted(players, key=lambda player: -won[player.index])
        trace: dict[str, Any] = {"ranking": [[player.index, won[player.index] / 2] for player in ranked]}
        written = await self.write(ctx, ranked[: self.top], self.outputs, trace, final=True)
        return decided(succeeded(written, "fusion", ctx), trace).model_copy(update={"rates": verdict_rates(matches)})


def _wins(matches: Sequence[Match]) -> Counter[int]:
    """Twice the score of each candidate by index, so that halves are whole."""
    won: Counter[int] = Counter()
    for match in matches:
        won[match.a.index] += 1 + (match.lead > 0) - (match.lead < 0)
        won[match.b.index] += 1 + (match.lead < 0) - (match.lead > 0)
    return won
