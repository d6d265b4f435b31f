"""Where in the prompt the candidates stood that a strategy followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from tts.metrics.analysis import Analysis
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.exchangeable import position_bias
from tts.metrics.origins import shown_order


class Followed(Analysis):
    """The question of position; `Comparison` answers it from its rows."""

    def positions(self, strategy: str) -> dict[int, Estimate]:
        """How often the answer that a strategy gave stood at each position, from 1, of what it was shown.

        Over outputs whose answer some of the shown candidates have, and not all: with m of them, each one's position
        counts 1 / m. Candidates are shown in random order, so a strategy without a bias of position has the same share
        everywhere, 1 over the number shown. The order is that of the trace (`order`, or the only entry of `prompts`); a
        strategy that shows no list, or several, has no positions. Empty where no output can say.
        """
        self._check(strategy)
        return self._positions[strategy]

    def position_bias(self, strategy: str) -> dict[int, Estimate]:
        """How much more often than by chance each position is followed, as a difference of shares.

        The intervals hold for all positions at once, so one that leaves 0 out is a bias. Empty where `positions` is.
        """
        self._check(strategy)
        return position_bias(dict(sorted(self._followed[strategy].items())))

    def position_lines(self) -> list[str]:
        """The positions that strategies favour, and those they neglect, a line for each strategy that has some."""
        lines = []
        for label in self.strategies:
            biased = {place: one for place, one in self.position_bias(label).items() if one.low > 0 or one.high < 0}
            told = (
                f"position {place} in {100 * self.positions(label)[place].mean:.1f} % "
                f"({100 * one.mean:+.1f} points, {100 * one.low:+.1f} … {100 * one.high:+.1f})"
                for place, one in biased.items()
            )
            if biased:
                lines.append(f"{label} minds where a candidate stands; it follows {', '.join(told)}")
        return lines

    @cached_property
    def _positions(self) -> dict[str, dict[int, Estimate]]:
        return {label: _means(places) for label, places in self._followed.items()}

    @cached_property
    def _followed(self) -> dict[str, dict[int, list[tuple[str, float]]]]:
        """(problem, share) of each position, by strategy."""
        counted: dict[str, dict[int, list[tuple[str, float]]]] = {label: {} for label in self.strategies}
        for (label, place), found in self._classes.items():
            row = self.rows[place]
            result = row.outcome.results[label]
            order = shown_order(result)
            outputs = 1 + len(result.alternatives)
            of = dict(zip((c.index for c in result.candidates), found.labels[outputs:], strict=True))
            for own in found.labels[:outputs]:
                followed = [i for i, index in enumerate(order, 1) if own is not None and of[index] == own]
                for i in range(1, len(order) + 1) if 0 < len(followed) < len(order) else ():
                    share = (i in followed) / len(followed)
                    counted[label].setdefault(i, []).append((row.outcome.problem.digest, share))
        return counted


def _means(places: Mapping[int, Sequence[tuple[str, float]]]) -> dict[int, Estimate]:
    shares = {place: clustered_mean(places[place], (0.0, 1.0)) for place in sorted(places)}
    return {place: share for place, share in shares.items() if share is not None}
