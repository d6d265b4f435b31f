"""Table 1: every method, with what a vote, or a score, reaches at the cost of self-refinement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tts_trainers.paper.markdown import columns, difference, gap, labels, number, share, table
from tts_trainers.paper.published import BENCHMARKS, METHODS, METHODS_NOTE, Method
from tts_trainers.paper.runs import Own

Cell = Callable[[Own], str]
_AVERAGE = "average"
_MEASURE = "generated tokens"
_CURVES = {"maj@5": "maj@k", "BoN@5": "BoN@k"}
_EQUAL = "at the cost of: as many candidates as one answer costs in generated tokens, on the curve of the same run"


def table_1(own: Sequence[Own]) -> str:
    """Table 1 with a row for each of one's own runs below the published ones."""
    names = [*BENCHMARKS, _AVERAGE, *columns(own)[len(BENCHMARKS) :]]
    rows: list[list[str]] = []
    for method in METHODS:
        write = difference if method.key == "gap" else number
        for model, values in method.published.items():
            printed = dict(zip((*BENCHMARKS, _AVERAGE), map(write, values), strict=True))
            rows.append([method.name, model, *(printed.get(name, "") for name in names)])
        for label in labels(own):
            rows += _own_rows(method, label, [one for one in own if one.label == label], names)
    notes = [METHODS_NOTE, *([_EQUAL] if own else []), *map(str, own)]
    return table("Table 1: one answer from several candidates", ["method", "of", *names], rows, notes)


def _own_rows(method: Method, label: str, runs: Sequence[Own], names: Sequence[str]) -> list[list[str]]:
    form = gap if method.key == "gap" else share
    estimates = {one.benchmark: _estimate(method.key, one) for one in runs}
    cells = {name: form(found) for name, found in estimates.items()}
    cells[_AVERAGE] = form(_average([estimates.get(name) for name in BENCHMARKS]))
    rows = [_row(_name(method, runs), label, cells, names)]
    if method.key == "pass@1":
        rows.append(_row("pass@k, oracle", label, {one.benchmark: share(_oracle(one)) for one in runs}, names))
    if method.key in _CURVES:
        rows += _equal_rows(_CURVES[method.key], label, runs, names, "accuracy")
    if method.key == "gap":
        rows += _equal_rows("maj@k", label, runs, names, "difference")
    return [row for row in rows if any(row[2:])]


def _equal_rows(curve: str, label: str, runs: Sequence[Own], names: Sequence[str], what: str) -> list[list[str]]:
    """A row for each strategy that costs more than its candidates: the curve at its cost, or its lead over that."""
    found = [
        (one.benchmark, budget)
        for one in runs
        for budget in one.summary.get("equal_budgets", [])
        if budget["curve"] == curve and budget["measure"] == _MEASURE
    ]
    rows = []
    short = curve.removesuffix("@k")
    for strategy in dict.fromkeys(budget["strategy"] for _, budget in found):
        cells = {benchmark: _at_cost(budget, what) for benchmark, budget in found if budget["strategy"] == strategy}
        name = f"{short} at the cost of {strategy}" if what == "accuracy" else f"{strategy} − {short} at its cost"
        rows.append(_row(name, label, cells, names))
    return rows


def _at_cost(budget: Mapping[str, Any], what: str) -> str:
    if budget[what] is None:
        return f"unknown: {budget['k']:.1f} candidates, {budget['sampled']} sampled"
    return f"{share(budget[what])} (k = {budget['k']:.1f})" if what == "accuracy" else gap(budget[what])


def _row(name: str, label: str, cells: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [name, label, *(cells.get(one, "") for one in names)]


def _name(method: Method, runs: Sequence[Own]) -> str:
    """The method's name with the k of the runs in the paper's place."""
    more = 1 if method.key in _CURVES else 0
    shown = "/".join(map(str, sorted({one.k + more for one in runs})))
    return method.name.replace(f"@{4 + more}", f"@{shown}")


def _estimate(key: str, one: Own) -> Mapping[str, Any] | None:
    if key == "pass@1":
        found: Mapping[str, Any] | None = one.summary["pass@1"]
        return found
    if key in _CURVES:
        return one.point(_CURVES[key], one.k + 1)
    if key == "gap":
        refined = one.strategy("gsr")
        return None if refined is None else refined["gap_to_majority"]
    return one.accuracy(key)


def _oracle(one: Own) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = one.summary.get(f"pass@{one.k}")
    return found


def _average(found: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The mean of all benchmarks with its interval (MOVER; Zou and Donner 2008); `None` where one is not there."""
    there = [one for one in found if one is not None]
    if len(there) < len(found):
        return None
    mean = math.fsum(one["mean"] for one in there) / len(there)
    if any(one["interval"] is None for one in there):
        return {"mean": mean, "interval": None}
    low, high = (
        math.sqrt(math.fsum((one["mean"] - one["interval"][end]) ** 2 for one in there)) / len(there) for end in (0, 1)
    )
    return {"mean": mean, "interval": (mean - low, mean + high)}
