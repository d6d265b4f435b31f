"""The matrix as a table: what was tried, what was survived."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from trial import Trial, Tried

_HEAD = """# What runs survive

`make chaos` ends, cuts off, damages and deceives real runs: `tts` processes before a server process, with their stores,
under a seed that decides when and where. Each trial compares the table of results, row by row, with that of a run which
nobody disturbs, counts completions that are gone or asked for again beyond those in flight, and has a limit of time.
A bad plugin is survived where every other strategy, problem and number is right, and a sentence names the plugin.
"""


def page(trials: Sequence[Trial], found: Sequence[Tried], seed: int, minutes: float) -> str:
    """The page, in Markdown; what was not tried is said."""
    where = f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    lines = [
        _HEAD,
        f"Seed {seed}, {minutes:.0f} minutes, {where}.\n",
        "| | tried | survived | lost | asked twice | wrong or unsaid | hung |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in dict.fromkeys(trial.row for trial in trials):
        lines.append(_row(row, [one for one in found if one.trial.row == row]))
    lines.append(_row("**all**", found))
    failed = [one for one in found if not one.found.survived]
    if failed:
        lines += ["", "Not survived:", "", *(f"* {one.named}: {_plain(one.found.said)}" for one in failed)]
    done = {one.trial for one in found}
    left = [trial for trial in trials if trial not in done]
    if left:
        why = "; ".join(sorted({trial.lacks or "the time was over" for trial in left}))
        names = ", ".join(f"{trial.row}: {trial.name}" for trial in left[:20])
        more = f" and {len(left) - 20} more" if len(left) > 20 else ""
        lines += ["", f"Not tried ({why}): {names}{more}."]
    return "\n".join(lines)


def _row(name: str, found: Sequence[Tried]) -> str:
    results = [one.found for one in found]
    numbers = [
        len(results), sum(one.survived for one in results), sum(one.lost for one in results),
        sum(one.twice for one in results), sum(bool(one.wrong) for one in results), sum(one.hung for one in results),
    ]  # fmt: skip
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def _plain(text: str) -> str:
    return " ".join(text.split())[:200].replace("|", "/")
