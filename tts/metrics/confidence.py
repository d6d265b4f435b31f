"""How far the confidence of decisions can be trusted."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from tts.metrics.budgets import EqualBudgets
from tts.metrics.calibration import Bin, Told, expected_calibration_error, reliability
from tts.metrics.difference import clustered_difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.selective import COVERAGES, Risk, accuracy_at, area_under_risk
from tts.vocabulary.errors import ConfigError


class Calibration(NamedTuple):
    """How well a strategy's confidence tells whether it is right.

    Of `decided` graded decisions `told` come with a confidence. `error` is the expected calibration error (ECE),
    `over` the mean confidence minus the accuracy, above 0 where it is too sure, `brier` the mean squared distance of
    confidence and truth (Brier 1950). `bins` are those of the reliability diagram, `risk` is the area under risk
    against coverage (AURC), and `accuracy_at` the accuracy of the surest share of decisions, `curve` the same for more.
    """

    decided: int
    told: int
    error: Estimate
    over: Estimate
    brier: Estimate
    bins: tuple[Bin, ...]
    risk: Risk
    accuracy_at: dict[float, Estimate]
    curve: dict[float, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "decided": self.decided,
            "told": self.told,
            "ece": self.error.to_dict(),
            "confidence_minus_accuracy": self.over.to_dict(),
            "brier": self.brier.to_dict(),
            "bins": [one._asdict() | {"accuracy": one.accuracy.to_dict()} for one in self.bins],
            "aurc": self.risk.area.to_dict() | {"random": self.risk.random, "best": self.risk.best},
            "accuracy_at_coverage": {f"{at:g}": one.to_dict() for at, one in (self.curve | self.accuracy_at).items()},
        }


class Confidence(EqualBudgets):
    """The questions of confidence; `Comparison` answers them from its rows."""

    def calibration(self, strategy: str) -> Calibration | None:
        """What the strategy's confidence is worth, over the graded decisions that tell one; `None` without any.

        The confidence is that of the decision itself, so of several outputs for a group the first counts.
        """
        self._check(strategy)
        return self._calibrations[strategy]

    def selective_accuracy(self, strategy: str, coverage: float) -> Estimate | None:
        """Accuracy of the surest share of a strategy's decisions; `None` where none tells a confidence."""
        self._check(strategy)
        if not 0 < coverage <= 1:
            raise ConfigError(f"coverage={coverage}: give a share above 0, up to 1")
        told = self._told(strategy)
        return accuracy_at(told, coverage) if told else None

    def _confidence_summary(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for."""
        found = self._calibrations.items()
        return {"calibration": {label: None if one is None else one.to_dict() for label, one in found}}

    @cached_property
    def _calibrations(self) -> dict[str, Calibration | None]:
        return {label: self._calibration(label) for label in self.strategies}

    def _calibration(self, strategy: str) -> Calibration | None:
        told = self._told(strategy)
        if not told:
            return None
        over = clustered_difference((one.problem, one.confidence - one.correct) for one in told)
        brier = clustered_mean(((one.problem, (one.confidence - one.correct) ** 2) for one in told), (0.0, 1.0))
        assert over is not None
        assert brier is not None
        return Calibration(
            decided=sum(
                bool(row.decisions) and row.outcome.results[strategy].decision is not None for row in self.rows
            ),
            told=len(told),
            error=expected_calibration_error(told),
            over=over,
            brier=brier,
            bins=tuple(reliability(told)),
            risk=area_under_risk(told),
            accuracy_at={coverage: accuracy_at(told, coverage) for coverage in COVERAGES},
            curve={percent / 100: accuracy_at(told, percent / 100) for percent in range(10, 101, 10)},
        )

    def _told(self, strategy: str) -> list[Told]:
        """The graded decisions that tell a confidence."""
        return [
            Told(row.outcome.problem.digest, decision.confidence, row.decisions[strategy][0])
            for row in self.rows
            if row.decisions is not None
            and (decision := row.outcome.results[strategy].decision) is not None
            and decision.confidence is not None
        ]
