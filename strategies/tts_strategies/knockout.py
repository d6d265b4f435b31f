"""A knockout tournament under a generative reward model (Reward Reasoning Models, arXiv 2505.14674)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from tts import Candidate, Context, Decision, Needs, Strategy

Winner = Literal["a", "b"] | None
_SWAPPED: dict[Winner, Winner] = {"a": "b", "b": "a", None: None}


class _Match(NamedTuple):
    """A match that was played: who stays, the trace of it, and what it adds to the counts."""

    winner: Candidate
    trace: dict[str, Any]
    counts: Counter[str]


class Knockout(Strategy):
    """Pair the candidates at random, let the judge send one of each pair home, and go on until one is left.

    With k candidates that is k - 1 matches in about log2 k rounds; where a round has an odd number, one of them, drawn
    at random, waits for the next. The draw is seeded and goes by what the candidates say, so their order does not
    matter. `votes` verdicts are asked for per match, each in an order of its own, by seeded coin; `both_orders` asks
    for each vote in both orders, at twice the price, and tells how often the judge flips. A verdict that cannot be read
    is asked for again, once, in the other order; if that does not help it does not count, and a match without a
    majority goes to the seeded coin. A match between equal answers is decided by its draw and not paid for, unless
    `judge_equal`. A candidate that never closed its think block has nothing to show and is left out, unless that is so
    for all.

    The trace has the bracket and the counts: verdicts, how many of them were invalid, pairs asked in both orders, how
    many of them flipped, coins.
    """

    name: ClassVar[str] = "knockout"
    needs: ClassVar[Needs] = Needs(judge=True)

    votes: int = Field(1, ge=1)
    both_orders: bool = False
    judge_equal: bool = False

    async def aggregate(self, ctx: Context) -> Decision:
        """The last one standing."""
        usable = (await ctx.candidates()).usable
        standing = [candidate for candidate in usable if (candidate.summary or "").strip()] or list(usable)
        for candidate in usable:
            if candidate not in standing:
                ctx.log(f"candidate {candidate.index}: left out: no summary")
        standing.sort(key=lambda candidate: (candidate.text, candidate.index))
        clusters = await ctx.cluster([candidate.answer for candidate in standing])
        classes = {c.index: label for c, label in zip(standing, clusters.labels, strict=True)}
        rounds: list[dict[str, Any]] = []
        counts = Counter(dict.fromkeys(("verdicts", "invalid", "pairs", "flips", "coins"), 0))
        while len(standing) > 1:
            ctx.rng.shuffle(standing)
            pairs = list(zip(standing[::2], standing[1::2], strict=False))
            # Each match has a generator of its own, so that no draw depends on whose verdict comes first.
            draws = [random.Random(ctx.rng.getrandbits(64)) for _ in pairs]
            matches = await asyncio.gather(
                *(self._match(ctx, a, b, classes, draw) for (a, b), draw in zip(pairs, draws, strict=True))
            )
            bye = standing[2 * len(pairs) :]
            rounds.append({"matches": [match.trace for match in matches], "bye": bye[0].index if bye else None})
            counts.update(sum((match.counts for match in matches), Counter()))
            standing = [match.winner for match in matches] + bye
        trace = {"rounds": rounds, **counts}
        return Decision(text=standing[0].text, chosen=standing[0].index, trace=trace)

    async def _match(
        self, ctx: Context, a: Candidate, b: Candidate, classes: dict[int, int | None], draw: random.Random
    ) -> _Match:
        trace: dict[str, Any] = {"a": a.index, "b": b.index, "winner": a.index}
        same = a.text == b.text or (classes[a.index] is not None and classes[a.index] == classes[b.index])
        if same and not self.judge_equal:
            return _Match(a, {**trace, "by": "equal answers"}, Counter())
        votes, counts = await self._votes(ctx, a, b, draw)
        lead = votes.count("a") - votes.count("b")
        counts["coins"] = int(lead == 0)
        coin = draw.random() < 0.5
        winner = a if lead > 0 or (lead == 0 and coin) else b
        by = "verdict" if lead else "coin"
        return _Match(winner, {**trace, "winner": winner.index, "by": by, "votes": votes}, counts)

    async def _votes(
        self, ctx: Context, a: Candidate, b: Candidate, draw: random.Random
    ) -> tuple[list[Winner], Counter[str]]:
        """All verdicts on a pair, second tries in place of those that could not be read."""
        forward = sum(draw.random() < 0.5 for _ in range(self.votes))
        wanted = (self.votes, self.votes) if self.both_orders else (forward, self.votes - forward)
        first = await _both(ctx, a, b, wanted)
        unread = [side.count(None) for side in first]
        # Verdicts are numbered per order: the second tries of one order go on where the other order's first ones ended.
        more = await _both(ctx, a, b, (wanted[0] + unread[1], wanted[1] + unread[0])) if any(unread) else first
        second = [side[n:] for side, n in zip(more, wanted, strict=True)]
        pairs = [(x, y) for x, y in zip(*first, strict=False) if x and y] if self.both_orders else []
        counts = Counter(
            verdicts=sum(map(len, more)),
            invalid=sum(side.count(None) for side in more),
            pairs=len(pairs),
            flips=sum(x != y for x, y in pairs),
        )
        return [winner for side in (*first, *second) for winner in side if winner], counts


async def _both(ctx: Context, a: Candidate, b: Candidate, wanted: Sequence[int]) -> tuple[list[Winner], list[Winner]]:
    """So many verdicts in the order (a, b) and so many in the order (b, a), all said of (a, b)."""

    async def ask(one: Candidate, other: Candidate, n: int) -> list[Winner]:
        return [verdict.winner for verdict in await ctx.judge(one, other, n)] if n else []

    forward, backward = await asyncio.gather(ask(a, b, wanted[0]), ask(b, a, wanted[1]))
    return forward, [_SWAPPED[winner] for winner in backward]
