"""verl: the generations of a validation step, `STEP.jsonl` of `trainer.validation_data_dir`.

From its source and documentation; the tool itself was not run. Each line has one response; the prompt is the decoded
chat, from which the user's last turn is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted, text_at
from tts.rows.files import Row, rows_of_file
from tts.rows.samples import by_problem

_TURN = re.compile(r"(?:\A|\n)user\n(?P<asked>(?:(?!\nuser\n).)*?)\s*(?:\nassistant\s*)?\Z", re.DOTALL)


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A file of generations with their scores."""
    return path.suffix == ".jsonl" and {"input", "output", "score", "step"} <= first.keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per problem; the model is not named in the file."""
    return by_problem(converted(rows_of_file(path), _convert), {"candidates": "response"})


def _convert(row: Row) -> Converted:
    sent = text_at(row, "input")
    asked = _TURN.search(sent)
    gold = row.value.get("gts", row.value.get("gt"))
    own = {name: row.value[name] for name in row.value.keys() - {"input", "output", "gts", "gt"}}
    return {**own, "problem": asked["asked"] if asked else sent, "answer": gold, "response": text_at(row, "output")}
