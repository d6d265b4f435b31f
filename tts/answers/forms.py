"""What kind of answer a problem asks for, as one word for prompt, extractor, equality, grader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

from tts.answers._service import Answers
from tts.answers.expectation import NOTHING, Expectation
from tts.answers.written import AnswerKind, text_key
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.errors import ConfigError, did_you_mean


class Form(NamedTuple):
    """One kind of answers.

    `template` is the prompt that asks for one, `None` for the model's own or ours; `extractor` and `grader` are names.
    Two answers are equal where `key` gives the same for both; without it they are compared as mathematics.
    """

    template: str | None
    extractor: str
    grader: str
    key: Callable[[str], str] | None = None


_FORMS: dict[AnswerKind, Form] = {
    "auto": Form(None, "auto", "math"),
    "math": Form(None, "auto", "math"),
    "choice": Form("choice", "choice", "choice", str),
    "json": Form("json", "json", "json", str),  # the extractor writes equal values alike
    "code": Form("code", "code", "code", str),
    "text": Form("text", "text", "text", text_key),
}


def form_of(kind: str) -> Form:
    """The form that a word stands for; raises `ConfigError` for another word."""
    if kind not in _FORMS:
        raise ConfigError(f"answers={kind!r}{did_you_mean(kind, get_args(AnswerKind))}")
    return _FORMS[kind]


class Equality:
    """How the answers of one call are told apart: as mathematics, or by the key of their form."""

    def __init__(self, answers: Answers, key: Callable[[str], str] | None) -> None:
        self._answers, self._key = answers, key

    async def cluster(self, answers: Sequence[str | None], asked: Expectation = NOTHING) -> Clusters:
        """Equivalence classes, numbered by first appearance."""
        if self._key is None:
            return await self._answers.cluster(answers, asked)
        return clusters_by(answers, self._key)


def clusters_by(answers: Sequence[str | None], key: Callable[[str], str]) -> Clusters:
    """The classes of answers that have the same key; the first of each speaks for it."""
    numbers: dict[str, int] = {}
    labels = [None if one is None else numbers.setdefault(key(one), len(numbers)) for one in answers]
    first = tuple(answers[labels.index(number)] or "" for number in range(len(numbers)))
    return Clusters(tuple(labels), first, tuple(labels.count(number) for number in range(len(numbers))))
