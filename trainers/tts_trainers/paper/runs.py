"""Runs of one's own: `tts eval`'s folders, or summaries of comparisons, each of somebody on a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tts import ConfigError
from tts.eval import read_summary
from tts_trainers.paper.published import TASKS

OURS = "ours"


class Own(NamedTuple):
    """What one run measured: `label` says of whom, `benchmark` on what, by the paper's name where it has one."""

    label: str
    benchmark: str
    summary: Mapping[str, Any]

    @property
    def k(self) -> int:
        """How many candidates a group has."""
        return int(self.summary["k"])

    def strategy(self, name: str) -> Mapping[str, Any] | None:
        """A strategy's numbers by its name, whatever parameters its label shows; `None` where it was not compared."""
        label = self.label_of(name)
        return None if label is None else self.summary["strategies"][label]

    def label_of(self, name: str) -> str | None:
        """The label that a strategy has in the run."""
        return next((label for label in self.summary["strategies"] if label.split("(")[0] == name), None)

    def accuracy(self, name: str) -> Mapping[str, Any] | None:
        """The estimate of a strategy's accuracy."""
        found = self.strategy(name)
        return None if found is None else found["accuracy"]

    def point(self, curve: str, k: int) -> Mapping[str, Any] | None:
        """A curve at k candidates; `None` where so many were not sampled, or nothing scored them."""
        points: Mapping[str, Any] = self.summary.get("curves", {}).get(curve, {}).get("points", {})
        return points.get(str(k))

    def __str__(self) -> str:
        found = self.summary
        outputs = found.get("protocol", {}).get("outputs")
        model = found.get("models", {}).get("policy", "")
        each = f", {outputs} outputs of each" if outputs else ""
        who = f"{self.label}, {self.benchmark}" if self.label != OURS else self.benchmark
        return f"{who}: {found['problems']:,} problems, {found['groups']:,} groups of {self.k}{each}; {model}".rstrip(
            "; "
        )


def read_runs(given: Iterable[str]) -> list[Own]:
    """Runs as `--runs` names them: `[LABEL/]BENCHMARK=RUN`, several between commas.

    A benchmark is a task's name, such as `aime24`; any other name has a column of its own. Raises `ConfigError` for
    what cannot be read.
    """
    return [_read(part) for text in given for part in text.split(",") if part.strip()]


def _read(text: str) -> Own:
    name, given, place = text.strip().partition("=")
    if not given or not place or not name:
        raise ConfigError(
            f"--runs {text!r}: give BENCHMARK=FOLDER or LABEL/BENCHMARK=FOLDER, such as aime24=runs/aime24"
        )
    label, _, benchmark = name.rpartition("/")
    found = read_summary(Path(place))
    own = Own(label or OURS, TASKS.get(benchmark, benchmark), found)
    if not all(part in found for part in ("k", "pass@1", "strategies", "groups")) or found["pass@1"] is None:
        raise ConfigError(f"--runs {text!r}: {place!r} has no accuracies; give a run on problems with gold answers")
    return own
