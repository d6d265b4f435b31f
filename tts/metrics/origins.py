"""What a result says of where its outputs come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tts.vocabulary.clusters import Clusters
from tts.vocabulary.records import Result
from tts.vocabulary.thinking import split_thinking

Kind = Literal["copied", "merged", "novel", "none"]


def written(result: Result) -> bool:
    """Whether some output of a strategy is a text of its own."""
    decision = result.decision
    return decision is not None and (decision.chosen is None or bool(decision.alternatives))


def origins_of(result: Result, found: Clusters | None) -> list[Kind]:
    """The origin of each output; `found` are the classes of its answers and then of the candidates'."""
    decision = result.decision
    if decision is None:
        return []
    if found is None or not written(result):
        return ["copied"]
    texts = [decision.text, *decision.alternatives]
    held = set(found.labels[len(texts) :])
    seen = {_words(c.text) for c in result.candidates} | {_words(c.summary or "") for c in result.candidates}
    kinds: list[Kind] = []
    for place, text in enumerate(texts):
        label, words = found.labels[place], _words(text)
        if (place == 0 and decision.chosen is not None) or (words and words in seen):
            kinds.append("copied")
        else:
            kinds.append("none" if label is None else "merged" if label in held else "novel")
    return kinds


def shown_order(result: Result) -> tuple[int, ...]:
    """The candidates' indices in the order in which the only prompt of a strategy showed them; empty where unknown."""
    trace: Mapping[str, Any] = result.decision.trace if result.decision is not None else {}
    prompts = trace.get("prompts")
    if isinstance(prompts, Sequence) and len(prompts) == 1 and isinstance(prompts[0], Mapping):
        trace = prompts[0]
    order = trace.get("order")
    known = {candidate.index for candidate in result.candidates}
    if not isinstance(order, Sequence) or not all(isinstance(i, int) and i in known for i in order):
        return ()
    return tuple(order)


def _words(text: str) -> str:
    """What a reader sees of a text, with single spaces."""
    return " ".join((split_thinking(text).summary or "").split())
