"""The built-in sections on accuracy: functions from `ReportData` to a `Section`, or `None` with nothing to say."""

from __future__ import annotations

from collections.abc import Iterator

from tts.metrics.estimate import Estimate
from tts.metrics.sampled_curves import Curve
from tts.metrics.tables import Table, counted
from tts.report._words import estimate, interval, p_value, percent, tokens, verdict
from tts.report.data import BEST, ReportData, StrategyData
from tts.report.section import Figure, Point, Section, Series

_ACCURACY = "accuracy, %"
_REASONS = 5  # that are told of what is missing
_OPTIONAL = ("over all subsets", "answered", "missing")  # columns that are left out where they are empty


def summary(data: ReportData) -> Section:
    """What was compared, who won, by how much, at what cost, and whether one can tell."""
    first = (
        f"{', '.join(one.label for one in data.strategies)} on the same candidates: "
        f"{counted(data.problems, 'problem')}, {counted(data.groups, 'group')} of {data.k} candidates each."
    )
    return Section("summary", "Summary", (first, *_findings(data), *_warnings(data)), order=10)


def _findings(data: ReportData) -> Iterator[str]:
    ranked = sorted(_graded(data), key=lambda pair: -pair[1].mean)
    if not ranked:
        return
    (best, reached), *others = ranked
    yield (
        f"Most accurate is {best.label} with {percent(reached.mean)} %"
        + (f" (95 % interval {interval(reached)})." if reached.bounded else ".")
    )
    for other, _ in others[:1]:
        yield _told(data, best.label, other.label)
    if data.baseline in [other.label for other, _ in others[1:]]:
        yield _told(data, best.label, data.baseline)
    if data.pass_at_1 is not None and data.pass_at_k is not None:
        yield (
            f"A single candidate is right in {percent(data.pass_at_1.mean)} % of cases; an oracle that picks the best "
            f"of {data.k} would reach {percent(data.pass_at_k.mean)} %."
        )
    base = data.strategy(data.baseline)
    if best is not base and base.total.generated_tokens:
        ratio = best.total.generated_tokens / base.total.generated_tokens
        yield f"{best.label} generates {ratio:.2f} times the tokens of {base.label}, candidates included."


def _told(data: ReportData, a: str, b: str) -> str:
    """The verdict on two strategies, the first one's side; both have been graded, so there is one."""
    pair = next(one for one in data.pairs if {one.a, one.b} == {a, b})
    turned = pair if pair.a == a else pair.turned()
    points = f"{percent(turned.difference.mean, signed=True)} points"
    bounds = interval(turned.among, signed=True)
    at_once = f" for all {turned.pairs} pairs at once" if turned.pairs > 1 else ""
    sentence = verdict(turned)
    return f"{sentence[0].upper()}{sentence[1:]} ({points}{f', 95 % interval {bounds}{at_once}' if bounds else ''})."


def _warnings(data: ReportData) -> Iterator[str]:
    yield from (f"{line[0].upper()}{line[1:]}." for line in data.missing_lines)
    if data.missing.reasons:
        yield f"Why: {'; '.join(f'{times:,}× {reason}' for reason, times in data.missing.reasons[:_REASONS])}."
    if data.graded == 0:
        yield "No problem has a gold answer, so nothing is said of accuracy."
    elif data.graded < data.groups:
        yield f"{counted(data.groups - data.graded, 'group')} without a gold answer are left out of every accuracy."
    for one in data.strategies:
        if one.failed:
            bounds = f"{percent(one.bounds.low)} to {percent(one.bounds.high)} %" if one.bounds else "unknown"
            yield (
                f"{one.label} has no decision on {counted(one.failed, 'group')}, left out of its accuracy; with all of "
                f"these wrong, or right, it is {bounds}."
            )


