"""The options of a multiple choice in a row: written below its question, its gold answer as a letter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from tts.rows.files import Row

_NAMES = ("choices", "options")
_MOST = len(ascii_uppercase)


class Choices:
    """The options of one row in their order, under the letters A, B, C …; `labels` are what the row calls them."""

    def __init__(self, texts: list[str], labels: list[str], columns: tuple[str, ...]) -> None:
        self.texts: list[str] = texts
        self.labels: list[str] = labels
        self.columns: tuple[str, ...] = columns

    def below(self, question: str) -> str:
        """The question with its options; as it is where it has them already."""
        if all(text in question for text in self.texts):
            return question
        lines = [f"({letter}) {text}" for letter, text in zip(ascii_uppercase, self.texts, strict=False)]
        return "\n".join([question.rstrip(), "", *lines])

    def letter(self, row: Row, answer: str | None) -> str | None:
        """The gold answer as a letter; it may be a label, a letter, the text of an option, or its index from 0.

        Raises `TaskError` where it is none of them.
        """
        if answer is None:
            return None
        told = answer.strip().strip("().").strip()
        for known in (self.labels, list(ascii_uppercase[: len(self.texts)]), self.texts):
            if told in known:
                return ascii_uppercase[known.index(told)]
        if told.isdigit() and int(told) < len(self.texts):
            return ascii_uppercase[int(told)]
        raise row.error(
            f"the answer {answer!r} is none of its {len(self.texts)} options: give a letter, the text of an option, or "
            "its index from 0"
        )


def choices_of(row: Row) -> Choices | None:
    """The options in the columns `choices` or `options`, or A, B, C, D; `None` where there are none."""
    value: Any
    for name, value in row.value.items():
        if str(name).lower() in _NAMES and (found := _listed(value)) is not None:
            return Choices(*found, (str(name),))
    letters = [letter for letter in ascii_uppercase if isinstance(row.value.get(letter), str | int | float)]
    if len(letters) >= 2 and letters == list(ascii_uppercase[: len(letters)]):
        return Choices([str(row.value[letter]) for letter in letters], letters, tuple(letters))
    return None


def _listed(value: Any) -> tuple[list[str], list[str]] | None:
    """Texts and labels, from a list, from `{text: […], label: […]}`, from the JSON of either."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    labels: Any = None
    if isinstance(value, Mapping):
        value, labels = value.get("text"), value.get("label")
    if not isinstance(value, list) or not 2 <= len(value) <= _MOST:
        return None
    if not all(isinstance(one, str | int | float) for one in value):
        return None
    same = isinstance(labels, list) and len(labels) == len(value)
    return [str(one) for one in value], [str(one) for one in labels] if same else []
