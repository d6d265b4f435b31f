"""Several runs in one report: accuracies with their Refinement Gap, whatever it is that differs between runs.

It is made of the summaries that comparisons save: a run is a store, a folder of `tts eval` or a .json file. Single
problems are for the report of one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts._version import __version__
from tts.metrics.estimate import Estimate
from tts.metrics.gaps import estimate_of, policy_of, read_summary
from tts.metrics.tables import Table, about, counted
from tts.report._words import estimate, percent, tokens
from tts.report.page import Document
from tts.report.section import Figure, Point, Section, Series
from tts.report.stored import stored_run
from tts.store.address import is_store, shown_store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Usage


class RunData(NamedTuple):
    """What one run tells; strategies by label, `None` where it has no such number. `baseline` is the majority vote.

    `generated` are tokens per group, `estimated` how many tokens of all are an estimate.
    """

    name: str
    model: str
    k: int
    problems: int
    groups: int
    baseline: str
    pass_at_1: Estimate | None
    pass_at_k: Estimate | None
    accuracy: dict[str, Estimate | None]
    gap: dict[str, Estimate | None]
    generated: dict[str, float]
    estimated: Mapping[str, int] = {}


def read_runs(paths: Sequence[str | Path], **stored: Any) -> list[RunData]:
    """The runs in the order given; `stored` are options of `stored_run`, for stores.

    Raises `ConfigError` for a run that is not there or is no summary.
    """
    names = [_short_name(path) for path in paths]
    shown = [shown_store(path) if names.count(name) > 1 else name for path, name in zip(paths, names, strict=True)]
    return [_run(name, path, stored) for name, path in zip(shown, paths, strict=True)]


def _short_name(path: str | Path) -> str:
    file = Path(shown_store(path))
    return file.stem if file.suffix in (".db", ".json") else file.name


def _run(name: str, path: str | Path, stored: dict[str, Any]) -> RunData:
    if is_store(path):
        compared = stored_run(path, **stored)
        found = compared.to_dict()
    else:
        found = read_summary(Path(path))
    try:
        told, k = found["strategies"], found["k"]
        return RunData(
            name=name,
            model=policy_of(found),
            k=k,
            problems=found["problems"],
            groups=found["groups"],
            baseline=found.get("baseline") or "majority",
            pass_at_1=estimate_of(found["pass@1"]),
            pass_at_k=estimate_of(found[f"pass@{k}"]),
            accuracy={label: estimate_of(one["accuracy"]) for label, one in told.items()},
            gap={label: estimate_of(one["gap_to_majority"]) for label, one in told.items()},
            generated={label: _generated(one["usage"]) / max(found["groups"], 1) for label, one in told.items()},
            estimated={label: one["usage"].get("estimated_tokens", 0) for label, one in told.items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{shown_store(path)!r} is no summary of a comparison; make one with `tts eval`") from error


def _generated(usage: dict[str, Any]) -> float:
    return float(usage["thinking_tokens"] + usage["answer_tokens"])


def runs_document(runs: Sequence[RunData], title: str = "") -> Document:
    """The report of several runs."""
    made = (_summary(runs), _gaps(runs), _accuracies(runs), _tokens(runs), _setup(runs))
    sections = [one for one in made if one is not None]
    return Document(title or "Runs side by side", (counted(len(runs), "run"), f"ttscale {__version__}"), sections)


def _strategies(runs: Sequence[RunData]) -> list[str]:
    return list(dict.fromkeys(label for run in runs for label in run.accuracy))


def _with_gaps(runs: Sequence[RunData]) -> dict[str, list[tuple[RunData, Estimate]]]:
    """The runs that have a gap of each strategy; strategies that have none anywhere are left out."""
    found = {
        label: [(run, gap) for run in runs if (gap := run.gap.get(label)) is not None] for label in _strategies(runs)
    }
    return {label: rows for label, rows in found.items() if rows}


def _summary(runs: Sequence[RunData]) -> Section:
    words = [f"{', '.join(run.name for run in runs)}, in this order."]
    words += [_told(label, found) for label, found in _with_gaps(runs).items()]
    if len({(run.problems, run.groups, run.k) for run in runs}) > 1:
        words.append("The runs differ in problems, groups or k: see how they were made before comparing them.")
    return Section("summary", "Summary", tuple(words))


def _told(label: str, found: Sequence[tuple[RunData, Estimate]]) -> str:
    (least, low), (most, high) = min(found, key=lambda row: row[1].mean), max(found, key=lambda row: row[1].mean)
    if len(found) == 1:
        return f"{label} against the majority vote: {estimate(low, signed=True)} points, in {least.name} alone."
    better, worse = sum(gap.low > 0 for _, gap in found), sum(gap.high < 0 for _, gap in found)
    return (
        f"{label} against the majority vote: from {percent(low.mean, signed=True)} points ({least.name}) to "
        f"{percent(high.mean, signed=True)} ({most.name}); the interval is above 0 in {better} of {len(found)} runs, "
        f"below in {worse}."
    )


def _gaps(runs: Sequence[RunData]) -> Section | None:
    found = _with_gaps(runs)
    if not found:
        return None
    rows = [[run.name, estimate(run.pass_at_1), *_signed(run, found)] for run in runs]
    table = Table("Gap to the majority vote, points", ["run", "pass@1, %", *found], rows)
    series = [
        Series(label, tuple(_point(label, run, gap, alone=len(found) == 1) for run, gap in given), place)
        for place, (label, given) in enumerate(found.items())
    ]
    figure = Figure("gaps", "Gap to the majority vote", "interval", "difference, points", "", tuple(series), zero=True)
    text = (
        "The Refinement Gap: accuracy minus that of the majority vote on the same groups of candidates, 95 % intervals "
        "clustered by problem."
    )
    return Section("gaps", "Refinement Gap", (text,), (table,), (figure,))


def _signed(run: RunData, found: dict[str, Any]) -> Iterator[str]:
    return (estimate(run.gap.get(label), signed=True) for label in found)


def _point(label: str, run: RunData, gap: Estimate, *, alone: bool) -> Point:
    return Point.of(run.name if alone else f"{label}, {run.name}", gap)


def _accuracies(runs: Sequence[RunData]) -> Section | None:
    labels = _strategies(runs)
    if all(run.pass_at_1 is None for run in runs):
        return None
    rows = [
        [run.name, *map(estimate, (run.pass_at_1, *(run.accuracy.get(label) for label in labels), run.pass_at_k))]
        for run in runs
    ]
    table = Table("Accuracy, %", ["run", "pass@1", *labels, "oracle"], rows)
    text = "One decision for each group of candidates, several outputs averaged. The oracle picks a right candidate."
    return Section("accuracy", "Accuracy", (text,), (table,))


def _tokens(runs: Sequence[RunData]) -> Section | None:
    labels = _strategies(runs)
    if not any(any(run.generated.values()) for run in runs):
        return None
    rows = [[run.name, *(_generated_by(run, label) for label in labels)] for run in runs]
    text = "What each strategy would have generated for a group had it run alone, its candidates included."
    notes = ["≈: some of these tokens are estimated"] if any(any(run.estimated.values()) for run in runs) else []
    return Section("tokens", "Tokens", (text,), (Table("Generated tokens per group", ["run", *labels], rows, notes),))


def _generated_by(run: RunData, label: str) -> str:
    made = run.generated.get(label)
    return about(Usage(estimated_tokens=run.estimated.get(label, 0))) + tokens(made) if made else ""


def _setup(runs: Sequence[RunData]) -> Section:
    rows = [[run.name, run.model, f"{run.problems:,}", f"{run.groups:,}", str(run.k)] for run in runs]
    table = Table("How they were made", ["run", "model", "problems", "groups", "k"], rows)
    return Section("made", "How they were made", (), (table,))