def strategies(data: ReportData) -> Section:
    """Every strategy with its interval, and what comes with it."""
    head = ["strategy", "accuracy, %", "95 % interval", f"against {data.baseline}", *_OPTIONAL]
    rows = [_strategy_row(one, data) for one in data.strategies]
    references = ((data.pass_at_1, "pass@1 (mean candidate)"), (data.pass_at_k, f"pass@{data.k} (oracle)"))
    rows += [[name, percent(one.mean), interval(one), *[""] * 4] for one, name in references if one is not None]
    kept = [i for i, name in enumerate(head) if name not in _OPTIONAL or any(row[i] not in ("", "0") for row in rows)]
    head, rows = [head[i] for i in kept], [[row[i] for i in kept] for row in rows]
    text = (
        f"Accuracy is one decision for each non-overlapping group of {data.k} candidates, several outputs averaged; "
        "over all subsets is the mean over every choice of as many of a problem's candidates, ties averaged, for the "
        "strategies that have such an estimate. 95 % intervals, clustered by problem."
    )
    points = [Series(one.label, (Point.of(one.label, found),), data.color(one.label)) for one, found in _graded(data)]
    points += [Series(name, (Point.of(name, one),)) for one, name in references if one is not None]
    figure = Figure("strategies", "Accuracy of each strategy", "interval", _ACCURACY, "", tuple(points))
    notes = [line for one in data.strategies if (line := _rates(one))]
    table = Table("Strategies", head, rows, notes)
    return Section("strategies", "Strategies", (text,), (table,), (figure,) if points else (), order=20)


def _graded(data: ReportData) -> list[tuple[StrategyData, Estimate]]:
    return [(one, one.accuracy) for one in data.strategies if one.accuracy is not None]


def _strategy_row(one: StrategyData, data: ReportData) -> list[str]:
    found = one.accuracy
    known = ["", ""] if found is None else [percent(found.mean), interval(found)]
    answered = f"{100 * one.answered / max(data.groups, 1):.1f} %"
    return [one.label, *known, estimate(one.gap, signed=True), estimate(one.unbiased), answered, str(one.failed)]


def _rates(one: StrategyData) -> str:
    said = [f"{name} {n:,} of {of:,} ({percent(n / of)} %)" for name, (n, of) in one.rates.items() if of]
    return f"{one.label}: {', '.join(said)}" if said else ""


def curves(data: ReportData) -> Section | None:
    """Accuracy against k: curves of the vote and its kin, and every strategy at the k of its groups."""
    if not data.curves:
        return None
    lines = tuple(
        Series(name, tuple(Point.of(k, one) for k, one in found.points.items()), _curve_color(name, data))
        for name, found in data.curves.items()
    )
    at = {one.label: 1 if one.curve == "pass@1" else data.k for one in data.strategies}
    singles = [
        Series(one.label, (Point.of(at[one.label], found),), data.color(one.label)) for one, found in _graded(data)
    ]
    text = (
        "Curves are unbiased estimates over all subsets of k of each problem's candidates, ties averaged. Single "
        f"points are the strategies as they decided, once for each group of {data.k}, or on one candidate. Bands and "
        "bars are 95 % intervals."
    )
    figure = Figure(
        "accuracy-k", "Accuracy against the number of candidates", "curve", "candidates k", _ACCURACY,
        (*lines, *singles),
    )  # fmt: skip
    return Section("curves", "Accuracy against k", (text,), (_curve_table(data.curves),), (figure,), order=30)


def _curve_color(name: str, data: ReportData) -> int | None:
    """That of the strategy whose curve it is, else one that no strategy has; grey for the oracle."""
    if name == "pass@k":
        return None
    owner = next((place for place, one in enumerate(data.strategies) if one.curve == name), None)
    return owner if owner is not None else len(data.strategies) + list(data.curves).index(name)


def _curve_table(found: dict[str, Curve]) -> Table:
    """A row for each curve at powers of two and at the last k."""
    ks = sorted({k for one in found.values() for k in one.points})
    shown = [k for k in ks if k & (k - 1) == 0 or k == ks[-1]]
    rows = [
        [name, *(percent(one.points[k].mean) if k in one.points else "" for k in shown)] for name, one in found.items()
    ]
    notes = [
        f"{name} is drawn by lot; its Monte Carlo error is at most {percent(max(one.error.values()))} points."
        for name, one in found.items()
        if one.error
    ]
    return Table("Accuracy by k, %", ["", *(f"k = {k}" for k in shown)], rows, notes)


def by_n_correct(data: ReportData) -> Section | None:
    """Accuracy by N_c, the number of correct candidates in a group."""
    if not data.n_correct:
        return None
    ordered = list(data.n_correct)
    lines = []
    for one in data.strategies:
        points = tuple(Point.of(n, found) for n, found in one.by_n_correct.items())
        lines.append(Series(one.label, points, data.color(one.label)))
    head = ["strategy", *(f"{n} of {data.k}" for n in ordered)]
    rows = [["groups", *(f"{data.n_correct[n]:,}" for n in ordered)]]
    rows += [
        [one.label, *(percent(one.by_n_correct[n].mean) if n in one.by_n_correct else "" for n in ordered)]
        for one in data.strategies
    ]
    text = (
        "A vote can only be right where enough candidates are. Being right where none is, at 0, takes a strategy that "
        "writes a solution of its own."
    )
    figure = Figure(
        "n-correct", "Accuracy by number of correct candidates", "groups", f"correct candidates among the {data.k}",
        _ACCURACY, tuple(lines),
    )  # fmt: skip
    table = Table("Accuracy by number of correct candidates, %", head, rows)
    return Section("n-correct", "Accuracy by correct candidates", (text,), (table,), (figure,), order=50)


