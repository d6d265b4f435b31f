"""What says whether an answer is right."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

from tts.registry.code import code_of
from tts.bridge.supervised import Hung, supervised
from tts.registry.host import plugins
from tts.registry.user_code import FunctionGrader, user_function
from tts.vocabulary.errors import FOREIGN, PluginWarning, TTSError

Extract = Callable[[str], str | None]
EXTRACTION = 30.0  # seconds in which an extractor must have found the answer in one text
_HANGS = 2  # after which it is asked no more: answers are extracted anew whenever a set is read


class Grader(Protocol):
    """Says whether an extracted answer equals the gold answer."""

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
    if ":" not in name:
        cls = plugins().resolve("grader", name)
        return _Checked(cls(), cls)
    function = user_function(name)
    return _Checked(FunctionGrader(function), function)


def extractor_code(name: str) -> str:
    """What identifies the code of an extractor."""
    return code_of(plugins().resolve("extractor", name))


def _guarded(extract: Extract) -> Extract:
    """An extractor that cannot hurt: where it raises, hangs or returns no text there is no answer; a warning names it.

    Ours are called as they are: they take no more than linear time.
    """
    warned, hung, name = False, 0, getattr(extract, "__name__", type(extract).__name__)
    ours = str(getattr(extract, "__module__", "")).partition(".")[0] == "tts"

    def asked(text: str) -> object:
        return extract(text) if ours else supervised(lambda: extract(text), EXTRACTION)

    @functools.wraps(extract)
    def safe(text: str) -> str | None:
        nonlocal warned, hung
        if hung >= _HANGS:
            return None
        try:
            answer = asked(text)
            if answer is None or isinstance(answer, str):
                return answer
            trouble = f"returned a {type(answer).__name__}; it must return a str or None"
        except Hung:
            hung += 1
            trouble = f"returned nothing for {EXTRACTION:g} s"
            if hung >= _HANGS:
                warned, trouble = False, f"{trouble}, {hung} times; it is asked no more"
        except FOREIGN as error:  # an extractor is a plugin and may raise anything
            trouble = f"raised {type(error).__name__}: {error}"
        if not warned:
            warned = True
            warnings.warn(f"extractor {name!r} {trouble}", PluginWarning, stacklevel=2)
        return None

    return safe


class _Checked:
    """A grader whose verdicts are looked at: "no" is true to Python, so whatever is no bool is an error."""

    def __init__(self, grader: Grader, made_from: object) -> None:
        self._grader, self._made_from = grader, made_from

    @cached_property
    def fingerprint(self) -> str:
        """What identifies its code."""
        return code_of(self._made_from)

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        try:
            given = list(await self._grader.grade(pairs))
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


def _verdict(given: Any, gold: str, answer: str | None) -> bool:
    if isinstance(given, bool):
        return given
    if type(given).__module__ == "numpy" and type(given).__name__ in ("bool", "bool_"):
        return bool(given)
    said = f"{given!r:.60} on the answer {answer!r:.60} to {gold!r:.60}"
    raise TTSError(f"its verdict is {said}; a verdict is True or False")
