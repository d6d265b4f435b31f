"""What says whether an answer is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tts.registry.host import plugins
from tts.registry.user_code import FunctionGrader, user_function


class Grader(Protocol):
    """Says whether an extracted answer equals the gold answer."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer); `None` as answer is wrong."""

    async def aclose(self) -> None:
        """Free what the grader holds."""


def extractor(name: str) -> Callable[[str], str | None]:
    """An answer extractor by name."""
    return plugins().resolve("extractor", name)  # type: ignore[no-any-return]


def grader(name: str) -> Grader:
    """A grader by name, or one that asks a function of the user's: `package.module:function`, `file.py:function`.

    The function gets a gold answer and an answer (never `None`) and says whether they are equal. Raises
    `UnknownPluginError`, and `ConfigError` where there is no such function.
    """
    if ":" not in name:
        return plugins().resolve("grader", name)()  # type: ignore[no-any-return]
    return FunctionGrader(user_function(name))
