"""Where in the prompt the candidates stood that a strategy followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tts._records import Result
from tts.eval._analysis import cluster_lists
from tts.eval._grading import Graded
from tts.eval._metrics import Estimate, clustered_mean


class Followed:
    """The question of position; `Comparison` answers it from its rows."""

    rows: list[Graded]
    _check: Callable[[str], None]

    def positions(self, strategy: str) -> dict[int, Estimate]:
        """How often the answer that a strategy gave stood at each position, from 1, of what it was shown.

        Over outputs whose answer some of the shown candidates have, and not all: with m of them, each one's position
        counts 1 / m. Candidates are shown in random order, so a strategy without a bias of position has the same share
        everywhere, 1 over the number shown. The order is that of the trace (`order`, or the only entry of `prompts`); a
        strategy that shows no list, or several, has no positions. Empty where no output can say.
        """
        self._check(strategy)
        shown = [(row, order) for row in self.rows if (order := shown_order(row.outcome.results[strategy]))]
        results = [row.outcome.results[strategy] for row, _ in shown]
        answers = [
            [one.answer, *one.alternatives, *(_at(one, i).answer for i in order)]
            for one, (_, order) in zip(results, shown, strict=True)
        ]
        counted: dict[int, list[tuple[str, float]]] = {}
        for (row, order), result, found in zip(shown, results, cluster_lists(answers), strict=True):
            outputs = 1 + len(result.alternatives)
            given, held = found.labels[:outputs], found.labels[outputs:]
            for label in given:
                places = [i for i, own in enumerate(held) if own is not None and own == label]
                for place in range(len(order)) if 0 < len(places) < len(order) else ():
                    share = (place in places) / len(places)
                    counted.setdefault(place + 1, []).append((row.outcome.problem.digest, share))
        shares = {place: clustered_mean(pairs, (0.0, 1.0)) for place, pairs in sorted(counted.items())}
        return {place: share for place, share in shares.items() if share is not None}


def shown_order(result: Result) -> tuple[int, ...]:
    """The candidates' indices in the order in which the only prompt of a strategy showed them; empty where unknown."""
    trace: Mapping[str, Any] = result.decision.trace if result.decision is not None else {}
    prompts = trace.get("prompts")
    if isinstance(prompts, Sequence) and len(prompts) == 1 and isinstance(prompts[0], Mapping):
        trace = prompts[0]
    order = trace.get("order")
    known = {candidate.index for candidate in result.candidates}
    if not isinstance(order, Sequence) or not all(isinstance(i, int) and i in known for i in order):
        return ()
    return tuple(order)


def _at(result: Result, index: int) -> Any:
    return next(candidate for candidate in result.candidates if candidate.index == index)
