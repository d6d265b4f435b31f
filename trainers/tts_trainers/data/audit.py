"""Whether the targets of refine rows could be told from the candidates alone, so that nobody learns to read problems.

Of a row it is asked what its target takes from the problem: the numbers that stand in both. Where at least half of the
candidates have all of them, a reader of candidates needs no problem: it could be swapped for another one, and the
target would be the same. That can be said of nearly all rows whose candidates are a student's own; a refiner trained on
them may well solve whatever problem its candidates solve.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tts import ConfigError
from tts.prompts import REFINE_FIELDS, Template
from tts_trainers.data.workfile import Table
from tts_trainers.rows import ENDINGS, Row, read_rows

MANY = 0.9
"""Above this share of rows that need no problem a warning says so (our choice: the rows that taught the family that
first shipped its shortcut are at 100 %, those of every kind at 75 %).
"""

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])")
_PROBLEM, _CANDIDATE = "\x00problem\x00", "\x00candidate\x00"
_NO_KIND = "not said"


class Shown(NamedTuple):
    """What a refine prompt shows."""

    problem: str
    candidates: tuple[str, ...]


class RefinePrompts:
    """Finds problem and candidates in the prompts of a template whose problem comes before its candidates."""

    def __init__(self, template: str = "refine") -> None:
        rendered = Template.load(template, REFINE_FIELDS).render(problem=_PROBLEM, candidates=[_CANDIDATE, _CANDIDATE])
        self._before, _, rest = rendered.partition(_PROBLEM)
        parts = rest.split(_CANDIDATE)
        # A template that shows a candidate twice, or nothing between two, cannot be taken apart.
        self._readable = len(parts) == 3 and all(part.strip() for part in parts[:2])
        self._first, between, self._after = parts if self._readable else ("", "", "")
        # What stands between two candidates may number them.
        self._between = re.compile(re.sub(r"\d+", r"\\d+", re.escape(between)))

    def read(self, prompt: str) -> Shown | None:
        """The parts of a prompt; `None` where it is of another template."""
        if not self._readable or not prompt.startswith(self._before):
            return None
        problem, found, rest = prompt[len(self._before) :].partition(self._first)
        if not found:
            return None
        return Shown(problem, tuple(self._between.split(rest.removesuffix(self._after))))


class Audit(NamedTuple):
    """What was found; counts are by kind of candidates, as the rows' provenance says it."""

    rows: Counter[str]
    unjudged: Counter[str]
    swappable: Counter[str]
    unread: int

    @property
    def share(self) -> float | None:
        """Of the rows that can be judged, the share whose problem could be swapped; `None` where there is none."""
        judged = self.rows.total() - self.unjudged.total()
        return self.swappable.total() / judged if judged else None

    def table(self) -> Table:
        """By kind."""
        lines = [(kind, count, self.unjudged[kind], self.swappable[kind]) for kind, count in self.rows.most_common()]
        head = ("kind", "refine rows", "no number taken from the problem", "problem could be swapped")
        return Table("Could the target be told from the candidates alone?", head, tuple(lines))

    def sentence(self) -> str:
        """What it comes to."""
        if self.share is None:
            return (
                "no refine row can be judged: none has a number that both its problem and its target have"
                if self.rows
                else f"there is no refine row of this template ({self.unread:,} of another one)"
            )
        judged = self.rows.total() - self.unjudged.total()
        found = (
            f"in {self.swappable.total():,} of {judged:,} refine rows ({self.share:.0%}) the problem could be swapped: "
            "all numbers that the target takes from it also stand in at least half of the candidates"
        )
        if self.unread:
            found += f"; {self.unread:,} rows are of another template and were not looked at"
        return found

    def warning(self) -> str | None:
        """What to do, where too many rows need no problem."""
        if self.share is None or self.share <= MANY:
            return None
        return (
            f"warning: {self.share:.0%} of the targets could be told from the candidates alone (above {MANY:.0%}): "
            "a model trained on these rows need not read the problem; give the recipe a table [kinds], such as that of "
            "data-gsr-reading, and measure with `tts controls`"
        )


def audit(rows: Iterable[Row], template: str = "refine") -> Audit:
    """Look at every refine row."""
    prompts, found = RefinePrompts(template), Audit(Counter(), Counter(), Counter(), 0)
    unread = 0
    for one in rows:
        if one["objective"] != "refine":
            continue
        shown = prompts.read(one["prompt"][-1]["content"])
        if shown is None:
            unread += 1
            continue
        kind = _kind(one)
        found.rows[kind] += 1
        taken = _numbers(shown.problem) & _numbers(one["completion"][0]["content"])
        if not taken:
            found.unjudged[kind] += 1
        elif sum(taken <= _numbers(candidate) for candidate in shown.candidates) * 2 >= len(shown.candidates):
            found.swappable[kind] += 1
    return found._replace(unread=unread)


def audit_files(place: Path, template: str = "refine") -> Audit:
    """The rows of a file, or of the training file in a folder of `tts train-data`."""
    files = [place] if place.is_file() else [place / f"train{ending}" for ending in ENDINGS]
    there = [file for file in files if file.is_file()]
    if not there:
        raise ConfigError(f"{str(place)!r} is neither a file of training rows nor a folder with train.parquet in it")
    return audit(read_rows(there[0]), template)


def _kind(one: Row) -> str:
    provenance = json.loads(one["provenance"] or "{}")
    kind = provenance.get("kind") if isinstance(provenance, dict) else None
    return kind if isinstance(kind, str) else _NO_KIND


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))
