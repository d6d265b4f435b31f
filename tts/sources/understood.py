"""What was made of a source, in a line that is told before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tts.rows.columns import choose
from tts.rows.files import Row
from tts.rows.makers import made_by, several
from tts.sources.layout import Layout, named
from tts.sources.opening import Opened, Source, rows_of
from tts.sources.reading import Reading
from tts.vocabulary.errors import TaskError
from tts.vocabulary.records import Example, Sampled


class Understood(NamedTuple):
    """A source, what is in it, where its gold answers come from, what reading it has counted.

    `audit` is empty where nothing was read but problems.
    """

    source: str
    what: str
    gold: str
    audit: str = ""

    def line(self, answers: str, model: str) -> str:
        """All of it in one line, with how answers are compared and which model is asked."""
        return f"{self.source}: {self.what}, gold: {self.gold}, answers: {answers}, model: {model}"


def understood_sets(source: Source, layout: Layout, reading: Reading, sets: Sequence[Sampled]) -> Understood:
    """What was made of candidate sets that have been read."""
    sizes = sorted({len(one.candidates) for one in sets})
    size = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0] if sizes else 0)
    each = f"{size} candidate{'' if size == '1' else 's'}"
    who = several(made_by(one.candidates.problem, one.candidates.policy) for one in sets)
    what = f"{counted(len(sets), 'problem')} × {each}{f' of {who}' if who else ''}{_how(source, layout, reading)}"
    gold = _gold(source, reading.columns, [one.answer for one in sets], layout.format)
    return Understood(named(source), what, gold, _audit(reading, layout, sets))


def understood_examples(source: Source, reading: Reading, examples: Sequence[Example]) -> Understood:
    """What was made of problems that have been read."""
    left_out = f" ({counted(reading.dropped, 'row')} left out)" if reading.dropped else ""
    gold = _gold(source, reading.columns, [one.answer for one in examples], None)
    return Understood(named(source), counted(len(examples), "problem") + left_out, gold)


def _how(source: Source, layout: Layout, reading: Reading) -> str:
    if layout.format is not None:
        return f" (read as {layout.format})"
    if layout.kind == "samples":
        problem = _column(source, "problem", reading.columns)
        return f" (rows grouped by {problem}, candidates: column {layout.columns[0]})"
    if len(layout.columns) > 1:
        return f" (columns {layout.columns[0]} to {layout.columns[-1]})"
    return f" (column {layout.columns[0]})" if layout.columns and layout.columns[0] != "candidates" else ""


def _gold(source: Source, columns: Mapping[str, str], answers: Sequence[str | None], format_: str | None) -> str:
    known = sum(answer is not None for answer in answers)
    if not known:
        return "none, so nothing is graded"
    name = None if format_ else _column(source, "answer", columns)
    of = "" if known == len(answers) else f" ({known} of {len(answers)} problems)"
    return f"{'that of the file' if name is None else f'column {name}'}{of}"


def _column(source: Source, role: str, columns: Mapping[str, str]) -> str | None:
    """The column of a role in the first row that has columns."""
    first = None if isinstance(source, Opened) else _first(source)
    others = {one: name for one, name in columns.items() if one != "candidates"}
    try:
        return None if first is None else choose(first, role, others)
    except TaskError:
        return None


def _first(source: Any) -> Row | None:
    return next((row for row in rows_of(source) if isinstance(row.value, Mapping)), None)


def _audit(reading: Reading, layout: Layout, sets: Sequence[Sampled]) -> str:
    candidates = [one for each in sets for one in each.candidates]
    answered = sum(one.answer is not None for one in candidates)
    known = sum(one.usage.generated_tokens > 0 for one in candidates)
    tokens = "tokens known of all" if known == len(candidates) else f"tokens known of {known or 'none'}"
    read = f"{counted(reading.rows, 'row')} read" if layout.format is None else f"read as {layout.format}"
    return (
        f"{read}, {reading.dropped} dropped: {counted(len(sets), 'set')}, "
        f"{counted(len(candidates), 'candidate')}, {answered} with an answer, {tokens}"
    )


def counted(number: int, noun: str) -> str:
    """`1 problem`, `1,200 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
