"""The tables of a protocol's report: they depend on what was asked, never on the run."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Any, NamedTuple

from tts.contracts.prices import Prices
from tts.metrics.budgets import Measure
from tts.metrics.checks import Disagreement, Duplicate
from tts.metrics.comparison import Comparison
from tts.metrics.confidence_tables import calibration_table, strata_tables
from tts.metrics.estimate import Estimate
from tts.metrics.pairs import PAIRS
from tts.metrics.tables import Table, about, counted, estimated_lines, percent, quantity
from tts.vocabulary.records import Usage

_SHOWN = 20  # rows of a list that a person is to look at; the rest is in the JSON file
_NO = ""
_KINDS = ("non-overlapping group (arXiv 2509.00084)", "balanced group, with every candidate in equally many,")


class Shown(NamedTuple):
    """What the tables are made of."""

    comparison: Comparison
    protocol: dict[str, Any]
    prices: Prices | None
    duplicates: list[Duplicate]
    disagreements: list[Disagreement] | None


def protocol_tables(shown: Shown) -> list[Table]:
    """Accuracy with its estimator, what a comparison prints beside it, and all that it can be asked beyond that."""
    compared = shown.comparison
    beside = compared.tables()[1:]
    made = [
        _accuracy(shown), *beside, _curves(compared), _rescue(compared), _origins(compared), _positions(compared),
        _pairs(compared), _cost(shown), _budgets(shown), _outputs(compared), _checks(shown),
    ]  # fmt: skip
    return [table for table in made if table.rows or table.notes]


def screen_tables(shown: Shown) -> list[Table]:
    """What one wants to see first: accuracies and what confidence is worth; strata, cost, checks where asked for."""
    asked = [_cost(shown)] if shown.prices is not None else []
    asked += [_checks(shown)] if shown.disagreements is not None else []
    calibration = calibration_table(shown.comparison)
    told = [calibration] if calibration.rows else []
    return [_accuracy(shown), *told, *strata_tables(shown.comparison), *asked]


def _passes(compared: Comparison) -> list[str]:
    """What single passes over the problems differ by: mean@n ± sd, of candidates and of each strategy's groups."""
    told = []
    for label in (None, *compared.strategies):
        if len(found := compared.passes(label)) > 1:
            name = f"mean@{len(found)}" if label is None else f"{label} over {len(found)} groups"
            told.append(f"{name} {percent(fmean(found))} ± {percent(stdev(found))}")
    return [f"one pass over the problems, mean ± sd: {'; '.join(told)}"] if told else []


def _accuracy(shown: Shown) -> Table:
    compared, k = shown.comparison, shown.comparison.k
    n = max((len(one.points) for one in compared.curves().values()), default=shown.protocol["n"])
    subsets = f"all subsets of {k} of {n}"
    groups = f"groups of {k}"
    rows = [
        [name, *interval(one), groups, _NO]
        for name, one in (("pass@1", compared.pass_at_1), (f"pass@{k} (oracle)", compared.pass_at_k))
        if one is not None
    ]
    rows += [
        [f"G-Pass@{k}, τ = {tau:g}", *interval(steady), f"all subsets of {k} of {n}", _NO]
        for tau in (0.5, 1.0)
        if k > 1 and (steady := compared.g_pass(tau)) is not None
    ]
    for label in compared.strategies:
        unbiased = compared.unbiased(label) if shown.protocol["estimator"] == "subsets" else None
        results = [row.outcome.results[label] for row in compared.rows]
        outputs = max((1 + len(result.alternatives) for result in results), default=1)
        told = [subsets, _NO] if unbiased is not None else [groups, str(outputs)]
        rows.append([label, *interval(unbiased or compared.accuracy(label)), *told])
    problems = len({row.outcome.problem.digest for row in compared.rows})
    size = f"{counted(problems, 'problem')}, {counted(len(compared.rows), 'group')} of k={k}"
    title = f"Accuracy: {size}, source {shown.protocol['problems']}"
    named = ", ".join(f"{role} {name}" for role, name in shown.protocol.get("named", {}).items())
    kind = _KINDS[bool(shown.protocol.get("balanced"))]
    notes = [
        *([f"models: {named}"] if named else []),
        f"{groups}: one decision for each {kind} of {k} candidates, outputs averaged",
    ]
    if shown.protocol["estimator"] == "subsets":
        notes.append(f"{subsets}: unbiased mean over every subset, ties averaged, where the strategy allows it")
    notes += [*_passes(compared), *compared.missing_lines(), *compared.failure_lines(), *compared.rate_lines()]
    return Table(title, ["strategy", "accuracy", "95 % interval", "estimator", "outputs per group"], rows, notes)


