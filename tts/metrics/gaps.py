"""The Refinement Gap of several runs in one table: how it scales with the model (arXiv 2509.00084, Figure 2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts.metrics.estimate import Estimate
from tts.metrics.tables import Table, percent
from tts.vocabulary.errors import ConfigError


class Gap(NamedTuple):
    """One run's numbers; `gap` is the strategy's accuracy minus the majority's on the same groups."""

    run: str
    model: str
    k: int
    pass_at_1: Estimate
    majority: Estimate
    refined: Estimate
    gap: Estimate


def read_gaps(runs: Sequence[str | Path], strategy: str = "gsr") -> list[Gap]:
    """The gaps of runs, in the order given: folders of `tts eval`, or summaries saved as .json by a comparison.

    Raises `ConfigError` for a run that is not there, is no summary, or lacks strategy, majority or gold answers.
    """
    return [_gap(Path(run), strategy) for run in runs]


def gap_table(gaps: Sequence[Gap], strategy: str = "gsr") -> Table:
    """One row for each run."""
    rows = [
        [one.run, one.model, *map(_share, (one.pass_at_1, one.majority, one.refined)), *_signed(one.gap)]
        for one in gaps
    ]
    title = f"Refinement Gap over runs: {strategy} minus majority on the same groups, 95 % intervals"
    names = sorted({one.k for one in gaps})
    of = f"@{names[0]}" if len(names) == 1 else "@k"
    return Table(title, ["run", "model", "pass@1", f"maj{of}", strategy, "gap", "95 % interval"], rows)


def read_summary(run: Path) -> dict[str, Any]:
    """The summary of a run: that of a folder of `tts eval`, or the .json file itself; raises `ConfigError`."""
    path = run / "report.json" if run.is_dir() else run
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{str(run)!r}: give a folder of `tts eval` or a .json summary that is there") from error
    except ValueError as error:
        raise ConfigError(f"{str(run)!r} is no summary of a comparison; make one with `tts eval`") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{str(run)!r} is no summary of a comparison; make one with `tts eval`")
    return found


def policy_of(summary: dict[str, Any]) -> str:
    """The policy of a summary, as its call named it, else who made its candidates; of an early one the fingerprint."""
    protocol = summary.get("protocol", {})
    places = (protocol.get("named", {}), summary.get("models", {}), protocol.get("models", {}))
    return str(next((one[role] for role in ("policy", "candidates") for one in places if one.get(role)), ""))


def estimate_of(part: dict[str, Any] | None) -> Estimate | None:
    """An estimate as a summary has it."""
    if part is None:
        return None
    low, high = part["interval"] or (float("-inf"), float("inf"))
    return Estimate(part["mean"], low, high, part["problems"], part["n"])


def _gap(run: Path, strategy: str) -> Gap:
    found = read_summary(run)
    try:
        told = {label: one for label, one in found["strategies"].items() if label.split("(")[0] == strategy}
        majority, (refined, *_) = found["strategies"][found.get("baseline") or "majority"], told.values()
        parts = (found["pass@1"], majority["accuracy"], refined["accuracy"], refined["gap_to_majority"])
        estimates = [one for part in parts if (one := estimate_of(part)) is not None]
        return Gap(run.name, policy_of(found), found["k"], *estimates)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{str(run)!r} is no summary with gold answers, 'majority' and {strategy!r}; make one with "
            f"`tts eval ... -s majority,{strategy}`"
        ) from error


def _share(one: Estimate) -> str:
    return percent(one.mean)


def _signed(one: Estimate) -> list[str]:
    bounds = f"{100 * one.low:+.1f} … {100 * one.high:+.1f}" if one.bounded else ""
    return [f"{100 * one.mean:+.1f}", bounds]
