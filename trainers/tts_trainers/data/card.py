"""The data card: README.md of the output folder, with every count, setting, source or hash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import tts
from tts_trainers.data.mixture import Written
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.workfile import Table

_MADE = (
    "Made by `tts train-data` (ttscale {version}) in the way of arXiv 2509.00084: the student's own candidates are "
    "shown in refine prompts, a teacher answers them, correct answers are kept, and direct solutions are mixed in."
)
_COLUMNS = (
    "Columns: `prompt` and `completion` (chat messages), `objective` (`direct` or `refine`), `n_correct` (correct "
    "candidates in the prompt), `problem_id`, `provenance` (JSON). No problem is in both files."
)
_NOISY = (
    "**Labels are not verified.** What counts as correct here is {what}, not a gold answer: some targets are wrong, "
    "`n_correct` is empty, and errors that the student makes often are taught back to it."
)
_WHAT = {"majority": "the majority of the student's candidates", "reward-model": "what a reward model likes best"}


def card(recipe: DataRecipe, sources: Mapping[str, str], tables: Sequence[Table], files: Sequence[Written]) -> str:
    """The text of the card; the same data give the same text."""
    parts = [
        _front_matter(files),
        "# Training data: direct and refine rows",
        _MADE.format(version=tts.__version__),
        *([_NOISY.format(what=_WHAT[recipe.label.kind])] if recipe.label.kind in _WHAT else []),
        _COLUMNS,
        "## Counts",
        *(f"### {table.title}\n\n{as_markdown(table)}" for table in tables),
        "## Files",
        as_markdown(Table("", ("file", "rows", "sha256"), tuple(files))),
        "## Sources",
        as_markdown(Table("", ("source", "sha256"), tuple(sources.items()))),
        "## Settings",
        f"```json\n{json.dumps(recipe.model_dump(mode='json'), indent=2, ensure_ascii=False)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def as_markdown(table: Table) -> str:
    """A table of the card."""
    lines = [table.header, tuple("---" if i == 0 else "---:" for i in range(len(table.header))), *table.rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def as_text(table: Table) -> str:
    """A table for a terminal, numbers to the right."""
    cells = [list(map(_cell, line)) for line in (table.header, *table.rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(table.header))]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    ]
    return "\n".join([table.title, *(f"  {line.rstrip()}" for line in lines if line.strip())])


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _front_matter(files: Sequence[Written]) -> str:
    """What makes `datasets.load_dataset(FOLDER)` find the files."""
    names = {"train": "train", "evaluation": "validation"}
    sides = [file for file in files if "/" not in file.name]
    lines = [f"  - split: {names[file.name.partition('.')[0]]}\n    path: {file.name}" for file in sides]
    return "\n".join(["---", "configs:", "- config_name: default", "  data_files:", *lines, "---"])
