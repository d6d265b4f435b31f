"""The paper's tables beside ours, as Markdown, from the comparisons that `evaluate` saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tts_trainers.replica import paper
from tts_trainers.replica.controlled import by_control, goals, read_controls
from tts_trainers.replica.evaluate import read_comparison
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.scorers import COIN, read_scorers

_UNKNOWN = "the paper's own are not in our sources"
_METHODS = {
    "majority": "majority",
    "best_of_n": "best of N",
    "knockout": "knockout, generative judge",
    "synthesizer": "external synthesizer",
    "gsr": "self-refinement (GSR)",
}


def methods(folder: Path) -> str:
    """Tables 1, 4 and 5 with Figures 5 and 8: every method on the same candidates."""
    parts = [table_1(folder), scorers(folder), table_5(folder), table_4(folder), figure_8(folder)]
    return "\n".join(part for part in parts if part)


def table_1(folder: Path) -> str:
    """Every method beside the paper's five benchmarks."""
    found = read_comparison(folder)
    k = found["k"]
    rows = [["pass@1, mean candidate", _share(found["pass@1"]), "", *map(_number, paper.METHODS["pass@1"])]]
    rows.append([f"pass@{k}, an oracle that selects", _share(found[f"pass@{k}"]), "", *[""] * len(paper.BENCHMARKS)])
    for name, label in _METHODS.items():
        ours = _strategy(found, name)
        label = _scored_by(folder) if name == "best_of_n" else label
        rows.append(
            [label, _share(ours["accuracy"]), _gap(ours["gap_to_majority"]), *map(_number, paper.METHODS[name])]
        )
    title = f"## Table 1: one answer from {k} candidates ({found['groups']:,} groups)"
    return _table(title, ["method", "ours", "minus majority", *(f"paper, {b}" for b in paper.BENCHMARKS)], rows)


def controls(folder: Path) -> str:
    """What self-refinement goes by: its candidates changed on purpose, and what was meant to be reached."""
    found = read_controls(folder)
    voted, refined = (by_control(found, name) for name in ("majority", "gsr"))
    rows = [
        [
            name,
            str(one["groups"]),
            _share(voted[name]["accuracy"]),
            _share(one["accuracy"]),
            *map(_gap, (one["versus_own"], one["versus_majority"])),
        ]
        for name, one in refined.items()
    ]
    head = ["candidates", "groups", "majority", "self-refinement", "minus own", "minus majority"]
    table = _table(f"## Controls (k = {found['k']}, direct solving {_share(found['direct'])})", head, rows)
    said = {True: "yes", False: "no", None: ""}
    goal_rows = [[what, shown, said[reached]] for what, shown, reached in goals(found)]
    return "\n".join([table, _table("### What was meant to be reached", ["goal", "measured", "reached"], goal_rows)])


def scorers(folder: Path) -> str:
    """How often each scorer orders a right and a wrong response right; empty where none was compared."""
    found = read_scorers(folder)
    if not found:
        return ""
    rows = [
        [label, _share(one), "chosen" if label == found["chosen"] else ""] for label, one in found["held_out"].items()
    ]
    head = ["scorer", "pairs of held-out problems ordered right", ""]
    return _table("### Which scorer best of N goes by", head, rows)


def _scored_by(folder: Path) -> str:
    """The label of the best-of-N row: its scorer, and whether it is any better than a coin."""
    found = read_scorers(folder)
    if not found:
        return _METHODS["best_of_n"]
    estimate = found["held_out"][found["chosen"]]
    weak = estimate is None or estimate["mean"] < COIN
    return f"best of N, {found['chosen']}{' (little better than a coin)' if weak else ''}"


def table_5(folder: Path) -> str:
    """Every method by how many of the candidates are correct."""
    found = read_comparison(folder)
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


