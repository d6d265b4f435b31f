"""The family in the paper's tables, from the comparisons that `evaluate` saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tts_trainers.paper.markdown import gap, share, table
from tts_trainers.paper.runs import Own
from tts_trainers.paper.tables import TABLES
from tts_trainers.replica.controlled import by_control, goals, read_controls
from tts_trainers.replica.evaluate import read_comparison
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.scorers import COIN, read_scorers

_TASK, _HARDER = "sums", "harder sums"


def methods(folder: Path, recipe: ReplicaRecipe) -> str:
    """Tables 1, 4 and 5 with Figures 5 and 8: every method on the same candidates."""
    printed = [of_family(name, folder, recipe) for name in ("table1", "table5", "table4", "figure8")]
    return "\n".join([printed[0], *filter(None, [scorers(folder)]), *printed[1:]])


def controls(folder: Path) -> str:
    """What self-refinement goes by: its candidates changed on purpose, and what was meant to be reached."""
    found = read_controls(folder)
    voted, refined = (by_control(found, name) for name in ("majority", "gsr"))
    rows = [
        [
            name,
            str(one["groups"]),
            share(voted[name]["accuracy"]),
            share(one["accuracy"]),
            *map(gap, (one["versus_own"], one["versus_majority"])),
        ]
        for name, one in refined.items()
    ]
    head = ["candidates", "groups", "majority", "self-refinement", "minus own", "minus majority"]
    first = table(f"Controls (k = {found['k']}, direct solving {share(found['direct'])})", head, rows)
    said = {True: "yes", False: "no", None: ""}
    goal_rows = [[what, shown, said[reached]] for what, shown, reached in goals(found)]
    return "\n".join([first, table("What was meant to be reached", ["goal", "measured", "reached"], goal_rows)])


def scorers(folder: Path) -> str:
    """How often each scorer orders a right and a wrong response right; empty where none was compared."""
    found = read_scorers(folder)
    if not found:
        return ""
    rows = [
        [label, share(one), "chosen" if label == found["chosen"] else ""] for label, one in found["held_out"].items()
    ]
    head = ["scorer", "pairs of held-out problems ordered right", ""]
    return table("Which scorer best of N goes by", head, rows)


def _scored_by(folder: Path) -> str:
    """The scorer of the best-of-N rows, and whether it is any better than a coin."""
    found = read_scorers(folder)
    if not found:
        return ""
    estimate = found["held_out"][found["chosen"]]
    if estimate is None:
        return f"\nfamily: best of N by {found['chosen']} (no held-out pair to measure it on)\n"
    weak = " (little better than a coin)" if estimate["mean"] < COIN else ""
    return f"\nfamily: best of N by {found['chosen']}{weak}\n"


def of_family(name: str, folder: Path, recipe: ReplicaRecipe, parameters: Mapping[str, int] | None = None) -> str:
    """A table or figure by its name; models that are not there have no row."""
    runs = {
        "table2": lambda: _labelled(folder, ("base", "direct", "refine", "hybrid")),
        "table3": lambda: _sizes(folder, recipe, parameters or {}),
        "figure2": lambda: _sizes(folder, recipe, parameters or {}),
        "figure6": lambda: _runs((("family", folder / f"k{k}") for k in recipe.evaluation.ks), _TASK),
        "figure7": lambda: _runs(((arm, folder / arm) for arm in ("base", "direct", "hybrid")), _HARDER),
    }
    own = runs[name]() if name in runs else _runs((("family", folder),), _TASK)
    return TABLES[name](own) + (_scored_by(folder) if name == "table1" else _below(name, recipe))


def _below(name: str, recipe: ReplicaRecipe) -> str:
    """What one has to know of the family to read a figure."""
    if name == "figure6":
        shown = ", ".join(map(str, sorted(set(recipe.candidates.shown))))
        return f"\nfamily: training showed {shown} candidates\n"
    if name == "figure7":
        ranges, trained = (
            ", ".join(f"{part} {low}-{high}" for part, (low, high) in given) for given in (recipe.harder, recipe.task)
        )
        return f"\n{_HARDER}: {ranges}; trained on {trained}\n"
    return ""


def _sizes(folder: Path, recipe: ReplicaRecipe, parameters: Mapping[str, int]) -> list[Own]:
    """Before and after hybrid training."""
    told = {size: f"{size}, {parameters[size]:,} parameters" if size in parameters else size for size in recipe.sizes}
    stages = (("base", "before"), ("hybrid", "after"))
    places = ((f"{told[size]}, {when}", folder / f"{stage}-{size}") for size in recipe.sizes for stage, when in stages)
    return _runs(places, _TASK)


def _labelled(folder: Path, names: Iterable[str]) -> list[Own]:
    return _runs(((name, folder / name) for name in names), _TASK)


def _runs(places: Iterable[tuple[str, Path]], benchmark: str) -> list[Own]:
    return [Own(label, benchmark, found) for label, place in places if (found := read_comparison(place))]
