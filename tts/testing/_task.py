"""What every task must hold."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from tts.contracts.grader import extractor as extractor_of
from tts.contracts.grader import grader as grader_of
from tts.contracts.task import Task
from tts.testing._conduct import importable, in_another_process
from tts.testing._kit import Check, bound, pickled, run_all
from tts.vocabulary.errors import UnknownPluginError
from tts.vocabulary.records import Example

_MOST = 200  # examples that are looked at


def _examples(task: Task, count: int = _MOST) -> list[Example]:
    return list(itertools.islice(task.examples(), count))


def check_task_name(task: Task) -> None:
    """It has a name, and what follows it in `task:NAME:ARGUMENT` is one of its fields."""
    name = getattr(type(task), "name", None)
    assert isinstance(name, str), "the class has no name; give it `name: ClassVar[str] = ...`"
    assert task.argument is None or task.argument in type(task).model_fields, (
        f"argument={task.argument!r} is none of its fields: {', '.join(type(task).model_fields)}"
    )


def check_task_docstring(task: Task) -> None:
    """It says what it asks."""
    assert inspect.cleandoc(type(task).__doc__ or "").strip(), "the class has no docstring; say what the task asks"


def check_task_parameters(task: Task) -> None:
    """Its parameters survive JSON and a pickle, and nothing can change them."""
    again = type(task).model_validate_json(task.model_dump_json())
    assert dict(again) == dict(task), f"as JSON and back, {task!r} is {again!r}; give fields JSON types"
    assert dict(pickled(task)) == dict(task), f"pickled and read back, {task!r} is {pickled(task)!r}"
    assert task.model_config.get("frozen"), "its parameters can be changed; leave model_config as tts.Task has it"


def check_examples(task: Task) -> None:
    """It yields at least one example, and nothing but examples."""
    found: list[Any] = _examples(task)
    assert found, "it yields no example"
    wrong = next((one for one in found if not isinstance(one, Example)), None)
    assert wrong is None, f"examples() yields {wrong!r:.80}; it must yield tts.Example objects"


def check_examples_again(task: Task) -> None:
    """Iterating again gives the same examples in the same order, also where the first time was broken off."""
    first = _examples(task)
    _examples(task, 1)
    again = _examples(task)
    assert len(first) == len(again), (
        f"the first time it yields {len(first)} examples, then {len(again)}; examples() must begin anew each time"
    )
    for one, other in zip(first, again, strict=True):
        assert one == other, (
            f"problem {one.problem.id!r} comes the first time, {other.problem.id!r} or another text then"
        )


def check_examples_elsewhere(task: Task) -> None:
    """Another process makes the same examples: Python orders sets of strings otherwise in each."""
    if importable(type(task)):
        told = in_another_process("examples", task)
        assert told == first_examples(task), (
            "another process makes other examples, or another order; sort what comes from a set, and draw from "
            "random.Random(seed) with a seed of numbers or of tts's own digest, not of hash()"
        )


def first_examples(task: Task) -> list[list[str | None]]:
    """What `check_examples_elsewhere` compares."""
    return [[one.problem.id, one.problem.text, one.answer] for one in _examples(task, 20)]


def check_ids(task: Task) -> None:
    """No two problems share an id."""
    seen: set[str] = set()
    for one in _examples(task):
        assert one.problem.id not in seen, f"two problems have the id {one.problem.id!r}; results would be mixed up"
        seen.add(one.problem.id)


def check_metadata(task: Task) -> None:
    """Metadata is JSON: it is stored with the problem."""
    for one in _examples(task):
        try:
            same = json.loads(json.dumps(one.problem.metadata)) == one.problem.metadata
        except (TypeError, ValueError) as error:
            raise AssertionError(f"problem {one.problem.id!r}: metadata is not JSON: {error}") from error
        assert same, f"problem {one.problem.id!r}: metadata is another after JSON; use lists, not tuples, and text keys"


def check_grading(task: Task) -> None:
    """Its grader and its extractor are there, and no answer is wrong."""
    try:
        extractor_of(task.extractor)
        grader = grader_of(task.grader)
    except UnknownPluginError as error:
        raise AssertionError(str(error)) from error
    golds = [one.answer for one in _examples(task, 20) if one.answer is not None]

    async def graded() -> list[bool]:
        try:
            return await grader.grade([(gold, None) for gold in golds])
        finally:
            await grader.aclose()

    assert not any(asyncio.run(graded())), f"grader {task.grader!r} takes no answer for a right one"


_TASK_CHECKS: tuple[Callable[[Task], None], ...] = (
    check_task_name,
    check_task_docstring,
    check_task_parameters,
    check_examples,
    check_examples_again,
    check_examples_elsewhere,
    check_ids,
    check_metadata,
    check_grading,
)


def task_checks(task: Task) -> list[Check]:
    """The checks of a task with these parameters, to be run one by one."""
    return bound(_TASK_CHECKS, str(getattr(task, "name", type(task).__name__)), task)


def check_task(task: Task, *, expected_failures: Mapping[str, str] | None = None) -> None:
    """Try everything that a task must hold; one `AssertionError` tells all that does not.

    `expected_failures` maps the name of a check to the reason why it cannot hold.
    """
    run_all(task_checks(task), expected_failures)
