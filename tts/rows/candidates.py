"""Candidate sets in rows, as they are read or written.

Decisions: what a file says about each candidate, in lists that run parallel to them or in further fields of theirs,
is kept under `metadata["recorded"]`; answers are extracted anew, so that one extractor counts for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from tts.rows.cells import list_of, shown
from tts.rows.columns import example_of_mapping, jsonable, missing, nested
from tts.rows.files import Row
from tts.rows.held import held, is_messages
from tts.rows.tokens import ROLE, counts_of, usage_of
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import Candidate, CandidateSet, Problem, Sampled, Sampling, Usage
from tts.vocabulary.thinking import split_thinking

Extract = Callable[[str], str | None]


def sampled_of(
    row: Row, position: int, columns: Mapping[str, str], think: tuple[str, str] | None, extract: Extract
) -> Sampled:
    """The candidate set in a row.

    Raises `TaskError`.
    """
    if isinstance(row.value, Sampled):
        return row.value
    if isinstance(row.value, CandidateSet):
        return Sampled(row.value, None)
    if isinstance(row.value, TaskError):
        raise row.value
    if not isinstance(row.value, Mapping):
        raise row.error(
            f"a value of type {type(row.value).__name__} is not a candidate set; give {{problem, answer, candidates}}"
        )
    return _sampled_of_mapping(row, position, columns, think, extract)


def _sampled_of_mapping(
    row: Row, position: int, columns: Mapping[str, str], think: tuple[str, str] | None, extract: Extract
) -> Sampled:
    found = held(row, columns)
    if found is None:
        raise missing(row, "candidates")
    values = found.values
    mapped = {role: name for role, name in columns.items() if role not in ("candidates", ROLE)}
    example = example_of_mapping(row, position, mapped, left_out=(*found.columns, "policy", "sampling"))
    policy = row.value.get("policy") or row.value.get("model")
    problem = _with_recorded(row, example.problem, values, own=nested(row, "metadata"))
    counts = counts_of(problem.metadata.get("recorded"), columns, len(values))
    if counts is None:
        raise row.error(f"no list {columns[ROLE]!r} of tokens, one for each of the {len(values)} candidates")
    read = (_candidate(row, i, value, think, extract) for i, value in enumerate(values))
    candidates = CandidateSet(
        problem=problem,
        candidates=tuple(_counted(one, tokens) for one, tokens in zip(read, counts, strict=True)),
        policy=policy if isinstance(policy, str) else "",
        sampling=_sampling(row),
    )
    return Sampled(candidates, example.answer)


def _sampling(row: Row) -> Sampling | None:
    value = nested(row, "sampling")
    try:
        return None if value is None else Sampling.model_validate(value)
    except ConfigError as error:
        raise row.error(str(error)) from None


def _candidate(row: Row, index: int, value: object, think: tuple[str, str] | None, extract: Extract) -> Candidate:
    if is_messages(value):  # a conversation, of which the last message is the response
        value = value[-1]["content"]  # type: ignore[index]  # a list, says is_messages
    fields = {"text": value or ""} if value is None or isinstance(value, str) else value
    if not isinstance(fields, Mapping) or not isinstance(fields.get("text"), str):
        raise row.error(
            f"candidate {index} is of type {type(value).__name__}; it must be text, or a mapping with a text"
        )
    known = {name: fields[name] for name in Candidate.model_fields if fields.get(name) is not None}
    if isinstance(told := known.get("usage"), Mapping):
        known["usage"] = usage_of(told) or told
    if not {"thinking", "summary"} & known.keys():
        text = known["text"]
        known["thinking"], known["summary"] = split_thinking(text, *think) if think else (None, text)
    known["answer"] = extract(known["summary"]) if known.get("summary") else None
    try:
        return Candidate.model_validate({**known, "index": index})
    except ValidationError as error:
        raise row.error(f"candidate {index}: {_first(error)}") from None


def _counted(candidate: Candidate, tokens: int | None) -> Candidate:
    """The candidate with the tokens that a column says, unless it has its own."""
    if tokens is None or candidate.usage != Usage():
        return candidate
    return candidate.model_copy(update={"usage": Usage(calls=1, answer_tokens=tokens)})


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}={first['input']!r}: {first['msg']}"


def _with_recorded(row: Row, problem: Problem, candidates: list[Any], own: object) -> Problem:
    """The problem with what was recorded about each candidate moved under one name.

    What stands in the metadata column of its `own` was metadata when it was written, whatever its length.
    """
    count, metadata = len(candidates), dict(problem.metadata)
    named = own if isinstance(own, Mapping) else {}
    parallel: dict[str, Any] = {}
    for name, value in problem.metadata.items() if count else ():
        lists = _lists(name, value) if name not in named else {}
        if lists and all(len(one) == count for one in lists.values()):
            parallel |= lists
            del metadata[name]
    for index, candidate in enumerate(candidates):
        for name in candidate if isinstance(candidate, Mapping) else ():
            if name not in Candidate.model_fields:
                parallel.setdefault(name, [None] * count)[index] = candidate[name]
    if not parallel:
        return problem
    before = metadata.get("recorded", {})
    if not isinstance(before, Mapping):
        raise row.error(
            f"'recorded' holds {shown(before)}, and lists beside candidates are kept under that name; rename it"
        )
    metadata["recorded"] = {**before, **jsonable(parallel)}
    return problem.model_copy(update={"metadata": metadata})


def _lists(name: str, value: object) -> dict[str, list[Any]]:
    """The list of a column, also as text in a table's cell; of a mapping of lists each, under `column.key`."""
    if isinstance(value, Mapping):
        found = {f"{name}.{key}": list_of(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not None} if None not in found.values() else {}
    one = list_of(value)
    return {} if one is None else {name: one}


def row_of(sampled: Sampled) -> dict[str, Any]:
    """A candidate set as the JSON-able row that `read_candidate_sets` reads."""
    candidates, problem = sampled.candidates, sampled.candidates.problem
    question: dict[str, Any] = (
        {"problem": problem.prompt}
        if problem.messages is None
        else {"messages": [m.model_dump() for m in problem.messages]}
    )
    return {
        "id": problem.id,
        **question,
        "answer": sampled.answer,
        "candidates": [c.model_dump(mode="json", exclude_none=True) for c in candidates],
        "policy": candidates.policy,
        "sampling": candidates.sampling.model_dump(mode="json") if candidates.sampling else None,
        "metadata": jsonable(problem.metadata),
    }
