"""inspect_ai: `.eval` logs or their `.json` form (seen with 0.3.285); the epochs of a sample are its candidates.

An `.eval` log is a zip archive with one member per sample and epoch, so its directory says what belongs together and
one problem is read at a time. A `.json` log is one document and is read whole.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from tts.interop._foreign import (
    Converted,
    list_at,
    request_of,
    response,
    sampling_of,
    spoken,
    take,
    text_at,
    usage_of,
)
from tts.rows.files import Row
from tts.vocabulary.errors import MissingDependencyError, TaskError

_MEMBER = re.compile(r"samples/(?P<id>.+)_epoch_(?P<epoch>\d+)\.json")
_ZSTANDARD = 93  # the compression method in a zip archive
_CUT = ("max_tokens", "model_length")
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


def holds(path: Path, first: Mapping[str, Any]) -> bool:  # noqa: ARG001 - the signature of every format
    """A log by its ending, or a JSON document that begins like one."""
    if path.suffix != ".json":
        return path.suffix == ".eval" and path.is_file()
    with path.open("rb") as file:
        start = file.read(4096)
    return start.lstrip().startswith(b"{") and b'"eval"' in start and b'"version"' in start


def rows(path: Path) -> Iterator[Row]:
    """One row per sample, in the order of the ids, its candidates in the order of the epochs."""
    return _rows_of_archive(path) if path.suffix == ".eval" else _rows_of_document(path)


def _rows_of_archive(path: Path) -> Iterator[Row]:
    try:
        with ZipFile(path) as archive:
            if any(member.compress_type == _ZSTANDARD for member in archive.infolist()):
                _support_zstandard(path)
            epochs: dict[str, dict[int, str]] = {}
            for name in archive.namelist():
                if match := _MEMBER.fullmatch(name):
                    epochs.setdefault(match["id"], {})[int(match["epoch"])] = name
            if "header.json" not in archive.namelist():
                raise TaskError(
                    f"{path} has no header; the evaluation has not ended, finish it with `inspect eval-retry`"
                )
            header = json.loads(archive.read("header.json"))
            for sample in sorted(epochs, key=_natural):
                named = [epochs[sample][epoch] for epoch in sorted(epochs[sample])]
                yield _row(Row(str(path), named[0], None), [json.loads(archive.read(name)) for name in named], header)
    except (BadZipFile, OSError, ValueError) as error:
        raise TaskError(f"{path} cannot be read as a log of inspect_ai: {' '.join(str(error).split())}") from error


def _support_zstandard(path: Path) -> None:
    """Python before 3.14 needs a package for it."""
    try:
        importlib.import_module("zipfile_zstd")
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {path} needs 'zipfile_zstd'; pip install 'ttscale[inspect]', or convert the log with "
            "`inspect log convert --to json`"
        ) from error


def _rows_of_document(path: Path) -> Iterator[Row]:
    try:
        log = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path} is not JSON: {' '.join(str(error).split())}") from error
    groups: dict[str, list[Any]] = {}
    for sample in list_at(Row(str(path), "the document", log), "samples"):
        groups.setdefault(str(sample.get("id")), []).append(sample)
    for name in sorted(groups, key=_natural):
        epochs = sorted(groups[name], key=lambda sample: sample.get("epoch") or 0)
        yield _row(Row(str(path), f"sample {name}", None), epochs, log)


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (10**9, name)


def _row(row: Row, samples: list[Any], header: Mapping[str, Any]) -> Row:
    try:
        return row._replace(value=_convert(row, samples, header))
    except TaskError as error:
        return row._replace(value=error)


def _convert(row: Row, samples: list[Any], header: Mapping[str, Any]) -> Converted:
    first = samples[0]
    target = first.get("target")
    return {
        "id": str(take(row, "id", of=first)),
        "problem": _question(row, first),
        "answer": ", ".join(map(str, target)) if isinstance(target, list) else target,
        "candidates": [_candidate(row, sample) for sample in samples],
        "policy": text_at(row, "eval", "model", of=header),
        "sampling": sampling_of(_settings(header)),
        "metadata": {**(first.get("metadata") or {}), "request": request_of(first.get("messages") or [])},
    }


def _settings(header: Mapping[str, Any]) -> dict[str, Any]:
    """The generation settings of the plan over those of the model."""
    model = header.get("eval", {}).get("model_generate_config") or {}
    plan = (header.get("plan") or {}).get("config") or {}
    return {**model, **{name: value for name, value in plan.items() if value is not None}}


def _question(row: Row, sample: Mapping[str, Any]) -> str:
    given = take(row, "input", of=sample)
    if isinstance(given, str):
        return given
    asked = [message for message in request_of(given) if message["role"] == "user"]
    if not asked:
        raise row.error("the input has no message of the user's")
    return asked[-1]["content"]


def _candidate(row: Row, sample: Mapping[str, Any]) -> Converted:
    """A sample that failed is a candidate with its error, so that the epochs keep their places."""
    error = sample.get("error")
    choices = (sample.get("output") or {}).get("choices") or []
    if error is not None or not choices:
        message = error.get("message") if isinstance(error, Mapping) else error
        return {"text": "", "finish_reason": "error", "error": str(message or "there is no output")}
    if choices[0].get("stop_reason") == "content_filter":
        return {"text": "", "finish_reason": "refused", "error": "the completion was stopped by a content filter"}
    thinking, text = spoken(take(row, "message", "content", of=choices[0]))
    usage = sample["output"].get("usage") or {}
    return {
        **response(thinking, text),
        "finish_reason": "length" if choices[0].get("stop_reason") in _CUT else "stop",
        "usage": usage_of(
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            usage.get("reasoning_tokens"),
            usage.get("input_tokens_cache_read"),
        ),
        "scores": {name: _grade(score) for name, score in (sample.get("scores") or {}).items()},
    }


def _grade(score: Any) -> Any:
    value = score.get("value") if isinstance(score, Mapping) else score
    return _GRADES.get(value, value) if isinstance(value, str) else value