def rescue(data: ReportData) -> Section | None:
    """How often a strategy is right where a baseline is wrong, and the reverse."""
    against = [one for one in data.strategies if data.baseline in one.rescue]
    oracle = [one for one in data.strategies if BEST in one.rescue]
    if not oracle:
        return None
    tables, figures = [], []
    for name, rows in ((data.baseline, against), (BEST, oracle)):
        if not rows:
            continue
        cells = [
            [one.label, *(estimate(cell) for cell in one.rescue[name])] for one in rows
        ]  # both, rescued, harmed, neither
        head = ["strategy", "both right", "rescued", "harmed", "both wrong"]
        tables.append(Table(f"Against {name}, % of groups", head, cells))
    if against:
        shares = [(one, one.rescue[data.baseline]) for one in against]
        harmed = Series("harmed", tuple(Point(one.label, -100 * r.harmed.mean) for one, r in shares), "bad")
        rescued = Series("rescued", tuple(Point(one.label, 100 * r.rescued.mean) for one, r in shares), "good")
        title = f"Rescued and harmed against {data.baseline}"
        figures.append(Figure("rescue", title, "bars", "groups, %", "", (harmed, rescued), zero=True))
    text = (
        "Rescued: right where the baseline is wrong. Harmed: wrong where it is right. The best candidate is the "
        "oracle, right wherever some candidate is: only a strategy that writes can rescue from it."
    )
    return Section("rescue", "Rescue and harm", (text,), tuple(tables), tuple(figures), order=60)


def pairs(data: ReportData) -> Section | None:
    """A verdict on every two strategies."""
    if not data.pairs:
        return None
    rows = [
        [verdict(one), estimate(one.difference, signed=True), interval(one.among, signed=True), str(one.more),
         str(one.fewer), p_value(one.adjusted)]
        for one in data.pairs
    ]  # fmt: skip
    head = ["verdict", "difference, points", "all pairs at once", "problems better", "worse", "p"]
    names = [(f"{one.a} − {one.b}", one) for one in data.pairs]
    shown = tuple(Series(name, (Point.of(name, one.among),), data.color(one.a)) for name, one in names)
    figure = Figure("pairs", "Differences between strategies", "interval", "difference, points", "", shown, zero=True)
    text = (
        "Both strategies of a pair decide on the same groups. A verdict is whether the interval that holds for all "
        "pairs at once, which the figure shows, leaves 0 out; p says the same and is 0.05 where its end is at 0. "
        "Intervals are clustered by problem."
    )
    return Section("pairs", "Pair by pair", (text,), (Table("Verdicts", head, rows),), (figure,), order=70)


def frontier(data: ReportData) -> Section | None:
    """Accuracy against generated tokens."""
    if not data.usage_known:
        return None
    spent = [(one, found) for one, found in _graded(data) if one.total.generated_tokens]
    if not spent:
        return None
    mean = [(one, found, one.total.generated_tokens / data.groups) for one, found in spent]
    points = tuple(Series(one.label, (Point.of(at, found),), data.color(one.label)) for one, found, at in mean)
    figure = Figure(
        "accuracy-tokens", "Accuracy against tokens", "scatter", "generated tokens per group", _ACCURACY, points
    )
    rows = [
        [one.label, tokens(at), percent(found.mean), "yes" if one.cheapest else "no"]
        for one, found, at in sorted(mean, key=lambda row: row[2])
    ]
    head = ["strategy", "generated tokens per group", "accuracy, %", "on the frontier"]
    notes = ["On the frontier: no other strategy is as good for no more generated and no more prompt tokens."]
    table = Table("Accuracy against tokens", head, rows, notes)
    text = "Tokens of the candidates and of all that the strategy had a model write, as if it had run alone."
    return Section("tokens", "Accuracy against tokens", (text,), (table,), (figure,), order=40)
