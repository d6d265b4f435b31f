"""A knockout tournament under a generative reward model (Reward Reasoning Models, arXiv 2505.14674)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from tts import Card, Context, Decision
from tts_strategies._matches import Judging, Match, generators, verdict_rates


class Knockout(Judging):
    """Pair the candidates at random, let the judge send one of each pair home, and go on until one is left.

    With k candidates that is k - 1 matches in about log2 k rounds; where a round has an odd number, one of them, drawn
    at random, waits for the next. The draw is seeded and goes by what the candidates say, so their order does not
    matter. A verdict that cannot be read is asked for again, once, in the other order; if that does not help it does
    not count, and a match without a majority goes to the seeded coin. A match between equal answers is decided by its
    draw. A candidate that never closed its think block has nothing to show and is left out, unless that is so for all.

    Costs `votes` verdicts a match (twice as many with `both_orders`), and one more for each that cannot be read. The
    trace has the bracket, `rates` the invalid verdicts, the flips, and the matches that a coin decided.
    """

    name: ClassVar[str] = "knockout"
    card: ClassVar[Card | None] = Card(
        calls="up to k - 1 by the judge, in log2 k rounds",
        use="a judge that reasons better than a reward model scores",
        weakness="one wrong verdict sends the best home; judges prefer a position",
    )

    def curve(self) -> Literal["knockout@k"] | None:
        """That of resampled brackets, where a match is one verdict."""
        return "knockout@k" if self.votes == 1 and not (self.both_orders or self.judge_equal) else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The last one standing."""
        standing = await self.contestants(ctx)
        rounds: list[dict[str, Any]] = []
        played: list[Match] = []
        coins = 0
        while len(standing) > 1:
            ctx.rng.shuffle(standing)
            pairs = list(zip(standing[::2], standing[1::2], strict=False))
            bye = standing[2 * len(pairs) :]
            draws = generators(ctx.rng, len(pairs))
            matches = await self.play(ctx, pairs, draws)
            shown = [_result(match, coin=draw.random() < 0.5) for match, draw in zip(matches, draws, strict=True)]
            standing = [m.a if one["winner"] == m.a.index else m.b for m, one in zip(matches, shown, strict=True)] + bye
            rounds.append({"matches": shown, "bye": bye[0].index if bye else None})
            played += matches
            coins += sum(one["by"] == "coin" for one in shown)
        judged = sum(match.votes is not None for match in played)
        rates = verdict_rates(played) | {"decided by coin": (coins, judged)}
        return Decision(text=standing[0].text, chosen=standing[0].index, trace={"rounds": rounds}, rates=rates)


def _result(match: Match, *, coin: bool) -> dict[str, Any]:
    """Who goes on, and why, as the trace tells it."""
    shown: dict[str, Any] = {"a": match.a.index, "b": match.b.index}
    if match.votes is None:
        return shown | {"winner": match.a.index, "by": "equal answers"}
    winner = match.a if match.lead > 0 or (match.lead == 0 and coin) else match.b
    by = "verdict" if match.lead else "coin"
    return shown | {"winner": winner.index, "by": by, "votes": match.votes, "first": match.first}
