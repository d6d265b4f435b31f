"""What became of a candidate, or of an output of a strategy: one class for each, whatever table shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tts.vocabulary.records import Candidate, FinishReason, Result
from tts.vocabulary.thinking import split_thinking

OutcomeClass = Literal["correct", "wrong", "ungraded", "no answer", "truncated", "refused", "failed"]

CLASSES: tuple[OutcomeClass, ...] = ("correct", "wrong", "ungraded", "no answer", "truncated", "refused", "failed")
"""Every class, in the order of tables."""

MISSING: frozenset[OutcomeClass] = frozenset(("refused", "failed"))
"""What should be there and is not: asked again it may be. It is never a wrong answer."""


def outcome_class(
    answer: str | None, correct: bool | None, *, cut: bool = False, refused: bool = False, failed: bool = False
) -> OutcomeClass:
    """The class of one response.

    failed: an error came in its place; refused: the error is that the model, or a content filter, declined; correct,
    wrong: it has an answer that was graded (`correct` is the grade), even if it was cut; ungraded: it has one, and
    nothing to grade it by; truncated: it was cut and has none; no answer: it ended and has none.
    """
    if refused:
        return "refused"
    if failed:
        return "failed"
    if answer is None:
        return "truncated" if cut else "no answer"
    if correct is None:
        return "ungraded"
    return "correct" if correct else "wrong"


def candidate_class(candidate: Candidate, correct: bool | None = None) -> OutcomeClass:
    """The class of a candidate; `correct` is its grade, where it has one."""
    error = candidate.error is not None
    return outcome_class(
        candidate.answer,
        correct,
        cut=was_cut(candidate),
        refused=error and candidate.finish_reason == "refused",
        failed=error,
    )


def was_cut(candidate: Candidate) -> bool:
    """It was sampled, and cut at the limit of tokens or in the middle of its thinking, with an answer or without."""
    return candidate.error is None and (candidate.finish_reason == "length" or candidate.summary is None)


def result_classes(result: Result, verdicts: Sequence[bool] | None = None) -> tuple[OutcomeClass, ...]:
    """The class of each output of a result, its decision's own first; `verdicts` are their grades.

    A failed result has one. It is refused where that is why: every candidate that failed was refused, or what the
    strategy asked for was. Where the model ended every candidate without a word, nothing is missing: no answer, or
    truncated.
    """
    decision = result.decision
    if decision is None:
        return (_class_without_decision(result),)
    texts, answers = (decision.text, *decision.alternatives), (result.answer, *result.alternatives)
    reasons: Sequence[FinishReason] = result.finish_reasons or ["stop"] * len(texts)
    grades = verdicts if verdicts is not None else (None,) * len(texts)
    return tuple(
        outcome_class(answer, correct, cut=answer is None and _is_cut(text, reason))
        for text, answer, reason, correct in zip(texts, answers, reasons, grades, strict=True)
    )


def ended_cut(result: Result) -> bool:
    """The text that was decided on was cut, with an answer in it or without."""
    if result.decision is None:
        return False
    return _is_cut(result.decision.text, (result.finish_reasons or ("stop",))[0])


def _is_cut(text: str, reason: FinishReason) -> bool:
    return reason == "length" or split_thinking(text).summary is None


def is_there(candidate: Candidate) -> bool:
    """It is neither refused nor failed."""
    return candidate.error is None


def is_missing(result: Result) -> bool:
    """There is no decision, and asked again there may be."""
    return result.decision is None and _class_without_decision(result) in MISSING


def _class_without_decision(result: Result) -> OutcomeClass:
    candidates, failed = result.candidates, [one for one in result.candidates if one.error is not None]
    if "refused" in result.finish_reasons:
        return "refused"
    if not candidates or any(one.ok for one in candidates):
        return "failed"
    if not failed:
        return "truncated" if all(map(was_cut, candidates)) else "no answer"
    return "refused" if all(one.finish_reason == "refused" for one in failed) else "failed"
