"""`ReportData`: all that a report shows, as plain data. What a new section needs is added here and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tts._version import __version__
from tts.contracts.prices import Prices
from tts.metrics.analysis import Origin
from tts.metrics.budgets import Budget, Measure
from tts.metrics.checks import Disagreement, Duplicate, duplicate_problems
from tts.metrics.comparison import Comparison
from tts.metrics.completeness import Bounds
from tts.metrics.confidence import Calibration
from tts.metrics.costs import Lengths
from tts.metrics.doubts import Between, Contradiction, between_classes, contradictions
from tts.metrics.estimate import Estimate
from tts.metrics.judge_bias import JudgeBias
from tts.metrics.made import Made
from tts.metrics.missing import Missing
from tts.metrics.own_verdicts import OwnVerdicts
from tts.metrics.paired import Rescue
from tts.metrics.pairs import Pair
from tts.metrics.sampled_curves import Curve
from tts.metrics.strata import Stratified
from tts.report._browser import Shown, browse
from tts.store.store import Store
from tts.vocabulary.outcome_class import OutcomeClass, is_missing
from tts.vocabulary.records import CurveName, Usage

BEST = "best candidate"  # the oracle, as a baseline


class StrategyData(NamedTuple):
    """One strategy's numbers; `rescue` is by baseline, `usage` by role, over all groups, as if it had run alone.

    `curve` names what estimates it over all subsets of k, and `unbiased` is that estimate. `cheapest` says that no
    other strategy is as good for fewer tokens; `None` without gold answers. `answerless` is a share of its outputs.
    `failed` counts decisions that are missing, `outcomes` its outputs by class, and `bounds` are its accuracy over all
    groups, with those without a decision wrong, and right. `calibration` is what its confidence is worth, where it
    tells one, `bias` what whoever chooses for it goes by, where somebody does.
    """

    label: str
    parameters: dict[str, Any]
    curve: CurveName | None
    accuracy: Estimate | None
    unbiased: Estimate | None
    gap: Estimate | None
    by_n_correct: dict[int, Estimate]
    rescue: dict[str, Rescue]
    origins: dict[Any, Origin]
    order_sensitivity: Estimate | None
    positions: dict[int, Estimate]
    usage: dict[str, Usage]
    lengths: Lengths | None
    cheapest: bool | None
    rates: dict[str, tuple[int, int]]
    seconds: float
    answered: int
    failed: int
    answerless: Estimate | None
    outcomes: Mapping[OutcomeClass, int] = MappingProxyType({})
    bounds: Bounds | None = None
    calibration: Calibration | None = None
    bias: JudgeBias | None = None

    @property
    def total(self) -> Usage:
        """Usage over all roles."""
        return sum(self.usage.values(), Usage())


class ReportData(NamedTuple):
    """All that sections and the candidate browser show.

    `groups` are the groups of k candidates that every strategy decided on, `n_correct` how many of them have how many
    correct candidates, `response_rates` how many candidates are truncated, answerless, refused or failed,
    `summary_share` how much of a candidate is its visible summary. `baseline` is what rescue and harm are measured
    against: `majority` where it is compared, else the first strategy. `models` are named by role, `shown` is for the
    browser. `disagreements` are `None` where graders were not compared. `missing` counts what is not there, `outcomes`
    the candidates by class, and `missing_lines` say what is not there, or was cut, in words. `budgets` are strategies
    against curves at their own cost, `candidate_tokens` what one candidate has generated in the mean, where
    `usage_known`. `position_lines` name the positions that strategies favour. `contradictions` are responses that
    state two answers, `between` answers of which a vote cannot be sure. `made` is where it came from, when, by which
    command. `strata` are accuracies and gaps by what was asked for, `own_verdicts` those of the candidates' file,
    `controls` what `tts.eval.Controls.to_dict` has of strategies on changed candidates. `bias_lines` name
    the biases of who chooses.
    """

    title: str
    k: int
    problems: int
    groups: int
    graded: int
    strategies: tuple[StrategyData, ...]
    baseline: str
    pass_at_1: Estimate | None
    pass_at_k: Estimate | None
    n_correct: dict[int, int]
    response_rates: dict[str, Estimate]
    summary_share: Estimate | None
    curves: dict[str, Curve]
    pairs: tuple[Pair, ...]
    models: dict[str, str]
    seed: int
    version: str
    spent: dict[str, Usage]
    prices: Prices | None
    duplicates: tuple[Duplicate, ...]
    disagreements: tuple[Disagreement, ...] | None
    shown: tuple[Shown, ...]
    missing: Missing = Missing(0, 0, 0, 0)
    missing_lines: tuple[str, ...] = ()
    outcomes: Mapping[OutcomeClass, int] = MappingProxyType({})
    pass_at_1_bounds: Bounds | None = None
    budgets: tuple[Budget, ...] = ()
    position_lines: tuple[str, ...] = ()
    usage_known: bool = True
    candidate_tokens: float = 0.0
    contradictions: tuple[Contradiction, ...] = ()
    between: tuple[Between, ...] = ()
    made: Made = Made()
    strata: tuple[Stratified, ...] = ()
    own_verdicts: OwnVerdicts | None = None
    controls: Mapping[str, Any] | None = None
    bias_lines: tuple[str, ...] = ()

    def color(self, label: str) -> int | None:
        """A strategy's place in the palette."""
        return next((place for place, one in enumerate(self.strategies) if one.label == label), None)

    def strategy(self, label: str) -> StrategyData:
        """One strategy by label."""
        return next(one for one in self.strategies if one.label == label)


