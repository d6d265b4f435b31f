"""The paper's tables beside ours, as Markdown, from the comparisons that `evaluate` saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tts_trainers.replica import paper
from tts_trainers.replica.evaluate import read_comparison
from tts_trainers.replica.recipe import ReplicaRecipe

_METHODS = {
    "majority": "majority",
    "best_of_n": "best of N, reward model",
    "knockout": "knockout, generative judge",
    "synthesizer": "external synthesizer",
    "gsr": "self-refinement (GSR)",
}


def methods(folder: Path) -> str:
    """Table 1, Table 4 and Table 5 with Figure 5: every method on the same candidates."""
    found = read_comparison(folder)
    return "\n".join([_table_1(found), _table_5(found), _table_4(found)])


def _table_1(found: Mapping[str, Any]) -> str:
    k = found["k"]
    rows = [["pass@1, mean candidate", _share(found["pass@1"]), "", *map(_number, paper.METHODS["pass@1"])]]
    rows.append([f"pass@{k}, an oracle that selects", _share(found[f"pass@{k}"]), "", *[""] * len(paper.BENCHMARKS)])
    for name, label in _METHODS.items():
        ours = _strategy(found, name)
        rows.append(
            [label, _share(ours["accuracy"]), _gap(ours["gap_to_majority"]), *map(_number, paper.METHODS[name])]
        )
    title = f"## Table 1: one answer from {k} candidates ({found['groups']:,} groups)"
    return _table(title, ["method", "ours", "minus majority", *(f"paper, {b}" for b in paper.BENCHMARKS)], rows)


def _table_5(found: Mapping[str, Any]) -> str:
    counts = range(found["k"], -1, -1)
    rows = []
    for name, label in _METHODS.items():
        strata = _strategy(found, name)["by_n_correct"]
        ours = [_share(strata.get(str(n))) for n in counts]
        printed = paper.BY_N_CORRECT.get(name, ())
        rows.append([label, *ours, " / ".join(map(_number, printed))])
    groups = _strategy(found, "majority")["by_n_correct"]
    rows.append(["groups", *(str(groups[str(n)]["n"]) if str(n) in groups else "0" for n in counts), ""])
    head = ["method", *(f"N_c = {n}" for n in counts), "paper, AIME24"]
    return _table("## Table 5, Figure 5: accuracy by number of correct candidates", head, rows)


def _table_4(found: Mapping[str, Any]) -> str:
    """Generated tokens of one response: a direct one, and a refinement of all k."""
    direct = _strategy(found, "majority")["usage"]
    total = _strategy(found, "gsr")["usage"]
    responses, groups = found["groups"] * found["k"], found["groups"]
    outputs = max(1, (total["calls"] - direct["calls"]) // groups)
    kinds = {"thinking": "thinking_tokens", "answer": "answer_tokens"}
    rows = []
    for label, key in kinds.items():
        one, refined = direct[key] / responses, (total[key] - direct[key]) / (groups * outputs)
        rows.append([label, f"{one:.1f}", f"{refined:.1f}"])
    return _table("## Table 4: generated tokens of one response", ["", "direct", "refinement"], rows)


def arms(folder: Path) -> str:
    """Table 2: what each half of the training data gives."""
    rows = []
    for arm, (pass_1, refined) in paper.ARMS.items():
        found = read_comparison(folder / arm)
        rows.append([arm, *_before_after(found), _number(pass_1), _number(refined)])
    head = ["trained on", "pass@1", "maj@k", "selfRef@k", "gap", "paper, pass@1", "paper, selfRef@4"]
    return _table(f"## Table 2: the arms ({found['groups']:,} groups of {found['k']})", head, rows)


def sizes(folder: Path, recipe: ReplicaRecipe, parameters: Mapping[str, int]) -> str:
    """Figure 2: the gap against model size, before and after hybrid training."""
    rows = [
        [f"{size}, {stage}", f"{parameters[size]:,}", *_before_after(read_comparison(folder / f"{stage}-{size}"))]
        for size in recipe.sizes
        for stage in ("base", "hybrid")
    ]
    head = ["size", "parameters", "pass@1", "maj@k", "selfRef@k", "gap"]
    return _table("## Figure 2: Refinement Gap against model size", head, rows)


def numbers_of_candidates(folder: Path, recipe: ReplicaRecipe) -> str:
    """Figure 6: more candidates."""
    rows = [[str(k), *_before_after(read_comparison(folder / f"k{k}"))] for k in recipe.evaluation.ks]
    shown = ", ".join(map(str, sorted(set(recipe.candidates.shown))))
    title = f"## Figure 6: k candidates (training showed {shown})"
    return _table(title, ["k", "pass@1", "maj@k", "selfRef@k", "gap"], rows)


def harder(folder: Path, recipe: ReplicaRecipe) -> str:
    """Figure 7: another distribution of problems."""
    rows = [[arm, *_before_after(read_comparison(folder / arm))] for arm in ("base", "direct", "hybrid")]
    ranges = ", ".join(f"{name} {low}-{high}" for name, (low, high) in recipe.harder)
    trained = ", ".join(f"{name} {low}-{high}" for name, (low, high) in recipe.task)
    title = f"## Figure 7: a shifted distribution ({ranges}; trained on {trained})"
    return _table(title, ["model", "pass@1", "maj@k", "selfRef@k", "gap"], rows)


def _before_after(found: Mapping[str, Any]) -> list[str]:
    refined = _strategy(found, "gsr")
    voted = _strategy(found, "majority")["accuracy"]
    return [*map(_share, (found["pass@1"], voted, refined["accuracy"])), _gap(refined["gap_to_majority"])]


def _strategy(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A strategy by name, whatever parameters its label shows."""
    label = next(label for label in found["strategies"] if label.split("(")[0] == name)
    chosen: Mapping[str, Any] = found["strategies"][label]
    return chosen


def _share(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return ""
    return f"{100 * estimate['mean']:.1f}{_interval(estimate, '.1f')}"


def _gap(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return ""
    return f"{100 * estimate['mean']:+.1f}{_interval(estimate, '+.1f')}"


def _interval(estimate: Mapping[str, Any], form: str) -> str:
    if estimate["interval"] is None:
        return ""
    low, high = estimate["interval"]
    return f" [{100 * low:{form}}, {100 * high:{form}}]"


def _number(value: float) -> str:
    return f"{value:g}"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([title, "", *("| " + " | ".join(line) + " |" for line in lines), ""])
