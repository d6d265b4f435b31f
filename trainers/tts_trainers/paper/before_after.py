"""Models side by side, before or after training: Tables 2, 3, Figures 2, 6, 7."""

from __future__ import annotations

from collections.abc import Sequence

from tts_trainers.paper.markdown import columns, difference, gap, number, share, table
from tts_trainers.paper.published import (
    ARMS,
    ARMS_NOTE,
    KS,
    NAMED_SIZES,
    NAMED_SIZES_NOTE,
    OUT_OF_DOMAIN,
    PUZZLES,
    SIZES,
    Row,
    Shown,
)
from tts_trainers.paper.runs import OURS, Own

_HEAD = ("pass@1", "pass@k", "maj@k", "selfRef@k", "gap")
_RELATIVE = "gap, % of maj@k"


def table_2(own: Sequence[Own]) -> str:
    """What each half of the training data gives; a run labelled as an arm stands below it."""
    title = "Table 2: what the model is trained on"
    return _table(title, "trained on", ARMS, own, (ARMS_NOTE,))


def table_3(own: Sequence[Own]) -> str:
    """Other sizes, before and after training."""
    note = "the published gaps are differences of the columns before them"
    return _table("Table 3: other sizes, before and after training", "model", SIZES, own, (note,))


def figure_2(own: Sequence[Own]) -> str:
    """The gap against the size of the model."""
    return _table("Figure 2: Refinement Gap against model size", "model", NAMED_SIZES, own, (NAMED_SIZES_NOTE,))


def figure_6(own: Sequence[Own]) -> str:
    """More candidates: each run by its k."""
    by_k = [one._replace(label=f"k = {one.k}" if one.label == OURS else f"{one.label}, k = {one.k}") for one in own]
    note = "published: self-refinement of two candidates is above the oracle that selects one of them"
    return _table("Figure 6: more candidates", "candidates", KS, by_k, (note,))


def figure_7(own: Sequence[Own]) -> str:
    """Problems of another kind than those of training."""
    note = f"published: {PUZZLES} with four people, the gap in percent of maj@4"
    return _table("Figure 7: out of domain", "model", OUT_OF_DOMAIN, own, (note,), relative=True)


def _table(
    title: str,
    first: str,
    published: Sequence[Row],
    own: Sequence[Own],
    notes: Sequence[str] = (),
    *,
    relative: bool = False,
) -> str:
    """The published rows, each with the runs of its name below, then all other runs."""
    benchmarks = columns(own, list(dict.fromkeys(name for _, cells in published for name in cells)))
    head = [first, "of", *(f"{name}, {one}" for name in benchmarks for one in (*_HEAD, *([_RELATIVE] * relative)))]
    rows: list[list[str]] = []
    for name, cells in published:
        rows.append([name, "paper", *(cell for one in benchmarks for cell in _published(cells.get(one), relative))])
        rows += _rows(name, own, benchmarks, relative)
    printed = {name for name, _ in published}
    for label in dict.fromkeys(one.label for one in own if one.label not in printed):
        rows += _rows(label, own, benchmarks, relative)
    kept = [i for i in range(len(head)) if i < 2 or any(row[i] for row in rows)]
    head, *rows = ([row[i] for i in kept] for row in (head, *rows))
    return table(title, head, rows, [*notes, *map(str, own)])


def _rows(label: str, own: Sequence[Own], benchmarks: Sequence[str], relative: bool) -> list[list[str]]:
    """The runs of one label in one row, or in several where a benchmark has several of them."""
    waiting = [one for one in own if one.label == label]
    rows = []
    while waiting:
        line: dict[str, Own] = {}
        for one in waiting:
            line.setdefault(one.benchmark, one)
        waiting = [one for one in waiting if line[one.benchmark] is not one]
        rows.append([label, "ours", *(cell for name in benchmarks for cell in _measured(line.get(name), relative))])
    return rows


def _published(shown: Shown | None, relative: bool) -> list[str]:
    found = shown or Shown()
    cells = [*map(number, (found.pass_at_1, found.oracle, found.majority, found.refined))]
    apart = None if found.majority is None or found.refined is None else found.refined - found.majority
    return [*cells, difference(apart), *([difference(found.relative)] * relative)]


def _measured(one: Own | None, relative: bool) -> list[str]:
    if one is None:
        return [""] * (len(_HEAD) + relative)
    refined, voted = one.strategy("gsr"), one.accuracy("majority")
    apart = None if refined is None else refined["gap_to_majority"]
    shares = (one.summary["pass@1"], one.summary.get(f"pass@{one.k}"), voted, one.accuracy("gsr"))
    part = f"{100 * apart['mean'] / voted['mean']:+.1f}" if apart and voted and voted["mean"] else ""
    return [*map(share, shares), gap(apart), *([part] * relative)]
