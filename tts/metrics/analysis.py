"""What a comparison can be asked of where the outputs of a strategy come from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.origins import Kind, origins_of
from tts.metrics.paired import Paired


class Origin(NamedTuple):
    """Outputs of one origin: their share of all outputs, and how often they are right (`None` where there are none)."""

    share: Estimate
    accuracy: Estimate | None


class Analysis(Paired):
    """The questions; `Comparison` answers them from its rows."""

    def origins(self, strategy: str) -> dict[Kind, Origin]:
        """Where the outputs of a strategy come from, and how often each kind is right.

        copied: a candidate's response, chosen or repeated word for word; merged: another text with an answer that some
        candidate has; novel: an answer that no candidate of the group has; none: no answer. Answers are compared as
        classes of equal ones. Failed results are left out; accuracies are there where gold answers are.
        """
        self._check(strategy)
        outputs = list(self._outputs(strategy))
        if not outputs:
            return {}
        origins: dict[Kind, Origin] = {}
        for kind in ("copied", "merged", "novel", "none"):
            share = clustered_mean(((problem, float(own == kind)) for problem, own, _ in outputs), (0.0, 1.0))
            graded = [(problem, float(right)) for problem, own, right in outputs if own == kind and right is not None]
            assert share is not None
            origins[kind] = Origin(share, clustered_mean(graded, (0.0, 1.0)))
        return origins

    def _analysis(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for."""
        return {
            **self._paired_summary(),
            "origins": {
                label: {
                    kind: {"share": one.share.to_dict(), "accuracy": one.accuracy.to_dict() if one.accuracy else None}
                    for kind, one in self.origins(label).items()
                }
                for label in self.strategies
            },
        }

    def _outputs(self, strategy: str) -> Iterator[tuple[str, Kind, bool | None]]:
        """Problem, origin and grade of every output of a strategy."""
        for row, kinds in zip(self.rows, self._kinds[strategy], strict=True):
            graded = row.decisions[strategy] if row.decisions is not None else [None] * len(kinds)
            yield from ((row.outcome.problem.digest, kind, right) for kind, right in zip(kinds, graded, strict=False))

    @cached_property
    def _kinds(self) -> dict[str, list[list[Kind]]]:
        """For each strategy and row the origin of each output, none for a failed result."""
        return {
            label: [
                origins_of(row.outcome.results[label], self._classes.get((label, place)))
                for place, row in enumerate(self.rows)
            ]
            for label in self.strategies
        }
