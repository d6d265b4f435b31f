"""GenSelect: the policy selects the best of several solutions shown at once (arXiv 2507.17797)."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any, ClassVar

from pydantic import Field

from tts import Candidate, Card, Context, Decision
from tts.prompts import neutralised
from tts_strategies._listwise import Counts, Pick, Selecting, vote
from tts_strategies._prompting import drawn, nearly_equal, with_summary

_JUDGMENT = re.compile(r"(judgment)[\s*_]*:[\s*_\[(]*([0-9]+)", re.IGNORECASE)
# What a solution must not be able to write: a verdict, or the heading of a further solution.
_MARKERS = re.compile(r"(judgment|solution)([\s*_#\[(]*:[\s*_#\[(]*|[\s*_#\[(]+)(?=\d)", re.IGNORECASE)


class GenSelect(Selecting):
    """Show solutions' summaries, numbered from 0, let the policy compare them at length, and take the one it selects.

    The verdict is the last `Judgment: N` of the visible text (of AIMO-2's models, arXiv 2504.16891, too). One that
    cannot be read is asked for again, once; then the solutions shown vote (the largest class of equal answers, by
    seeded draw where several are, or where nobody has an answer), and the trace counts it. More than `group_size`
    candidates meet in rounds, as in the paper's knockout. A candidate that never closed its think block is left out,
    unless that is so for all.
    """

    name: ClassVar[str] = "genselect"
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy for each group of 8 and each round; 2 where a verdict cannot be read",
        use="reasoning models, which compare better than a reward model scores",
        weakness="cannot be better than the best candidate; a model that does not reason selects by the look",
    )

    template: str = "genselect"
    """The prompt: "genselect" (ours), or the path of a Jinja file with the fields `problem` and `candidates`."""

    group_size: int = Field(8, ge=2)
    """The most candidates that one prompt shows; more are selected from in groups of nearly equal size, and the winners
    meet again. By default the paper's eight (arXiv 2507.17797).
    """

    runs: int = Field(1, ge=1)
    """How often the whole selection is repeated, each time in another order; the winners vote. By default once (our
    choice: every further run costs as much).
    """

    def neutralise(self, text: str) -> str:
        """`Judgment: 3` and `Solution 3` become `Judgment no. 3` and `Solution no. 3`."""
        return _MARKERS.sub(r"\1 no. ", neutralised(text))

    def read(self, said: str) -> int | None:
        """Of the last `Judgment: N`."""
        found = _JUDGMENT.findall(said)
        return int(found[-1][1]) if found else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The candidate that is left; of several runs, the one that their winners vote for."""
        standing = with_summary(ctx, await drawn(ctx))
        # Each run has a generator of its own, so that no order depends on which run is the faster.
        orders = [random.Random(ctx.rng.getrandbits(64)) for _ in range(self.runs)]
        runs = await asyncio.gather(*(self._run(ctx, standing, order) for order in orders))
        chosen = await vote(ctx, [rounds[-1][0].chosen for rounds in runs])
        counts = Counts.of([one for rounds in runs for picks in rounds for one in picks])
        trace: dict[str, Any] = {
            "runs": [[[one.trace for one in picks] for picks in rounds] for rounds in runs],
            **counts._asdict(),
        }
        return Decision(text=chosen.text, chosen=chosen.index, trace=trace, rates=counts.rates)

    async def _run(self, ctx: Context, candidates: list[Candidate], order: random.Random) -> list[list[Pick]]:
        """The rounds down to a single winner, each with its groups."""
        standing = list(candidates)
        rounds: list[list[Pick]] = []
        while not rounds or len(standing) > 1:
            order.shuffle(standing)
            groups = nearly_equal(standing, self.group_size)
            picks = await asyncio.gather(*(self.pick(ctx, group) for group in groups))
            rounds.append(picks)
            standing = [one.chosen for one in picks]
        return rounds
