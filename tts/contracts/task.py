"""What a task is: a source of examples that says how answers to them are found out."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tts.registry.host import plugins
from tts.registry.instance import instance
from tts.registry.parameters import Parameters
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Example, Problem

if TYPE_CHECKING:
    import random

Fault = Literal["slip", "miscopied"]


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

    def planted(self, problem: Problem, fault: Fault, rng: random.Random) -> str | None:  # noqa: ARG002 - for tasks that can
        """A response to a problem of this task with one fault, worked out to its end; `None` where it cannot make one.

        "slip" is a step that comes out wrong, "miscopied" a solution, right in itself, of a problem in which one number
        is another. Asked by `tts.eval.controls`, which changes candidates' texts where a task answers `None`.
        """
        return None


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
