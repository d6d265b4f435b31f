"""What the candidate browser shows of each problem: candidates by answer, decisions, traces, prompts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from tts.metrics.accuracies import present, share_correct
from tts.metrics.comparison import Comparison
from tts.metrics.grading import Graded
from tts.metrics.sampled_curves import cluster_lists
from tts.report._mathematics import formulas
from tts.rows.makers import makers
from tts.store.store import Generation, Store
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.outcome_class import MISSING, candidate_class, result_classes
from tts.vocabulary.records import Candidate, Result
from tts.vocabulary.thinking import split_thinking

MOST = 20_000  # characters of one text; a page with every character of long thinking would not open


class Shown(NamedTuple):
    """One problem. `entry` is what the list and its filters need, `detail` what is read when it is picked; JSON-able.

    `detail` has the question, the groups with their candidates and decisions, and the generations of strategies.
    """

    entry: dict[str, Any]
    detail: dict[str, Any]


def browse(compared: Comparison, store: Store | None = None) -> tuple[Shown, ...]:
    """The problems in their order; the groups of one problem and id are together."""
    ordered = sorted(compared.rows, key=lambda row: (row.outcome.order, row.outcome.group))
    problems = [list(rows) for _, rows in groupby(ordered, key=lambda row: row.outcome.problem.id)]
    every = [row for rows in problems for row in rows]
    texts = [row.outcome.problem.text for row in every]
    classes = iter(cluster_lists([_answers(row, compared.strategies) for row in every], texts, compared.answers_are))
    shown = (_problem(rows, [next(classes) for _ in rows], compared.strategies, store) for rows in problems)
    return tuple(_with_formulas(one, compared.answers_are) for one in shown)


def _with_formulas(shown: Shown, kind: str) -> Shown:
    """With its mathematics, where there may be some: dollars in code are none, nor are words with signs."""
    if kind not in ("json", "code"):
        answers = () if kind == "text" else _said(shown.detail, shown.entry["gold"])
        shown.detail["formulas"] = formulas(_texts(shown.detail), answers)
    return shown


def _problem(rows: Sequence[Graded], classes: Sequence[Clusters], labels: Sequence[str], store: Store | None) -> Shown:
    problem, gold = rows[0].outcome.problem, rows[0].outcome.answer
    entry = {
        "id": problem.id,
        "start": " ".join(problem.text.split())[:160],
        "gold": gold,
        "correct": [[_share(row, label) for label in labels] for row in rows],
        "any": [any(there) if row.candidates is not None and (there := present(row)) else None for row in rows],
        "classes": [[_label_of(row, place, own) for place in range(len(labels))] for row, own in _zip(rows, classes)],
        "failed": any(row.outcome.results[label].error is not None for row in rows for label in labels),
    }
    detail: dict[str, Any] = {
        "question": problem.text,
        "messages": [[m.role, m.content] for m in problem.messages or ()],
        "groups": [_group(row, own, labels) for row, own in _zip(rows, classes)],
        "calls": [_call(one, rows, labels) for one in store.generations(problem)] if store is not None else [],
    }
    return Shown(entry, detail)


def _texts(detail: dict[str, Any]) -> Iterator[str | None]:
    """What models wrote, and read."""
    yield detail["question"]
    for group in detail["groups"]:
        for one in (*group["candidates"], *group["decisions"]):
            for part in (one, *one.get("others", ())):
                yield from (part.get("text"), part.get("thinking"))
    for call in detail["calls"]:
        for output in call["outputs"]:
            yield from (output.get("text"), output.get("thinking"))


def _said(detail: dict[str, Any], gold: str | None) -> Iterator[str | None]:
    """The answers."""
    yield gold
    for group in detail["groups"]:
        for one in (*group["candidates"], *group["decisions"]):
            yield from (part.get("answer") for part in (one, *one.get("others", ())))


def _zip(rows: Sequence[Graded], classes: Sequence[Clusters]) -> Iterable[tuple[Graded, Clusters]]:
    return zip(rows, classes, strict=True)


def _label_of(row: Graded, place: int, classes: Clusters) -> int | None:
    """The answer class of a strategy's decision."""
    return classes.labels[len(row.outcome.candidates) + place]


