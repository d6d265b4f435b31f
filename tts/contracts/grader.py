"""What says whether an answer is right."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tts.registry.host import plugins
from tts.registry.user_code import FunctionGrader, user_function
from tts.vocabulary.errors import FOREIGN, PluginWarning, TTSError

Extract = Callable[[str], str | None]


class Grader(Protocol):
    """Says whether an extracted answer equals the gold answer.

    A grader whose `grade` has a parameter `problems` is also given the text of each pair's problem, in the same order.
    """

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer); `None` as answer is wrong."""

    async def aclose(self) -> None:
        """Free what the grader holds."""


def extractor(name: str) -> Extract:
    """An answer extractor by name; where it raises there is no answer, and one warning says so."""
    return _guarded(plugins().resolve("extractor", name))


def grader(name: str) -> Grader:
    """A grader by name, or one that asks a function of the user's: `package.module:function`, `file.py:function`.

    The function gets a gold answer and an answer (never `None`) and says whether they are equal. Raises
    `UnknownPluginError`, and `ConfigError` where there is no such function.
    """
    return _Checked(plugins().resolve("grader", name)() if ":" not in name else FunctionGrader(user_function(name)))


def _guarded(extract: Extract) -> Extract:
    """An extractor that cannot hurt: where it raises or returns no text there is no answer; one warning names it."""
    warned, name = False, getattr(extract, "__name__", type(extract).__name__)

    @functools.wraps(extract)
    def safe(text: str) -> str | None:
        nonlocal warned
        try:
            answer = extract(text)
            if answer is None or isinstance(answer, str):
                return answer
            trouble = f"returned a {type(answer).__name__}; it must return a str or None"
        except FOREIGN as error:  # an extractor is a plugin and may raise anything
            trouble = f"raised {type(error).__name__}: {error}"
        if not warned:
            warned = True
            warnings.warn(f"extractor {name!r} {trouble}", PluginWarning, stacklevel=2)
        return None

    return safe


class _Checked:
    """A grader whose verdicts are looked at: "no" is true to Python, so whatever is no bool is an error."""

    def __init__(self, grader: Grader) -> None:
        self._grader = grader

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        try:
            given = list(await grade_answers(self._grader, pairs, problems))
        except SystemExit as error:  # it ends the grader's work, not the program's
            raise TTSError(f"it called sys.exit({error.code!r})") from error
        if len(given) != len(pairs):
            raise TTSError(f"it gave {len(given)} verdicts for {len(pairs)} answers")
        return [_verdict(one, *pair) for one, pair in zip(given, pairs, strict=True)]

    async def aclose(self) -> None:
        try:
            await self._grader.aclose()
        except FOREIGN as error:  # the grades are there, whatever becomes of the grader
            sentence = f"closing the grader raised {type(error).__name__}: {error}"
            warnings.warn(sentence, PluginWarning, stacklevel=2)


async def grade_answers(
    grader: Grader, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None
) -> list[bool]:
    """A grader's verdicts, the problems told to it where it asks for them."""
    if problems is not None and "problems" in inspect.signature(grader.grade).parameters:
        return await grader.grade(pairs, problems=problems)  # type: ignore[call-arg]  # looked up
    return await grader.grade(pairs)


def _verdict(given: Any, gold: str, answer: str | None) -> bool:
    if isinstance(given, bool):
        return given
    if type(given).__module__ == "numpy" and type(given).__name__ in ("bool", "bool_"):
        return bool(given)
    said = f"{given!r:.60} on the answer {answer!r:.60} to {gold!r:.60}"
    raise TTSError(f"its verdict is {said}; a verdict is True or False")
