"""What a task is: a source of examples that says how answers to them are found out."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any, ClassVar

from tts.registry.host import plugins
from tts.registry.instance import instance
from tts.registry.parameters import Parameters
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Example


class Task(Parameters, abc.ABC):
    """A source of examples with the grader that judges answers to them and the extractor that finds the answers.

    All that a grader gets to know of a problem is its gold answer, so a tolerance or the like is part of that text.
    `argument` names the field that takes what follows the name in `task:NAME:ARGUMENT`.
    """

    argument: ClassVar[str | None] = None

    grader: str = "math"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default mathematical equality.
    """

    extractor: str = "auto"
    """What finds the final answer in a candidate's visible text: an extractor's name. By default a box, else other
    signs of an answer.
    """

    @abc.abstractmethod
    def examples(self) -> Iterable[Example]:
        """The examples, in a fixed order; may be lazy."""


def task(name: str | Task | type[Task], **parameters: Any) -> Task:
    """A task by name, class or instance, with its parameters; `NAME:ARGUMENT` fills the field that the task says.

    Raises `UnknownPluginError`, and `ConfigError` for a parameter that is unknown or out of range.
    """
    if isinstance(name, str) and ":" in name:
        name, _, argument = name.partition(":")
        cls: type[Task] = plugins().resolve("task", name)
        if cls.argument is None:
            raise ConfigError(f"task {name!r} takes nothing after a colon; write 'task:{name}@parameter=value'")
        parameters = {cls.argument: argument, **parameters}
    return instance("task", Task, name, parameters)  # type: ignore[type-abstract]  # only a bound
