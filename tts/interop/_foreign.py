"""Parts of other tools' rows: fields that must be there, messages in parts, lines that belong together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tts.rows.columns import DEFAULT_COLUMNS
from tts.rows.files import Row
from tts.vocabulary.errors import TaskError

Converted = dict[str, Any]
_ROLES = ("system", "user", "assistant")


def converted(rows: Iterable[Row], convert: Callable[[Row], Converted]) -> Iterator[Row]:
    """The rows with each value converted; one that cannot be is a row whose value says why."""
    for row in rows:
        if isinstance(row.value, TaskError):
            yield row
            continue
        try:
            yield row._replace(value=convert(row))
        except TaskError as error:
            yield row._replace(value=error)


def take(row: Row, *path: str | int, of: Any = None) -> Any:
    """The value at a path of keys and places in a row, or in a part `of` it.

    Raises `TaskError` that names the path where there is none.
    """
    value = row.value if of is None else of
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise row.error(f"there is no {'.'.join(map(str, path))!r} in it") from None
    return value


def text_at(row: Row, *path: str | int, of: Any = None) -> str:
    """Text at a path.

    Raises `TaskError` where there is none, or something else.
    """
    value = take(row, *path, of=of)
    if not isinstance(value, str):
        raise row.error(f"{'.'.join(map(str, path))!r} is of type {type(value).__name__}; it must be text")
    return value


def list_at(row: Row, *path: str | int, of: Any = None) -> list[Any]:
    """A list at a path.

    Raises `TaskError` where there is none, or something else.
    """
    value = take(row, *path, of=of)
    if not isinstance(value, list):
        raise row.error(f"{'.'.join(map(str, path))!r} is of type {type(value).__name__}; it must be a list")
    return value


def question_of(document: Mapping[str, Any]) -> str | None:
    """The question in a row of a data set, by the names in common use."""
    texts = (document.get(name) for name in DEFAULT_COLUMNS["problem"])
    return next((text for text in texts if isinstance(text, str) and text.strip()), None)


def other_columns(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of a data set has besides question, answer and conversation."""
    left_out = {*DEFAULT_COLUMNS["problem"], *DEFAULT_COLUMNS["answer"], *DEFAULT_COLUMNS["candidates"]}
    return {name: value for name, value in document.items() if name.lower() not in left_out}


def spoken(content: Any) -> tuple[str | None, str]:
    """Reasoning (`None` without any) and text of a message's content: text, or a list of parts by type."""
    if isinstance(content, str):
        return None, content
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    reasoning = [part.get("reasoning") for part in parts if part.get("type") == "reasoning"]
    texts = [part.get("text") for part in parts if part.get("type") == "text"]
    return ("".join(filter(None, reasoning)) or None), "".join(filter(None, texts))


def response(thinking: str | None, text: str) -> Converted:
    """A candidate of a response whose reasoning, if any, the tool has taken apart already."""
    if not thinking:
        return {"text": text}
    return {"text": f"<think>\n{thinking}\n</think>\n\n{text}", "thinking": thinking, "summary": text}


def request_of(messages: Sequence[Any]) -> list[dict[str, str]]:
    """What was sent: the messages before the first of the assistant's, as role and text."""
    sent = []
    for message in messages:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in _ROLES or role == "assistant":
            break
        sent.append({"role": role, "content": spoken(message.get("content"))[1]})
    return sent


def usage_of(prompt: Any = None, generated: Any = None, thinking: Any = None, cached: Any = None) -> dict[str, int]:
    """Token counts, `generated` including `thinking`; what a tool did not count is 0."""
    numbers = [int(value) if isinstance(value, int | float) else 0 for value in (prompt, generated, thinking, cached)]
    return {
        "calls": 1,
        "prompt_tokens": numbers[0],
        "thinking_tokens": numbers[2],
        "answer_tokens": max(numbers[1] - numbers[2], 0),
        "cached_tokens": numbers[3],
    }


def sampling_of(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sampling, where a tool has recorded its temperature; top-p is 1 unless it says otherwise."""
    temperature = settings.get("temperature")
    if settings.get("do_sample") is False:
        temperature = 0.0
    if not isinstance(temperature, int | float):
        return None
    top_k = settings.get("top_k")  # some tools write 0 or -1 for none
    known = {"top_k": top_k if isinstance(top_k, int) and top_k > 0 else None, "seed": settings.get("seed")}
    longest = next((settings[name] for name in ("max_gen_toks", "max_tokens") if settings.get(name)), None)
    given = {name: value for name, value in known.items() if value is not None}
    return {"temperature": temperature, "top_p": settings.get("top_p") or 1.0, "max_tokens": longest, **given}


def grouped_lines(path: Path, key: Callable[[Mapping[str, Any]], Any]) -> Iterator[tuple[Row, list[Any]]]:
    """The JSON lines that have one key, together, in the order of the first of each: its row and all their values.

    A tool that works on many problems at once writes their samples as they finish. So the file is read twice, and only
    places are remembered. A line that cannot be read is a group of its own.
    """
    groups: dict[Any, list[tuple[int, int]]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(iter(file.readline, b""), 1):
            if line.strip():
                place = file.tell() - len(line)
                value = _value(Row(str(path), f"line {number}", None), line).value
                name = key(value) if isinstance(value, Mapping) else ("unreadable", number)
                groups.setdefault(name, []).append((number, place))
        for places in groups.values():
            rows = []
            for number, place in places:
                file.seek(place)
                rows.append(_value(Row(str(path), f"line {number}", None), file.readline()))
            yield rows[0], [row.value for row in rows]


def _value(row: Row, line: bytes) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return row._replace(value=row.error(f"not JSON: {' '.join(str(error).split())}"))
    if not isinstance(value, Mapping):
        return row._replace(value=row.error(f"a value of type {type(value).__name__} is not a sample"))
    return row._replace(value=value)
