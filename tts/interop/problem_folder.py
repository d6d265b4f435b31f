"""A folder with one file per problem, `0.yaml`, `1.yaml` … (or `.json`), as Large Language Monkeys writes its samples.

From its repository; the tool itself was not run. Each file has the question, the gold answer and a list of samples.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted
from tts.rows.files import Row
from tts.vocabulary.errors import MissingDependencyError, TaskError

_NAME = re.compile(r"\D*(?P<number>\d+)\.(?:ya?ml|json)")


def holds(path: Path, first: Mapping[str, Any]) -> bool:  # noqa: ARG001 - the signature of every format
    """A folder whose first file of such a name has samples."""
    if not path.is_dir() or not (files := _files(path)):
        return False
    with files[0].open("rb") as file:
        return b"samples" in file.read(1_000_000)


def rows(path: Path) -> Iterator[Row]:
    """One row per file, in the order of their numbers."""
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise TaskError(f"{path} has no file such as 0.yaml or 0.json")
    return converted((Row(str(file), "the document", _document(file)) for file in files), _convert)


def _files(folder: Path) -> list[Path]:
    numbered = [(int(match["number"]), one) for one in folder.iterdir() if (match := _NAME.fullmatch(one.name))]
    return [one for _, one in sorted(numbered)]


def _document(file: Path) -> Any:
    try:
        text = file.read_text("utf-8-sig")
        return json.loads(text) if file.suffix == ".json" else _yaml(file).safe_load(text)
    except MissingDependencyError:
        raise
    except Exception as error:  # a library's, of many kinds
        return TaskError(f"{file} cannot be read: {' '.join(str(error).split())}")


def _yaml(file: Path) -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise MissingDependencyError(f"reading {file} needs 'pyyaml'; pip install pyyaml") from error


def _convert(row: Row) -> Converted:
    if not isinstance(row.value, Mapping):
        raise row.error(f"a value of type {type(row.value).__name__} is not a problem with its samples")
    sent = row.value.get("prompt")
    known = row.value.get("question") is not None and sent is not None
    asked = {"request": [{"role": "user", "content": sent}]} if known else {}
    own = {name: one for name, one in row.value.items() if name != "prompt" or not asked}
    return {"id": Path(row.source).stem, **own, "metadata": {**(own.get("metadata") or {}), **asked}}
