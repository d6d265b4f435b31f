"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, as `--log_samples` writes it (seen with 0.4.13).

One line has all responses to one document under `resps`, one list for each request. A task with several filters writes
every document once for each; only those of the first filter are read, because the responses are the same. Older
releases do not name the filter: there a document that occurs again with the same responses is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import (
    Converted,
    converted,
    list_at,
    other_columns,
    question_of,
    sampling_of,
    take,
    text_at,
)
from tts.rows.files import Row, rows_of_file


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """The file is one of lm-evaluation-harness."""
    return path.suffix == ".jsonl" and {"doc_id", "doc", "resps", "arguments"} <= first.keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per document; the model is called what the folder is called."""
    return converted(_of_first_filter(rows_of_file(path)), lambda row: _convert(row, path.parent.name))


def _of_first_filter(found: Iterator[Row]) -> Iterator[Row]:
    first: Any = None
    seen: set[int] = set()
    for row in found:
        if isinstance(row.value, Mapping) and row.value.get("filter") is None:
            same = hash((repr(row.value.get("doc_id")), repr(row.value.get("resps"))))
            if same in seen:
                continue
            seen.add(same)
        elif isinstance(row.value, Mapping):
            first = row.value.get("filter") if first is None else first
            if row.value.get("filter") != first:
                continue
        yield row


def _convert(row: Row, model: str) -> Converted:
    prompt, settings = _request(row)
    texts = [
        text for request in list_at(row, "resps") for text in (request if isinstance(request, list) else [request])
    ]
    document = take(row, "doc")
    known = document if isinstance(document, Mapping) else {}
    scores = {name: row.value[name] for name in row.value.get("metrics") or () if name in row.value}
    return {
        "id": str(take(row, "doc_id")),
        "problem": question_of(known) or prompt,
        "answer": row.value.get("target"),
        "candidates": texts,
        "policy": model,
        "sampling": sampling_of(settings),
        "metadata": {**other_columns(known), "request": [{"role": "user", "content": prompt}], "lm_eval": scores},
    }


def _request(row: Row) -> tuple[str, Mapping[str, Any]]:
    """The prompt and the generation settings.

    Raises `TaskError` for log-likelihoods, where nothing was generated.
    """
    arguments = take(row, "arguments")
    if isinstance(arguments, list):  # as the library returns them; its files name them
        arguments = {"gen_args_0": dict(zip(("arg_0", "arg_1"), arguments[0], strict=False))} if arguments else {}
    settings = take(row, "gen_args_0", "arg_1", of=arguments)
    if not isinstance(settings, Mapping):
        raise row.error("the task compares log-likelihoods, so there are no responses; import a generative task")
    return text_at(row, "gen_args_0", "arg_0", of=arguments), settings