def report_data(
    compared: Comparison,
    *,
    title: str = "",
    store: Store | None = None,
    prices: Prices | None = None,
    disagreements: Sequence[Disagreement] | None = None,
    controls: Mapping[str, Any] | None = None,
) -> ReportData:
    """The data of a comparison or run; a store adds the prompts of what strategies generated."""
    first = compared.results[0].provenance if compared.results else None
    baseline = compared.baseline or compared.strategies[0]
    problems = len({row.outcome.problem.digest for row in compared.rows})
    counts = Counter(n for row in compared.rows if (n := compared.n_correct(row)) is not None)
    return ReportData(
        title=title or _title(compared.strategies, problems),
        k=compared.k,
        problems=problems,
        groups=len(compared.rows),
        graded=sum(row.candidates is not None for row in compared.rows),
        strategies=tuple(_strategy(compared, label, baseline) for label in compared.strategies),
        baseline=baseline,
        pass_at_1=compared.pass_at_1,
        pass_at_k=compared.pass_at_k,
        n_correct=dict(sorted(counts.items(), reverse=True)),
        response_rates=compared.response_rates(),
        summary_share=compared.summary_share(),
        curves=compared.curves(),
        pairs=tuple(compared.pairs()),
        models=compared.models,
        seed=first.seed if first else 0,
        version=first.version if first else __version__,
        spent=dict(compared.spent),
        prices=prices,
        duplicates=tuple(duplicate_problems(compared.rows)),
        disagreements=None if disagreements is None else tuple(disagreements),
        shown=browse(compared, store),
        missing=compared.missing,
        missing_lines=tuple(compared.missing_lines()),
        outcomes=compared.outcome_classes(),
        pass_at_1_bounds=compared.pass_at_1_bounds,
        budgets=_budgets(compared, prices),
        position_lines=tuple(compared.position_lines()),
        usage_known=compared.usage_known,
        candidate_tokens=compared.candidate_tokens or 0.0,
        contradictions=tuple(contradictions(compared.rows)),
        between=tuple(between_classes(compared.rows, compared.answers_are)),
        made=compared.made,
        strata=tuple(compared.stratified().values()),
        own_verdicts=compared.own_verdicts,
        controls=controls,
        bias_lines=tuple(compared.judge_bias_lines()),
    )


def _budgets(compared: Comparison, prices: Prices | None) -> tuple[Budget, ...]:
    measures: tuple[Measure, ...] = ("generated tokens", "all tokens", "money")
    return tuple(one for measure in measures for one in compared.equal_budgets(measure, prices))


def _title(strategies: list[str], problems: int) -> str:
    who = f"{len(strategies)} strategies" if len(strategies) > 1 else strategies[0]
    return f"{who} on {problems:,} problem{'' if problems == 1 else 's'}"


def _strategy(compared: Comparison, label: str, baseline: str) -> StrategyData:
    results = [row.outcome.results[label] for row in compared.rows]
    against: dict[str, str | None] = {baseline: baseline, BEST: None}
    rescues = {name: compared.rescue(label, other) for name, other in against.items() if other != label}
    return StrategyData(
        label=label,
        parameters=dict(results[0].provenance.parameters) if results else {},
        curve=compared.curve_names[label],
        accuracy=compared.accuracy(label),
        unbiased=compared.unbiased(label),
        gap=compared.gap(label, baseline) if label != baseline else None,
        by_n_correct=compared.by_n_correct(label),
        rescue={name: one for name, one in rescues.items() if one is not None},
        origins=dict(compared.origins(label)),
        order_sensitivity=compared.order_sensitivity(label),
        positions=compared.positions(label),
        usage=compared.costs(label),
        lengths=compared.lengths(label),
        cheapest=next((point.best for point in compared.frontier() if point.strategy == label), None),
        rates=compared.rates(label),
        seconds=compared.mean_seconds(label),
        answered=sum(result.answer is not None for result in results),
        failed=sum(map(is_missing, results)),
        answerless=compared.answerless(label),
        outcomes=compared.outcome_classes(label),
        bounds=compared.bounds(label),
        calibration=compared.calibration(label),
        bias=compared.judge_bias(label),
    )