def _curves(compared: Comparison) -> Table:
    curves = compared.curves()
    most = max((max(one.points) for one in curves.values()), default=0)
    ks = sorted({2**power for power in range(most.bit_length())} | ({most} if most else set()))
    rows = [
        [name, *(percent(one.points[k].mean) if k in one.points else _NO for k in ks)] for name, one in curves.items()
    ]
    worst = {name: max(one.error.values()) for name, one in curves.items() if one.error}
    notes = [f"{name}: drawn by lot, Monte Carlo error up to {100 * error:.2f}" for name, error in worst.items()]
    return Table("Accuracy against k: all subsets, ties averaged", ["", *(f"k={k}" for k in ks)], rows, notes)


def _rescue(compared: Comparison) -> Table:
    baselines: dict[str, str | None] = {} if compared.baseline is None else {compared.baseline: compared.baseline}
    rows = []
    for name, baseline in {**baselines, "best candidate": None}.items():
        for label in compared.strategies:
            found = compared.rescue(label, baseline) if label != baseline else None
            if found is not None:
                rows.append([label, name, *(percent(cell.mean) for cell in found)])
    head = ["strategy", "against", "both right", "rescued", "harmed", "both wrong"]
    return Table("Rescue and harm: % of groups", head, rows)


def _origins(compared: Comparison) -> Table:
    kinds = ("copied", "merged", "novel", "none")
    rows = []
    for label in compared.strategies:
        found = compared.origins(label)
        if any(one.share.mean for kind, one in found.items() if kind != "copied"):
            cells = [
                f"{percent(one.share.mean)} ({percent(one.accuracy.mean) if one.accuracy else '–'})"
                for one in (found[kind] for kind in kinds)  # type: ignore[index]  # these are all the kinds
            ]
            rows.append([label, *cells])
    return Table("Origin of what was written: % of outputs (accuracy)", ["strategy", *kinds], rows)


def _positions(compared: Comparison) -> Table:
    found = {label: compared.positions(label) for label in compared.strategies}
    most = max((max(places) for places in found.values() if places), default=0)
    rows = [
        [label, *(percent(places[i].mean) if i in places else _NO for i in range(1, most + 1))]
        for label, places in found.items()
        if places
    ]
    title = "Position of the answer that was followed, in %; without a bias all are equal"
    return Table(title, ["strategy", *map(str, range(1, most + 1))], rows, compared.position_lines() if rows else [])


def _pairs(compared: Comparison) -> Table:
    return Table(PAIRS, ["verdict"], [[str(one)] for one in compared.pairs()])


def _cost(shown: Shown) -> Table:
    compared, groups = shown.comparison, max(len(shown.comparison.rows), 1)
    best = {point.strategy for point in compared.frontier() if point.best}
    head = ["strategy", "role", "calls", "prompt", "thinking", "answer"]
    rows = []
    for label in compared.strategies:
        for role, usage in compared.costs(label).items():
            if usage == Usage():
                continue
            kinds = (usage.calls, usage.prompt_tokens, usage.thinking_tokens, usage.answer_tokens)
            price = [f"{about(usage)}{getattr(shown.prices, role).of(usage) / groups:.6g}"] if shown.prices else []
            calls, *counts = (f"{number / groups:,.1f}" for number in kinds)
            rows.append([label, role, calls, *(about(usage) + count for count in counts), *price])
    notes = ["as if each had run alone, its candidates included; what was really spent is in timings.json"]
    notes += estimated_lines({label: compared.usage(label) for label in compared.strategies})
    if best:
        notes.append(
            f"on the frontier of accuracy against tokens: {', '.join(s for s in compared.strategies if s in best)}"
        )
    price_head = [f"price, {shown.prices.currency}"] if shown.prices else []
    return Table("Cost per group: calls, tokens by role and kind", [*head, *price_head], rows, notes if rows else ())


