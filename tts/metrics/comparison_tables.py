"""The tables that a comparison prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tts.metrics.accuracies import n_correct_values
from tts.metrics.bias_table import bias_table
from tts.metrics.budgets import EqualBudgets
from tts.metrics.completeness import Bounds
from tts.metrics.confidence_tables import calibration_table, strata_tables
from tts.metrics.estimate import Estimate
from tts.metrics.judge_bias import Judged
from tts.metrics.missing import told_classes, without_problem
from tts.metrics.own_verdicts import own_verdicts
from tts.metrics.tables import Table, counted, estimated_lines, percent, quantity
from tts.vocabulary.outcome_class import CLASSES, MISSING, OutcomeClass, ended_cut, is_missing
from tts.vocabulary.records import Usage

_COUNTS = ("cut", "missing", "calls", "tokens out", "tokens in", "model s")  # left out where they would be all zeros


def comparison_tables(compared: Judged, shown: Mapping[str, str]) -> list[Table]:
    """Accuracy with cost, Refinement Gap, accuracy by N_c, confidence, order sensitivity, strata.

    `shown` is how each label is written.
    """
    tables = [_main_table(compared, shown)]
    if (outcomes := _outcome_table(compared, shown)) is not None:
        tables.append(outcomes)
    if any(row.candidates is not None for row in compared.rows):
        made = (_gap_table(compared, shown), _n_correct_table(compared, shown), calibration_table(compared))
        tables += [table for table in made if table.rows]
    if any(row.outcome.changed is not None for row in compared.rows):
        tables.append(_order_table(compared, shown))
    if (bias := bias_table(compared)).rows:
        tables.append(bias)
    return [*tables, *strata_tables(compared)]


def _main_table(compared: EqualBudgets, shown: Mapping[str, str]) -> Table:
    problems = len({row.outcome.problem.digest for row in compared.rows})
    title = f"{counted(problems, 'problem')}, {counted(len(compared.rows), 'group')} of k={compared.k}"
    head = ["strategy", "accuracy", "95 % interval", "answered", *_COUNTS, "s/problem"]
    rows = []
    if compared.pass_at_1 is not None:
        rows.append(["pass@1 (mean candidate)", *_accuracy(compared.pass_at_1), *[""] * 8])
    if compared.pass_at_k is not None:
        rows.append([f"pass@{compared.k} (oracle)", *_accuracy(compared.pass_at_k), *[""] * 8])
    rows += [_strategy_row(compared, label, shown[label]) for label in compared.strategies]
    kept = [
        i
        for i, name in enumerate(head)
        if name not in _COUNTS or any(row[i] not in ("", "0", "unknown") for row in rows)
    ]
    head, *rows = ([row[i] for i in kept] for row in (head, *rows))
    notes = [*missing_lines(compared), *failure_lines(compared), *rate_lines(compared), *budget_lines(compared),
             *_own_verdicts(compared), *_estimated(compared), _spent_line(compared)]  # fmt: skip
    return Table(title, head, rows, notes)


def _strategy_row(compared: EqualBudgets, label: str, shown: str) -> list[str]:
    results = [row.outcome.results[label] for row in compared.rows]
    usage = compared.usage(label)
    return [
        shown,
        *(["failed", ""] if label in compared.undecided else _accuracy(compared.accuracy(label))),
        percent(sum(r.answer is not None for r in results) / max(len(results), 1)),
        str(sum(map(ended_cut, results))),
        str(sum(map(is_missing, results))),
        quantity(usage.calls),
        _counted(usage.generated_tokens, usage, compared),
        _counted(usage.prompt_tokens, usage, compared),
        f"{usage.seconds:,.1f}" if usage.seconds else "0",
        f"{compared.mean_seconds(label):.2f}",
    ]


def _counted(tokens: int, usage: Usage, compared: EqualBudgets) -> str:
    """Tokens, of which those of the candidates may not be known: then it is at least so many."""
    if compared.usage_known or not any(row.outcome.candidates for row in compared.rows):
        return quantity(tokens, usage)
    return f"≥ {quantity(tokens, usage)}" if tokens else "unknown"


def budget_lines(compared: EqualBudgets) -> list[str]:
    """Every strategy that costs more than its candidates against the majority at its cost, a line each."""
    return [str(one) for one in compared.equal_budgets() if one.curve == "maj@k"]


def _outcome_table(compared: EqualBudgets, shown: Mapping[str, str]) -> Table | None:
    """How many responses are of each class; `None` where all have an answer. Only classes that occur have a column."""
    found: dict[str | None, dict[OutcomeClass, int]] = {
        one: compared.outcome_classes(one) for one in compared.strategies
    }
    found = {None: compared.outcome_classes(), **found}
    columns = [name for name in CLASSES if any(name in own for own in found.values())]
    if set(columns) <= {"correct", "wrong", "ungraded"}:
        return None
    bounds: dict[str | None, Bounds | None] = {one: compared.bounds(one) for one in compared.strategies}
    bounds[None] = compared.pass_at_1_bounds
    told = any(name in MISSING for name in columns) and any(bounds.values())
    rows = [
        ["candidates" if label is None else shown[label],
         *(quantity(own[name]) if name in own else "" for name in columns),
         *([_bounded(bounds[label])] if told else [])]
        for label, own in found.items() if own
    ]  # fmt: skip
    notes = ["over all: accuracy with all that is missing wrong … right"] if told else []
    return Table("Outcome classes", ["", *columns, *(["over all"] if told else [])], rows, notes)


def _bounded(found: Bounds | None) -> str:
    if found is None:
        return ""
    return percent(found.low) + (f" … {percent(found.high)}" if found.high > found.low else "")


def missing_lines(compared: EqualBudgets) -> list[str]:
    """What is missing and what was cut, a line each; none where all is there."""
    missing, k, lines = compared.missing, compared.effective_k, list[str]()
    if missing.candidates_missing:
        kinds = {name: count for name, count in compared.outcome_classes().items() if name in MISSING}
        effective = f"; effective k {k:.2f}" if k is not None else ""
        of = f"{quantity(missing.candidates_missing)} of {quantity(missing.candidates)} candidates missing"
        lines.append(f"{of} ({told_classes(kinds, CLASSES)}){effective}")
    if missing.decisions_missing:
        of = f"{quantity(missing.decisions_missing)} of {quantity(missing.decisions)} decisions missing"
        lines.append(f"{of}; accuracies are of what is there")
    left = [row.outcome.left for row in compared.rows if row.outcome.left]
    if left:
        used = quantity(sum(len(row.outcome.candidates) for row in compared.rows))
        lines.append(
            f"{quantity(sum(left))} more candidates of {counted(len(left), 'problem')} are in no group of "
            f"{compared.k}, nor in any number: {used} are; k that divides how many there are uses all, and so do "
            "balanced groups"
        )
    if any(row.outcome.new is not None for row in compared.rows):
        each = quantity(compared.missing.candidates)
        lines.append(
            f"{counted(len(compared.rows), 'balanced group')} overlap: each of {each} candidates is in equally many"
        )
    if (unlike := compared.unlike_slots) is not None:
        lines.append(str(unlike))
    if compared.cut is not None:
        lines.append(str(compared.cut))
    return lines


def failure_lines(compared: EqualBudgets) -> list[str]:
    """The most frequent reasons of what failed, a sentence each."""
    reasons = Counter(without_problem(result) for result in compared.failed)
    if compared.missing.candidates_missing and not reasons:
        reasons = Counter(dict(compared.missing.reasons))
    return [f"failed {count}×: {reason}" for reason, count in reasons.most_common(3)]


def rate_lines(compared: EqualBudgets) -> list[str]:
    """The rates of every strategy that has some, a line each."""
    lines = []
    for label in compared.strategies:
        shown = {name: rate for name, rate in compared.rates(label).items() if rate[1]}
        said = (f"{name} {quantity(n)} of {quantity(of)} ({percent(n / of)} %)" for name, (n, of) in shown.items())
        if shown:
            lines.append(f"{label}: {', '.join(said)}")
    return lines


def _own_verdicts(compared: EqualBudgets) -> list[str]:
    found = own_verdicts(compared.rows)
    return [] if found is None else [str(found)]


def _estimated(compared: EqualBudgets) -> list[str]:
    """What the mark before tokens means."""
    spent = Usage.total(list(compared.spent.values()))
    return estimated_lines({label: compared.usage(label) for label in compared.strategies} | {"really spent": spent})


def _spent_line(compared: EqualBudgets) -> str:
    spent = "; ".join(
        f"{role} {quantity(u.calls)} calls, {quantity(u.generated_tokens, u)} generated and "
        f"{quantity(u.prompt_tokens, u)} prompt tokens ({quantity(u.cached_tokens)} of them cached), "
        f"{u.seconds:,.1f} model-seconds"
        for role, u in sorted(compared.spent.items())
        if u != Usage()  # recorded scores cost nothing
    )
    return f"really spent in {compared.seconds:.1f} s: {spent or 'nothing'}"


def _gap_table(compared: EqualBudgets, shown: Mapping[str, str]) -> Table:
    """Each strategy against the majority, with the verdict of its pair: there is no second one."""
    baseline, rows, several = compared.baseline, list[list[str]](), 1
    for label in compared.strategies if baseline is not None else ():
        pair = compared.pair(label, str(baseline)) if label != baseline else None
        if pair is not None:
            told = pair.verdict if pair.verdict != "cannot tell" else "cannot tell at this n"
            among = _accuracy(pair.among, signed=True)[1]
            rows.append([shown[label], *_accuracy(pair.difference, signed=True), among, _over(compared, label), told])
            several = pair.pairs
    head = ["strategy", "gap", "95 % interval", f"all {several} pairs", "over", ""]
    left_out = {3} if several == 1 else set()
    left_out |= {4} if compared.estimator == "groups" else set()
    kept = [i for i in range(len(head)) if i not in left_out]
    head, *rows = ([row[i] for i in kept] for row in (head, *rows))
    notes = []
    if several > 1 and rows:
        notes.append(f"the verdict goes by the interval that holds for all {several} pairs of strategies at once")
    if compared.estimator == "subsets" and rows:
        notes.append(f"subsets: over every choice of {compared.k} candidates, where both have such an estimate")
    return Table("Refinement Gap: accuracy minus majority, same groups", head, rows, notes)


def _over(compared: EqualBudgets, label: str) -> str:
    return compared.estimated(label, str(compared.baseline))


def _n_correct_table(compared: EqualBudgets, shown: Mapping[str, str]) -> Table:
    found = {label: strata for label in compared.strategies if (strata := compared.by_n_correct(label))}
    counts = sorted({*n_correct_values(compared), *(n for strata in found.values() for n in strata)}, reverse=True)
    groups = [sum(compared.n_correct(row) == n for row in compared.rows) for n in counts]
    rows = [["groups", *map(str, groups)]]
    rows += [
        [shown[label], *(percent(strata[n].mean) if n in strata else "" for n in counts)]
        for label, strata in found.items()
    ]
    over = [label for label in found if compared.counted_over(label) == "subsets"]
    notes = [f"over every choice of {compared.k} candidates: {', '.join(over)}"] if over else []
    return Table("Accuracy by number of correct candidates", ["N_c", *map(str, counts)], rows, notes)


def _order_table(compared: EqualBudgets, shown: Mapping[str, str]) -> Table:
    tried = {label: share for label in compared.strategies if (share := compared.order_sensitivity(label)) is not None}
    rows = [[shown[label], *_accuracy(share), str(share.n)] for label, share in tried.items()]
    others = ", ".join(label for label in compared.strategies if label not in tried)
    notes = (
        [f"not tried, for they show no list and declare that order does not matter, or never decided: {others}"]
        if others
        else []
    )
    head = ["strategy", "changed", "95 % interval", "groups"]
    return Table("Order: how often another order of the candidates changes the answer, in %", head, rows, notes)


def _accuracy(estimate: Estimate | None, *, signed: bool = False) -> list[str]:
    if estimate is None:
        return ["", ""]
    sign = "+" if signed else ""
    if not estimate.bounded:
        return [f"{100 * estimate.mean:{sign}.1f}", ""]
    return [f"{100 * estimate.mean:{sign}.1f}", f"{100 * estimate.low:{sign}.1f} … {100 * estimate.high:{sign}.1f}"]
