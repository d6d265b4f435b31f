"""The Refinement Gap of several runs taken together, such as one for each seed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts.metrics.difference import clustered_difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.gaps import policy_of, read_summary
from tts.metrics.tables import Table, counted, percent
from tts.vocabulary.errors import ConfigError

_NAMES = ("pass@1", "majority", "refined", "gap")
_SHARE = (0.0, 1.0)


class Pooled(NamedTuple):
    """One number over all groups of all runs, and how it differs from run to run.

    `estimate` has its interval over problems, as if one run had made all groups. `runs` are the means of each run, `sd`
    their standard deviation, which is what another seed changes; `None` for a single run.
    """

    estimate: Estimate
    runs: tuple[float, ...]

    @property
    def sd(self) -> float | None:
        """The standard deviation between runs."""
        return statistics.stdev(self.runs) if len(self.runs) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self.estimate.to_dict() | {"runs": list(self.runs), "sd": self.sd}


class PooledGap(NamedTuple):
    """The numbers of `tts.eval.Gap` over several runs; `groups` were decided, `common` problems are in every run."""

    names: tuple[str, ...]
    models: tuple[str, ...]
    k: int
    groups: int
    problems: int
    common: int
    pass_at_1: Pooled
    majority: Pooled
    refined: Pooled
    gap: Pooled

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        told = (self.pass_at_1, self.majority, self.refined, self.gap)
        return self._asdict() | {
            name: one.to_dict() for name, one in zip(("pass_at_1", *_NAMES[1:]), told, strict=True)
        }


class _Group(NamedTuple):
    """What one group of one problem says."""

    pass_at_1: float | None
    majority: float
    refined: float


_Groups = Mapping[str, Sequence[_Group]]


def pool_gaps(runs: Sequence[str | Path], strategy: str = "gsr") -> PooledGap:
    """All groups of runs of one protocol taken together: folders of `tts eval`, which keep every group's result.

    A problem that several runs have is one cluster of the intervals. pass@1 is of the groups whose candidates are all
    there. Raises `ConfigError` for what is no such folder, for runs of several k, and for one that is there twice: with
    the model, the problems and the seed of another, its samples are the same.
    """
    found = {Path(run): read_summary(Path(run)) for run in runs}
    if len(found) < len(runs):
        raise ConfigError("--pool: a run is named twice; its groups would count twice")
    _check(found)
    read = {run: _groups(run, summary, strategy) for run, summary in found.items()}
    every = list(read.values())
    problems = [set(one) for one in every]
    models = dict.fromkeys(policy_of(summary) for summary in found.values())
    return PooledGap(
        tuple(run.name for run in found),
        tuple(models),
        next(iter(found.values()))["k"],
        sum(len(groups) for one in every for groups in one.values()),
        len(set[str]().union(*problems)),
        len(set[str].intersection(*problems)),
        _pooled(every, lambda one: one.pass_at_1),
        _pooled(every, lambda one: one.majority),
        _pooled(every, lambda one: one.refined),
        _pooled(every, lambda one: one.refined - one.majority, clustered_difference),
    )


def pooled_table(pooled: PooledGap, strategy: str = "gsr") -> Table:
    """A row for all groups with intervals over problems, one for the mean and standard deviation of the runs."""
    told = (pooled.pass_at_1, pooled.majority, pooled.refined, pooled.gap)
    shown = [f"{_bounded(one.estimate, '+' if one is pooled.gap else '')}" for one in told]
    spread = [f"{_mean_sd(one, '+' if one is pooled.gap else '')}" for one in told]
    rows = [["all groups", *shown]]
    if len(pooled.names) > 1:
        rows.append([f"mean ± sd of {len(pooled.names)} runs", *spread])
    size = f"{counted(pooled.problems, 'problem')}, {counted(pooled.groups, 'group')} of k={pooled.k}"
    notes = [
        f"runs: {', '.join(pooled.names)}; {pooled.common} of the problems are in every one",
        *([f"of several models: {', '.join(pooled.models)}"] if len(pooled.models) > 1 else []),
        "intervals: 95 %, over problems, what the runs say of one problem kept together",
        "sd: between runs, which is what another seed changes, and no error of the mean",
    ]
    title = f"Refinement Gap pooled over {counted(len(pooled.names), 'run')}: {size}"
    return Table(title, ["", "mean@k (pass@1)", f"maj@{pooled.k}", strategy, "gap"], rows, notes)


def _check(found: Mapping[Path, dict[str, Any]]) -> None:
    """Raise for runs that do not belong together, or that are one."""
    sizes = {int(summary.get("k", 0)) for summary in found.values()}
    if len(sizes) > 1:
        raise ConfigError(f"--pool: the runs have groups of {', '.join(map(str, sorted(sizes)))}; pool one k")
    seen: dict[str, Path] = {}
    for run, summary in found.items():
        protocol = summary.get("protocol", {})
        told = {name: protocol.get(name) for name in ("problems", "seed", "models", "k", "n")}
        other = seen.setdefault(json.dumps(told, sort_keys=True, default=str), run)
        if other != run:
            raise ConfigError(
                f"--pool: {str(run)!r} has the problems, the model and the seed {protocol.get('seed')} of "
                f"{str(other)!r}, so its samples are the same; run it with another --seed"
            )


def _groups(run: Path, summary: dict[str, Any], strategy: str) -> dict[str, list[_Group]]:
    """The graded groups of a run by problem."""
    place = run / "results.jsonl"
    try:
        rows = [json.loads(line) for line in place.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"--pool: {str(run)!r} has no results.jsonl to pool; give a folder of `tts eval`") from error
    baseline = summary.get("baseline") or "majority"
    decided: dict[tuple[str, int], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        problem = str(row.get("problem_digest") or (row.get("problem_id"), row.get("gold")))
        name = "majority" if row["strategy"] == baseline else row["strategy"].split("(")[0]
        decided.setdefault((problem, row["group"]), {}).setdefault(name, row)
    found: dict[str, list[_Group]] = {}
    for (problem, _), one in decided.items():
        ours, theirs = (one.get(name, {}).get("correct") for name in (strategy, "majority"))
        if ours is not None and theirs is not None:
            hits = one[strategy].get("n_correct")
            share = None if hits is None else hits / summary["k"]
            found.setdefault(problem, []).append(_Group(share, float(theirs), float(ours)))
    if not found:
        raise ConfigError(
            f"--pool: {str(run)!r} has no group that 'majority' and {strategy!r} decided and that is graded; make it "
            f"with `tts eval ... -s majority,{strategy}`"
        )
    return found


def _pooled(
    every: Sequence[_Groups],
    value: Callable[[_Group], float | None],
    mean: Callable[[list[tuple[str, float]]], Estimate | None] = lambda found: clustered_mean(found, _SHARE),
) -> Pooled:
    listed = [
        [(problem, told) for problem, groups in one.items() for each in groups if (told := value(each)) is not None]
        for one in every
    ]
    pooled = mean([one for found in listed for one in found])
    if pooled is None:
        raise ConfigError("--pool: no group has all its candidates, so there is no pass@1; run the same again")
    means = (sum(one for _, one in found) / len(found) for found in listed if found)
    return Pooled(pooled, tuple(means))


def _bounded(one: Estimate, sign: str) -> str:
    bounds = f" ({100 * one.low:{sign}.1f} … {100 * one.high:{sign}.1f})" if one.bounded else ""
    return f"{100 * one.mean:{sign}.1f}{bounds}"


def _mean_sd(one: Pooled, sign: str) -> str:
    mean = statistics.fmean(one.runs)
    shown = percent(mean) if not sign else f"{100 * mean:{sign}.1f}"
    return shown if one.sd is None else f"{shown} ± {100 * one.sd:.1f}"
