"""What says whether an answer is right."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, Protocol

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, passes, shown
from tts.bridge.supervised import Hung, supervised
from tts.registry.code import code_of
from tts.registry.host import plugins
from tts.registry.user_code import FunctionGrader, Same, user_function
from tts.vocabulary.errors import ConfigError, PluginWarning, TTSError

Extract = Callable[[str], str | None]
EXTRACTION = 30.0  # seconds in which an extractor must have found the answer in one text
_ONE = {"grader": "a grader", "extractor": "an extractor"}
_HANGS = 2  # after which it is asked no more: answers are extracted anew whenever a set is read


class Grader(Protocol):
    """Says whether an extracted answer equals the gold answer.

    A grader whose `grade` has a parameter `problems` is also given the text of each pair's problem, in the same order.
    """

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer); `None` as answer is wrong."""

    async def aclose(self) -> None:
        """Free what the grader holds."""


def extractor(given: str | Extract) -> Extract:
    """An answer extractor by name, or a function of the user's: itself, `package.module:function`, `file.py:function`.

    The function gets what a reader sees of a response, and returns the answer in it, or `None`. Where an extractor
    raises there is no answer, and one warning says so. Raises `UnknownPluginError`, and `ConfigError` where there is no
    such function.
    """
    return _guarded(_name_of(given), _extract(given))


def grader(name: str | Same) -> Grader:
    """A grader by name, or one that asks a function: itself, or as `package.module:function`, `file.py:function`.

    The function gets a gold answer and an answer (never `None`) and says whether they are equal. Raises
    `UnknownPluginError`, and `ConfigError` where there is no such function.
    """
    if not isinstance(name, str) or ":" in name:
        function = _function("grader", name)
        return _Checked(_name_of(name), FunctionGrader(function), function)
    cls = plugins().resolve("grader", name)
    try:
        with Foreign():
            return _Checked(name, cls(), cls)
    except BaseException as error:
        if passes(error) or isinstance(error, TTSError):
            raise
        raise ConfigError(f"grader {name!r} cannot be made: it {did(error)}") from error


def extractor_code(given: str | Extract) -> str:
    """What identifies the code of an extractor."""
    return code_of(_extract(given))


def _extract(given: str | Extract) -> Extract:
    if not isinstance(given, str) or ":" in given:
        return _function("extractor", given)
    return plugins().resolve("extractor", given)  # type: ignore[no-any-return]


def _function(kind: Literal["grader", "extractor"], given: object) -> Callable[..., Any]:
    """A function that was given as it is or by its place; raises `ConfigError` for anything else."""
    if isinstance(given, str):
        return user_function(given)
    if not callable(given) or isinstance(given, type):
        raise ConfigError(f"{kind}={given!r}: give the name of {_ONE[kind]}, 'FILE.py:function', or a function")
    return given


def _name_of(given: object) -> str:
    """What to call it in messages."""
    return given if isinstance(given, str) else str(getattr(given, "__name__", type(given).__name__))


def _guarded(name: str, extract: Extract) -> Extract:
    """An extractor that cannot hurt: where it raises, hangs or returns no text there is no answer; a warning names it.

    Ours are called as they are: they take no more than linear time.
    """
    warned, hung = False, 0
    ours = str(getattr(extract, "__module__", "")).partition(".")[0] == "tts"

    def asked(text: str) -> object:
        return extract(text) if ours else supervised(lambda: extract(text), EXTRACTION)

    @functools.wraps(extract)
    def safe(text: str) -> str | None:
        nonlocal warned, hung
        if hung >= _HANGS:
            return None
        try:
            with Foreign():
                answer = asked(text)
            if answer is None or type(answer) is str:
                return answer
            if issubclass(type(answer), str):
                return str.__str__(answer)  # a class of its own may compare as it likes
            if inspect.iscoroutine(answer):
                answer.close()
            trouble = f"returned a {type(answer).__name__}; it must return a str or None"
        except Hung:
            hung += 1
            trouble = f"returned nothing for {EXTRACTION:g} s"
            if hung >= _HANGS:
                warned, trouble = False, f"{trouble}, {hung} times; it is asked no more"
        except BaseException as error:  # an extractor is a plugin and may raise anything
            if passes(error):
                raise
            trouble = did(error)
        if not warned:
            warned = True
            warnings.warn(f"extractor {name!r} {trouble}", PluginWarning, stacklevel=2)
        return None

    return safe


class _Checked:
    """A grader whose verdicts are looked at: "no" is true to Python, so whatever is no bool is an error."""

    def __init__(self, name: str, grader: Grader, made_from: object) -> None:
        self.name, self._grader, self._made_from = name, grader, made_from

    @cached_property
    def fingerprint(self) -> str:
        """What identifies its code."""
        return code_of(self._made_from)

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        try:
            with Foreign():
                given = list(await grade_answers(self._grader, list(pairs), problems))  # a list of its own to change
        except BaseException as error:  # it ends the grader's work, not the program's
            if passes(error) or isinstance(error, TTSError):
                raise
            raise TTSError(f"grader {self.name!r} {did(error)}") from error
        if len(given) != len(pairs):
            raise TTSError(f"grader {self.name!r} gave {len(given)} verdicts for {len(pairs)} answers")
        return [self._verdict(one, *pair) for one, pair in zip(given, pairs, strict=True)]

    async def aclose(self) -> None:
        try:
            with Foreign():
                await self._grader.aclose()
        except BaseException as error:  # the grades are there, whatever becomes of the grader
            if passes(error):
                raise
            warnings.warn(f"closing the grader {self.name!r} {did(error)}", PluginWarning, stacklevel=2)

    def _verdict(self, given: Any, gold: str, answer: str | None) -> bool:
        if type(given) is bool:
            return given
        if type(given).__module__ == "numpy" and type(given).__name__ in ("bool", "bool_"):
            return bool(given)
        said = f"{shown(given)} on the answer {shown(answer)} to {shown(gold)}"
        raise TTSError(f"grader {self.name!r}: its verdict is {said}; a verdict is True or False")


async def grade_answers(
    grader: Grader, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None
) -> list[bool]:
    """A grader's verdicts, the problems told to it where it asks for them."""
    if problems is not None and "problems" in inspect.signature(grader.grade).parameters:
        return await grader.grade(pairs, problems=problems)  # type: ignore[call-arg]  # looked up
    return await grader.grade(pairs)