def table_4(folder: Path) -> str:
    """Generated tokens of one response: a direct one, and a refinement of all k."""
    direct, refined = _lengths(read_comparison(folder))
    rows = [[kind, f"{direct[kind]:.1f}", f"{refined[kind]:.1f}", ""] for kind in direct]
    whole = sum(direct.values()), sum(refined.values())
    shorter = f"{100 * (1 - whole[1] / whole[0]):+.1f}" if whole[0] else ""
    rows.append(["together", f"{whole[0]:.1f}", f"{whole[1]:.1f}", shorter])
    head = ["", "direct", "refinement", "shorter by, %"]
    return _table(f"## Table 4: generated tokens of one response ({_UNKNOWN})", head, rows)


def figure_8(folder: Path) -> str:
    """How much of an output is the summary that a reader, or the refiner, sees."""
    rows = []
    for label, kinds in zip(("direct", "refinement"), _lengths(read_comparison(folder)), strict=True):
        whole = sum(kinds.values())
        rows.append([label, f"{100 * kinds['answer'] / whole:.1f}" if whole else ""])
    return _table(f"## Figure 8: share of the summary in the output, % ({_UNKNOWN})", ["", "ours"], rows)


def _lengths(found: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean thinking and answer tokens of a direct response, and of a refinement."""
    direct, total = _strategy(found, "majority")["usage"], _strategy(found, "gsr")["usage"]
    responses, groups = found["groups"] * found["k"], found["groups"]
    outputs = max(1, (total["calls"] - direct["calls"]) // groups)
    kinds = {"thinking": "thinking_tokens", "answer": "answer_tokens"}
    return (
        {kind: direct[key] / responses for kind, key in kinds.items()},
        {kind: (total[key] - direct[key]) / (groups * outputs) for kind, key in kinds.items()},
    )


def arms(folder: Path) -> str:
    """Table 2: what each half of the training data gives."""
    found = {arm: read_comparison(folder / arm) for arm in paper.ARMS}
    rows = [[arm, *_before_after(found[arm]), *map(_number, printed)] for arm, printed in paper.ARMS.items()]
    head = ["trained on", "pass@1", "maj@k", "selfRef@k", "gap", "paper, pass@1", "paper, selfRef@4"]
    measured = next(one for one in found.values() if one)
    return _table(f"## Table 2: the arms ({measured['groups']:,} groups of {measured['k']})", head, rows)


def sizes(folder: Path, recipe: ReplicaRecipe, parameters: Mapping[str, int]) -> str:
    """Figure 2: the gap against model size, before and after hybrid training; sizes that are not there have no row."""
    rows = [
        [f"{size}, {stage}", f"{parameters[size]:,}" if size in parameters else "", *_before_after(found)]
        for size in recipe.sizes
        for stage in ("base", "hybrid")
        if (found := read_comparison(folder / f"{stage}-{size}"))
    ]
    head = ["size", "parameters", "pass@1", "maj@k", "selfRef@k", "gap"]
    return _table(f"## Figure 2: Refinement Gap against model size ({_UNKNOWN})", head, rows)


def numbers_of_candidates(folder: Path, recipe: ReplicaRecipe) -> str:
    """Figure 6: more candidates."""
    rows = [[str(k), *_before_after(read_comparison(folder / f"k{k}"))] for k in recipe.evaluation.ks]
    shown = ", ".join(map(str, sorted(set(recipe.candidates.shown))))
    title = f"## Figure 6: k candidates (training showed {shown}; {_UNKNOWN})"
    return _table(title, ["k", "pass@1", "maj@k", "selfRef@k", "gap"], rows)


def harder(folder: Path, recipe: ReplicaRecipe) -> str:
    """Figure 7: another distribution of problems."""
    arms = ("base", "direct", "hybrid")
    rows = [[arm, *_before_after(found)] for arm in arms if (found := read_comparison(folder / arm))]
    ranges = ", ".join(f"{name} {low}-{high}" for name, (low, high) in recipe.harder)
    trained = ", ".join(f"{name} {low}-{high}" for name, (low, high) in recipe.task)
    title = f"## Figure 7: a shifted distribution ({ranges}; trained on {trained}; {_UNKNOWN})"
    return _table(title, ["model", "pass@1", "maj@k", "selfRef@k", "gap"], rows)


def _before_after(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return [""] * 4
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
