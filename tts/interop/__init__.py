"""Candidate sets that other evaluation tools have written.

They come as rows that `read_candidate_sets` takes. One module per tool with two functions: `holds(path, first)` says
whether a file is the tool's, given its first row, and `rows(path)` yields one row per problem. What a tool recorded
about a response (its score, its extracted answer) is kept beside the candidate; answers are extracted and graded anew.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.rows.files import Row, is_file_name, rows_of_file
from tts.vocabulary.errors import ConfigError, TaskError, did_you_mean

FORMATS = {
    "lm-eval": "tts.interop.lm_eval",
    "inspect": "tts.interop.inspect_logs",
    "nemo-skills": "tts.interop.nemo_skills",
    "lighteval": "tts.interop.lighteval",
    "evalscope": "tts.interop.evalscope",
    "opencompass": "tts.interop.opencompass",
    "reasoning-gym": "tts.interop.reasoning_gym",
    "verifiers": "tts.interop.verifiers",
    "verl": "tts.interop.verl",
    "folder": "tts.interop.problem_folder",
}
"""The tools whose files are read, by the name that `format=` takes."""


def detect(source: object) -> str | None:
    """The format of a file or folder of another tool; `None` for everything else."""
    if not isinstance(source, str | Path) or "\n" in str(source) or len(str(source)) > 4096:
        return None
    try:
        path = Path(source).expanduser()
        if not path.exists():
            return None
    except (OSError, RuntimeError):  # the text of a problem need not be a possible path
        return None
    first = _first_row(path)
    return next((name for name, module in FORMATS.items() if importlib.import_module(module).holds(path, first)), None)


def _first_row(path: Path) -> Mapping[str, Any]:
    """The first readable row of a file that has them; a .json file is read whole for it."""
    if path.is_dir() or not is_file_name(path.name):
        return {}
    try:
        values = (row.value for row in rows_of_file(path))
        return next((value for value in values if isinstance(value, Mapping)), {})
    except TaskError:  # who reads the rows says what is wrong with them
        return {}


def rows_of_format(name: str, path: Path) -> Iterator[Row]:
    """The rows of a file of this format, one per problem.

    Raises `ConfigError` for an unknown format, `TaskError` for a file that is not there.
    """
    if name not in FORMATS:
        raise ConfigError(f"format={name!r} is unknown{did_you_mean(name, FORMATS)}")
    path = path.expanduser()
    if not path.exists():
        raise TaskError(f"there is no file {str(path)!r}")
    return importlib.import_module(FORMATS[name]).rows(path)  # type: ignore[no-any-return]