def _group(row: Graded, classes: Clusters, labels: Sequence[str]) -> dict[str, Any]:
    outcome = row.outcome
    candidates = [
        _candidate(one, classes.labels[i], row.candidates[i] if row.candidates is not None else None, outcome.scores)
        for i, one in enumerate(outcome.candidates)
    ]
    for one, name in zip(candidates, makers(outcome.problem), strict=False):
        one |= {"model": name} if name else {}
    decisions = [
        _decision(outcome.results[label], _label_of(row, place, classes), (row.decisions or {}).get(label))
        for place, label in enumerate(labels)
    ]
    return {"group": outcome.group, "candidates": candidates, "decisions": decisions}


def _candidate(one: Candidate, label: int | None, correct: bool | None, scores: dict[int, float] | None) -> Any:
    outcome = candidate_class(one, correct)
    shown = {
        "index": one.index,
        "answer": one.answer,
        "outcome": outcome if one.answer is None else None,
        "class": label,
        "correct": correct if outcome not in MISSING else None,
        "text": _cut(one.text if one.summary is None else one.summary),
        "thinking": _cut(one.thinking) if one.thinking else None,
        "tokens": one.usage.generated_tokens or None,
        "score": (scores or {}).get(one.index),
        "unfinished": one.finish_reason == "length" or one.summary is None,
        "error": one.error,
    }
    return _filled(shown)


def _decision(result: Result, label: int | None, verdicts: tuple[bool, ...] | None) -> dict[str, Any]:
    decision = result.decision
    tokens = sum(usage.generated_tokens for usage in result.usage.values())
    shown: dict[str, Any] = {"answer": result.answer, "class": label, "tokens": tokens or None, "error": result.error}
    outcome = result_classes(result, verdicts)[0]
    shown["correct"] = list(verdicts) if verdicts is not None and outcome not in MISSING else None
    shown["outcome"] = outcome if result.answer is None else None
    if decision is not None:
        own = decision.text if decision.chosen is None else None
        shown |= {"chosen": decision.chosen, "confidence": decision.confidence, "trace": _jsonable(decision.trace)}
        shown |= _parts(own) if own is not None else {}
        shown["others"] = [
            _parts(text) | {"answer": answer}
            for text, answer in zip(decision.alternatives, result.alternatives, strict=False)
        ]
    return _filled(shown)


def _parts(text: str) -> dict[str, Any]:
    """A written output, its thinking apart; the visible part of an unfinished one is all that there is."""
    split = split_thinking(text)
    if split.thinking is None or split.summary is None:
        return {"text": _cut(text)}
    return {"text": _cut(split.summary), "thinking": _cut(split.thinking)}


def _call(one: Generation, rows: Sequence[Graded], labels: Sequence[str]) -> dict[str, Any]:
    """A generation with the decisions, as (group, strategy) places, whose text it wrote."""
    written = {out.summary for out in one.completions if out.summary}
    by = [
        [group, place]
        for group, row in enumerate(rows)
        for place, label in enumerate(labels)
        if (made := row.outcome.results[label].decision) is not None and made.chosen is None and made.text in written
    ]
    outputs = [
        _filled({"text": _cut(out.summary or out.text), "thinking": _cut(out.thinking) if out.thinking else None})
        for out in one.completions
    ]
    messages = [[m.role, _cut(m.content)] for m in one.messages]
    return {"role": one.role, "by": by, "messages": messages, "outputs": outputs}


def _jsonable(trace: dict[str, Any]) -> Any:
    """A trace without what JSON has no words for; `None` for an empty one."""
    return json.loads(json.dumps(trace), parse_constant=str) if trace else None


def _filled(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None and value != []}


def _cut(text: str) -> str:
    """The beginning and the end of a text that is too long for a page."""
    if len(text) <= MOST:
        return text
    left_out = len(text) - MOST
    return f"{text[: MOST // 2]}\n\n[… {left_out:,} characters left out …]\n\n{text[-MOST // 2 :]}"


def _share(row: Graded, label: str) -> float | None:
    """`None` where it is not graded or missing."""
    share = share_correct(row, label)
    return None if share is None else round(share, 3)


def _answers(row: Graded, labels: Sequence[str]) -> list[str | None]:
    candidates = (c.answer if c.ok else None for c in row.outcome.candidates)
    return [*candidates, *(row.outcome.results[label].answer for label in labels)]
