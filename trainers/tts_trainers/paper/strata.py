"""Table 5, Figure 5: accuracy by the number of correct candidates."""

from __future__ import annotations

from collections.abc import Sequence

from tts_trainers.paper.markdown import number, share, table
from tts_trainers.paper.published import BENCHMARKS, BY_N_CORRECT, BY_N_CORRECT_NOTE, COUNTS, GSR, METHODS
from tts_trainers.paper.runs import Own

_NAMES = {"majority": "majority", "best_of_n": "BoN, reward model", "knockout": "BoN, judge",
          "synthesizer": "synthesizer", "gsr": "self-refinement"}  # fmt: skip


def table_5(own: Sequence[Own]) -> str:
    """Every method by how many of the candidates are correct."""
    counts = sorted({*COUNTS, *(n for one in own for n in range(one.k + 1))}, reverse=True)
    rows = []
    for name, values in BY_N_CORRECT.items():
        printed = dict(zip(COUNTS, map(number, values), strict=True))
        rows.append([_NAMES[name], f"{GSR}, {BENCHMARKS[0]}", *(printed.get(n, "") for n in counts)])
    for place, benchmark in enumerate(BENCHMARKS):
        shown = {n: _counted(*COUNTS[n][place]) for n in COUNTS}
        rows.append([_NAMES["gsr"], f"{GSR}, {benchmark}", *(shown.get(n, "") for n in counts)])
    for one in own:
        rows += _own_rows(one, counts)
    head = ["method", "of", *(f"N_c = {n}" for n in counts)]
    notes = [BY_N_CORRECT_NOTE, "self-refinement, published: outputs that are correct, of all", *map(str, own)]
    return table("Table 5, Figure 5: accuracy by number of correct candidates", head, rows, notes)


def _own_rows(one: Own, counts: Sequence[int]) -> list[list[str]]:
    who = ", ".join(dict.fromkeys((one.label, one.benchmark)))
    rows, groups = [], dict[str, int]()
    for name in (method.key for method in METHODS if method.key in _NAMES):
        found = one.strategy(name)
        if found is None:
            continue
        strata = found["by_n_correct"]
        groups = groups or {n: estimate["n"] for n, estimate in strata.items()}
        rows.append([_NAMES[name], who, *(share(strata.get(str(n))) for n in counts)])
    return [*rows, ["groups", who, *(f"{groups.get(str(n), 0):,}" if n <= one.k else "" for n in counts)]]


def _counted(correct: int, total: int) -> str:
    return f"{correct}/{total} ({100 * correct / total:.1f})"
