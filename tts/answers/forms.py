"""What kind of answer a problem asks for, as one word for prompt, extractor, equality, grader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

from tts.answers._service import Answers
from tts.answers.expectation import NOTHING, Expectation
from tts.answers.reply import by_value
from tts.answers.written import AnswerKind, text_key
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.errors import ConfigError, did_you_mean


class Form(NamedTuple):
    """One kind of answers.

    `template` is the prompt that asks for one, `None` for the model's own or ours; `extractor` and `grader` are names.
    Two answers are equal where `key` gives the same for both; without it they are compared as mathematics, those that
    `values` says aside: they are written alike where they are equal.
    """

    template: str | None
    extractor: str
    grader: str
    key: Callable[[str], str] | None = None
    values: Callable[[Sequence[str | None]], list[bool]] | None = None


_FORMS: dict[AnswerKind | Literal["reply"], Form] = {
    "auto": Form(None, "auto", "math"),
    "math": Form(None, "auto", "math"),
    "choice": Form("choice", "choice", "choice", str),
    "json": Form("json", "json", "json", str),  # the extractor writes equal values alike
    "code": Form("code", "code", "code", str),
    "text": Form("text", "text", "text", text_key),
    "reply": Form(None, "reply", "math", values=by_value),  # the gateway's
}


def form_of(kind: str) -> Form:
    """The form that a word stands for; raises `ConfigError` for another word."""
    if kind not in _FORMS:
        raise ConfigError(f"answers={kind!r}{did_you_mean(kind, get_args(AnswerKind))}")
    return _FORMS[kind]


class Equality:
    """How the answers of one call are told apart: as mathematics, or as their form has it."""

    def __init__(self, answers: Answers, form: Form) -> None:
        self._answers, self._key, self._values = answers, form.key, form.values

    async def cluster(self, answers: Sequence[str | None], asked: Expectation = NOTHING) -> Clusters:
        """Equivalence classes, numbered by first appearance."""
        if self._key is not None:
            return clusters_by(answers, self._key)
        apart = [False] * len(answers) if self._values is None else self._values(answers)
        if not any(apart):
            return await self._answers.cluster(answers, asked)
        others = [None if value else answer for answer, value in zip(answers, apart, strict=True)]
        return _beside(await self._answers.cluster(others, asked), answers, apart)


def clusters_by(answers: Sequence[str | None], key: Callable[[str], str]) -> Clusters:
    """The classes of answers that have the same key; the first of each speaks for it."""
    numbers: dict[str, int] = {}
    labels = [None if one is None else numbers.setdefault(key(one), len(numbers)) for one in answers]
    first = tuple(answers[labels.index(number)] or "" for number in range(len(numbers)))
    return Clusters(tuple(labels), first, tuple(labels.count(number) for number in range(len(numbers))))


def _beside(found: Clusters, answers: Sequence[str | None], apart: Sequence[bool]) -> Clusters:
    """The classes that were found, and those of the answers that were left out of it, which equal ones write alike."""
    classes: dict[str | int, int] = {}
    labels: list[int | None] = []
    for answer, value, label in zip(answers, apart, found.labels, strict=True):
        one = answer if value else label
        labels.append(None if one is None else classes.setdefault(one, len(classes)))
    first = tuple(one if isinstance(one, str) else found.representatives[one] for one in classes)
    return Clusters(tuple(labels), first, tuple(labels.count(number) for number in classes.values()), found.conflicts)