def _budgets(shown: Shown) -> Table:
    """Each strategy against the curves at its own cost, by every measure that is known and the same in every run."""
    compared = shown.comparison
    measures: tuple[Measure, ...] = ("generated tokens", "all tokens", "money")
    rows = []
    for one in (one for name in measures for one in compared.equal_budgets(name, shown.prices)):
        reached = [*interval(one.accuracy), *_points(one.difference)] if one.accuracy else ["unknown", *[_NO] * 3]
        rows.append([one.strategy, one.measure, f"{one.curve.removesuffix('@k')}@{one.k:.1f}", *reached])
    head = ["strategy", "at equal", "against", "accuracy", "95 % interval", "strategy minus that", "95 % interval"]
    notes = [] if compared.usage_known else ["tokens of the candidates are not known, so nothing is at equal cost"]
    if any(row[3] == "unknown" for row in rows):
        notes.append("unknown: as many candidates were not sampled; give more --samples")
    return Table("Equal budgets: every curve at what a strategy costs", head, rows, notes if rows else [])


def _points(found: Estimate | None) -> list[str]:
    if found is None:
        return [_NO, _NO]
    bounds = f"{100 * found.low:+.1f} … {100 * found.high:+.1f}" if found.bounded else _NO
    return [f"{100 * found.mean:+.1f}", bounds]


def _outputs(compared: Comparison) -> Table:
    """Truncated and answerless rates, the share of the summary, lengths of refinements against direct responses."""
    rows = [[f"candidates {name}, %", *interval(rate)] for name, rate in compared.response_rates().items()]
    if (share := compared.summary_share()) is not None:
        rows.append(["summary in a candidate's output, %", *interval(share)])
    for label in compared.strategies:
        if (rate := compared.answerless(label)) is not None and rate.mean:
            rows.append([f"{label}: answerless, %", *interval(rate)])
        if (found := compared.lengths(label)) is not None:
            for name, one in (("a direct response", found.direct), ("an output", found.written)):
                bounds = f"{one.low:,.1f} … {one.high:,.1f}" if one.bounded else _NO
                rows.append([f"{label}: tokens of {name}", f"{one.mean:,.1f}", bounds])
            if found.reduction is not None:
                rows.append([f"{label}: shorter than direct by, %", f"{100 * found.reduction:+.1f}", _NO])
    return Table("Outputs", ["", "mean", "95 % interval"], rows)


def _checks(shown: Shown) -> Table:
    rows = [[f"duplicate problems: {', '.join(one.problems)}", _gold(one), _NO] for one in shown.duplicates[:_SHOWN]]
    rows += list(_disagreeing(shown.disagreements or []))
    notes = [] if shown.duplicates else ["no problem is there twice"]
    if shown.disagreements is None:
        notes.append("graders were not compared (check_grades)")
    else:
        notes.append(f"{quantity(len(shown.disagreements))} answers on which graders disagree; all are in report.json")
    return Table("Checks", ["what", "gold", "verdicts"], rows, notes)


def _gold(one: Duplicate) -> str:
    return " against ".join(dict.fromkeys(str(answer) for answer in one.answers))


def _disagreeing(found: list[Disagreement]) -> Iterator[list[str]]:
    for one in found[:_SHOWN]:
        told = ", ".join(
            f"{name} {'–' if verdict is None else 'yes' if verdict else 'no'}"
            for name, verdict in one.opinions._asdict().items()
        )
        yield [f"{one.problem}: {one.answer[:60]!r} ({one.times}×)", repr(one.gold[:60]), told]


def interval(estimate: Estimate | None) -> list[str]:
    """Mean and 95 % interval in percent, as two cells."""
    if estimate is None:
        return [_NO, _NO]
    bounds = f"{percent(estimate.low)} … {percent(estimate.high)}" if estimate.bounded else _NO
    return [percent(estimate.mean), bounds]
