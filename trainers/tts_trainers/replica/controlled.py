"""The controls of the family: what its refiner goes by, beside what it was meant to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tts

FILE = "controls.json"


def save_controls(found: tts.eval.Controls, folder: Path) -> None:
    """The results with the accuracy of single candidates, which is what direct solving comes to."""
    folder.mkdir(parents=True, exist_ok=True)
    direct = found.comparisons["own"].pass_at_1
    kept = found.to_dict() | {"direct": direct.to_dict() if direct else None}
    (folder / FILE).write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


def read_controls(folder: Path) -> dict[str, Any]:
    """What was saved; empty where nothing was."""
    found: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8")) if (folder / FILE).is_file() else {}
    return found


def by_control(found: Mapping[str, Any], strategy: str) -> dict[str, Mapping[str, Any]]:
    """One strategy's results."""
    return {one["control"]: one for one in found["results"] if one["strategy"].split("(")[0] == strategy}


def goals(found: Mapping[str, Any]) -> list[tuple[str, str, bool | None]]:
    """What was meant to be reached, what was, and whether it was; `None` where it was not measured."""
    gsr, k = by_control(found, "gsr"), found["k"]
    direct = found["direct"]["mean"] if found["direct"] else None
    told = [
        _goal("own candidates: at least 5 points above the majority", gsr.get("own"), "versus_majority", 0.05),
        *(
            _goal(f"{name}: at least direct solving - 5 points", gsr.get(name), "accuracy", direct - 0.05)
            for name in ("other", "empty", "noise")
            if direct is not None
        ),
        _goal("four right boxes without a solution: at least 95 %", gsr.get("right boxes"), "accuracy", 0.95),
    ]
    for name, one in gsr.items():
        if name.startswith("misread in "):
            told.append(_goal(f"{name} of {k}: at least majority - 2 points", one, "versus_majority", -0.02))
    return [*told, _goal(f"misread in all {k}: above 50 %", gsr.get(f"misread in {k}"), "accuracy", 0.5)]


def _goal(what: str, one: Mapping[str, Any] | None, key: str, least: float) -> tuple[str, str, bool | None]:
    estimate = None if one is None else one[key]
    if estimate is None:
        return what, "not measured", None
    sign = "+" if key.startswith("versus") else ""
    shown = f"{100 * estimate['mean']:{sign}.1f}"
    if estimate["interval"] is not None:
        low, high = estimate["interval"]
        shown += f" [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"
    return what, shown, estimate["mean"] >= least
