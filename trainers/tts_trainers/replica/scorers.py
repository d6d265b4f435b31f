"""Which scorer of the family knows something: how often each finds the right response of two.

The first half of the problems chooses one, the second half says how good it is, so that the choice flatters nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import tts
from tts import Context, Decision, Engine, Needs, Sampled, Strategy
from tts.eval import Estimate, clustered_mean

FILE = "scorers.json"
COIN = 0.7
"""Below this share of pairs ordered right a scorer's row says so (our choice; a coin has a half)."""


class Measured(NamedTuple):
    """The scorers by label with their accuracy on pairs of held-out problems, and the one that was chosen."""

    chosen: str
    held_out: dict[str, Estimate | None]

    def save(self, folder: Path) -> None:
        """For the tables."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {label: one.to_dict() if one else None for label, one in self.held_out.items()}
        (folder / FILE).write_text(json.dumps({"chosen": self.chosen, "held_out": found}, indent=2) + "\n", "utf-8")


def measure_scorers(sets: Sequence[Sampled], references: Mapping[str, str], store: Path) -> Measured:
    """Score all responses with each scorer; without a problem that has right and wrong ones the first is chosen."""
    mixed = [one for one in sets if len({c.answer == one.answer for c in one.candidates.usable}) == 2]
    half = len(mixed) // 2
    choosing, held_out = dict[str, float](), dict[str, Estimate | None]()
    for label, reference in references.items():
        shares = tts.run_sync(partial(_shares, mixed, reference, store)) if mixed else []
        choosing[label] = sum(shares[:half]) / half if half else 0.0
        names = [one.candidates.problem.digest for one in mixed[half:]]
        held_out[label] = clustered_mean(zip(names, shares[half:], strict=True), (0.0, 1.0))
    return Measured(max(choosing, key=choosing.__getitem__), held_out)


def read_scorers(folder: Path) -> dict[str, Any]:
    """What was saved; empty where scorers were not compared."""
    found: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8")) if (folder / FILE).is_file() else {}
    return found


async def _shares(mixed: Sequence[Sampled], reference: str, store: Path) -> list[float]:
    """Of each problem the share of its pairs that are ordered right; a tie is half of one."""
    found: dict[str, float] = {}
    async with Engine(scorer=reference, store=store) as engine:
        for size in sorted({len(one.candidates) for one in mixed}):
            alike = [one for one in mixed if len(one.candidates) == size]
            answers = {one.candidates.problem.digest: one.answer for one in alike}
            async with aclosing(engine.compare(alike, [_Scores()], k=size)) as outcomes:
                async for outcome in outcomes:
                    for error in outcome.errors.values():
                        raise error
                    gold = answers[outcome.problem.digest]
                    decision = next(iter(outcome.results.values())).decision
                    assert decision is not None, "no error was told"
                    scores = decision.trace["scores"]
                    right = {str(c.index): c.answer == gold for c in outcome.candidates if c.ok}
                    found[outcome.problem.digest] = _ordered(scores, right)
    return [found[one.candidates.problem.digest] for one in mixed]


def _ordered(scores: Mapping[str, float], right: Mapping[str, bool]) -> float:
    pairs = [
        (scores[one], scores[other]) for one, good in right.items() if good for other, bad in right.items() if not bad
    ]
    return sum((high > low) + 0.5 * (high == low) for high, low in pairs) / len(pairs)


class _Scores(Strategy):
    """All scores, and the response with the highest one."""

    name: ClassVar[str] = "replica-scores"
    needs: ClassVar[Needs] = Needs(scorer=True)

    async def aggregate(self, ctx: Context) -> Decision:
        """Score all that can be used."""
        usable = (await ctx.candidates()).usable
        scores = [score.value for score in await ctx.score(usable)]
        best = max(range(len(usable)), key=scores.__getitem__)
        told = {str(one.index): value for one, value in zip(usable, scores, strict=True)}
        return Decision(text=usable[best].text, chosen=usable[best].index, trace={"scores": told})
