"""The plugin hooks: functions under `@tts.hookimpl`, which a plugin module defines to return declarations.

A declaration is an `Entry`: a name and an import string, resolved on first use. So listing plugins imports nothing
heavy, and a missing dependency becomes one sentence that names the extra to install.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from tts.vocabulary.errors import ConfigError

if TYPE_CHECKING:
    from tts.vocabulary.events import Event

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("tts")
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("tts")
_FORMS = (("name", r"[a-z0-9][a-z0-9_.-]*", "shortest"), ("target", r"[\w.]+:\w+", "my_package.module:Class"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Declares one plugin object: `target` is `"package.module:attribute"`, `extra` what provides its imports.

    `name` is of lower-case letters, digits, `_`, `.` and `-`. `extra` is a requirement as pip reads it, e.g.
    `"ttscale[hf]"`. `summary` is its line in `tts plugins`, `paper` what the method comes from, e.g. `"Wang et al.
    2022, arXiv 2203.11171"`. Raises `ConfigError` for a value of another form.
    """

    # No pydantic model: declarations are all that `tts --help` needs, and pydantic is most of what it would import.
    name: str
    target: str
    extra: str | None = None
    summary: str = ""
    paper: str | None = None

    def __post_init__(self) -> None:
        """Check the form of each value."""
        for field, form, example in _FORMS:
            value = getattr(self, field)
            if not (isinstance(value, str) and re.fullmatch(form, value)):
                raise ConfigError(f"Entry: {field}={value!r} should look like {example!r}")
        for field in ("extra", "summary", "paper"):
            value = getattr(self, field)
            if not (isinstance(value, str) or (value is None and field != "summary")):
                raise ConfigError(f"Entry {self.name!r}: {field}={value!r} should be text")


@hookspec
def tts_strategies() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Aggregation strategies: targets are subclasses of `tts.Strategy`."""


@hookspec
def tts_backends() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Policy models: targets are classes that implement `tts.Backend`."""


@hookspec
def tts_scorers() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Reward models: targets are classes that implement `tts.Scorer`."""


@hookspec
def tts_judges() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Pairwise judges: targets are subclasses of `tts.JudgeFormat`, or classes that implement `tts.Judge`."""


@hookspec
def tts_graders() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Graders: targets are classes without arguments that implement `tts.Grader`."""


@hookspec
def tts_extractors() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Answer extractors: targets are functions from visible text to the final answer or `None`."""


@hookspec
def tts_tasks() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Tasks: targets are subclasses of `tts.Task`."""


@hookspec
def tts_trainers() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Trainers: targets are functions from a validated recipe to a checkpoint folder."""


@hookspec
def tts_reports() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Report sections: targets are functions from `tts.report.ReportData` to a `tts.report.Section`, or to `None`."""


@hookspec
def tts_pages() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Writers of reports: targets are functions from a comparison and a path to the path that was written."""


@hookspec
def tts_commands() -> Iterable[Entry]:  # type: ignore[empty-body]
    """Command-line commands: targets are `click.Command` objects; `summary` is their line in `tts --help`."""


@hookspec
def tts_event(event: Event) -> None:
    """Called for every engine event; must be quick and must not raise."""
