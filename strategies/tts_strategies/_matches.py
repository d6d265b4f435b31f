"""What strategies share that let a judge compare candidates in pairs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from tts import Candidate, Context, Needs, Strategy
from tts_strategies._prompting import usable, with_summary

Winner = Literal["a", "b", "tie"] | None
_SWAPPED: dict[Winner, Winner] = {"a": "b", "b": "a", "tie": "tie", None: None}


class Match(NamedTuple):
    """A pair and the verdicts on it that could be read; `votes` is `None` where equal answers were not judged.

    `first` says for each of the votes which of the two its prompt showed first. `counts` has how many verdicts there
    were, how many of them invalid, and how many pairs of one verdict in each order there were, how many of them with
    different winners.
    """

    a: Candidate
    b: Candidate
    votes: list[Winner] | None
    counts: Counter[str]
    first: str = ""

    @property
    def lead(self) -> int:
        """Votes for a, less votes for b."""
        return self.votes.count("a") - self.votes.count("b") if self.votes else 0


class Judging(Strategy):
    """Base of strategies that ask a judge about pairs.

    A verdict that cannot be read is asked for again, once, in the other order; if that does not help it does not count.
    A tie counts for neither.
    """

    needs: ClassVar[Needs] = Needs(judge=True)

    votes: int = Field(1, ge=1)
    """Verdicts asked for per match, each in an order of its own, by seeded coin; an even number can end in a tie. By
    default a match is one verdict, as in the paper of `knockout` (arXiv 2505.14674), where more are optional.
    """

    both_orders: bool = False
    """Ask for each vote in both orders, at twice the price, and tell how often the judge flips. By default the order is
    drawn at random, as that paper shuffles it.
    """

    judge_equal: bool = False
    """Ask the judge about candidates of equal answers, too. By default such a match is not paid for: whichever wins,
    the answer is the same (our choice).
    """

    async def contestants(self, ctx: Context) -> list[Candidate]:
        """Who has something to show, in an order that goes by what the candidates say.

        A candidate that never closed its think block is left out, unless that is so for all.
        """
        found = with_summary(ctx, await usable(ctx))
        return sorted(found, key=lambda candidate: (candidate.text, candidate.index))

    async def play(
        self, ctx: Context, pairs: Sequence[tuple[Candidate, Candidate]], draws: Sequence[random.Random]
    ) -> list[Match]:
        """All matches at once; each has a generator of its own, for no draw may depend on whose verdict comes first."""
        clusters = await ctx.cluster([candidate.answer for pair in pairs for candidate in pair])
        labels = zip(clusters.labels[::2], clusters.labels[1::2], strict=True)
        equal = [
            a.text == b.text or (of_a is not None and of_a == of_b)
            for (a, b), (of_a, of_b) in zip(pairs, labels, strict=True)
        ]
        return await asyncio.gather(
            *(
                self._match(ctx, a, b, draw, judged=self.judge_equal or not same)
                for (a, b), draw, same in zip(pairs, draws, equal, strict=True)
            )
        )

    async def _match(self, ctx: Context, a: Candidate, b: Candidate, draw: random.Random, *, judged: bool) -> Match:
        if not judged:
            return Match(a, b, None, Counter())
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
        told = [
            (winner, shown) for side, shown in zip((*first, *second), "abab", strict=True) for winner in side if winner
        ]
        return Match(a, b, [winner for winner, _ in told], counts, "".join(shown for _, shown in told))


def generators(rng: random.Random, count: int) -> list[random.Random]:
    """Seeded generators for matches that run at once."""
    return [random.Random(rng.getrandbits(64)) for _ in range(count)]


def verdict_rates(matches: Iterable[Match]) -> dict[str, tuple[int, int]]:
    """How many verdicts were invalid, and how many pairs asked in both orders flipped."""
    counts = sum((match.counts for match in matches), Counter[str]())
    return {
        "invalid verdicts": (counts["invalid"], counts["verdicts"]),
        "flips": (counts["flips"], counts["pairs"]),
    }


async def _both(ctx: Context, a: Candidate, b: Candidate, wanted: Sequence[int]) -> tuple[list[Winner], list[Winner]]:
    """So many verdicts in the order (a, b) and so many in the order (b, a), all said of (a, b)."""

    async def ask(one: Candidate, other: Candidate, n: int) -> list[Winner]:
        return [verdict.winner for verdict in await ctx.judge(one, other, n)] if n else []

    forward, backward = await asyncio.gather(ask(a, b, wanted[0]), ask(b, a, wanted[1]))
    return forward, [_SWAPPED[winner] for winner in backward]
