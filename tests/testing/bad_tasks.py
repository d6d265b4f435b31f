"""Graders and tasks with one planted fault each, beside good ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from pydantic import PrivateAttr

import tts

SAME = [("1/2", "0.5"), ("3", "3"), ("0.25", "1/4")]
DIFFERENT = [("1/2", "0.6"), ("3", "4")]
Asked = Sequence[tuple[str, str | None]]


def number(text: str) -> Fraction | None:
    try:
        return Fraction(text) if len(text) < 100 and "e" not in text else None
    except (ValueError, ZeroDivisionError):
        return None


class GoodGrader:
    """Compares fractions."""

    async def grade(self, pairs: Asked) -> Any:
        return [self.same(gold, answer) for gold, answer in pairs]

    def same(self, gold: str, answer: str | None) -> Any:
        return answer is not None and number(answer) is not None and number(gold) == number(answer)

    async def aclose(self) -> None: ...


class IntegerGrader(GoodGrader):
    def same(self, gold: str, answer: str | None) -> Any:
        return int(super().same(gold, answer))


class DroppingGrader(GoodGrader):
    async def grade(self, pairs: Asked) -> Any:
        return await super().grade([pair for pair in pairs if pair[1] is not None])


class TextGrader(GoodGrader):
    def same(self, gold: str, answer: str | None) -> Any:
        return gold == answer


class KindGrader(GoodGrader):
    def same(self, gold: str, answer: str | None) -> Any:
        return answer is None or super().same(gold, answer)


class SortingGrader(GoodGrader):
    async def grade(self, pairs: Asked) -> Any:
        return sorted(await super().grade(pairs), reverse=True)


class RememberingGrader(GoodGrader):
    def __init__(self) -> None:
        self._seen: set[str] = set()

    def same(self, gold: str, answer: str | None) -> Any:
        known = gold in self._seen
        self._seen.add(gold)
        return super().same(gold, answer) and not known


class FussyGrader(GoodGrader):
    def same(self, gold: str, answer: str | None) -> Any:
        return bool(answer) and Fraction(gold) == Fraction(str(answer))


class SharingGrader(GoodGrader):
    async def grade(self, pairs: Asked) -> Any:
        self._pairs = pairs
        await asyncio.sleep(0)
        return [self.same(gold, answer) for gold, answer in self._pairs]


class SleepingGrader(GoodGrader):
    def same(self, gold: str, answer: str | None) -> Any:
        time.sleep(0.02)
        return super().same(gold, answer)


class ConstantGrader(GoodGrader):
    fingerprint = "good"


GRADER_FAULTS = (
    (ConstantGrader, "check_grader_fingerprint", "leave it out, and the library goes by the code"),
    (IntegerGrader, "check_grades", "True or False"),
    (DroppingGrader, "check_grades", "give one for each"),
    (TextGrader, "check_equal_answers", "graded False, not True"),
    (KindGrader, "check_no_answer", "no answer is wrong"),
    (SortingGrader, "check_grades_follow", "in the order of the pairs"),
    (RememberingGrader, "check_grades_again", "remember nothing"),
    (FussyGrader, "check_odd_answers", "what cannot be read is wrong"),
    (SharingGrader, "check_grades_at_once", "local variables"),
    (SleepingGrader, "check_grader_loop", "asyncio.to_thread"),
)


def example(number: int, **more: Any) -> tts.Example:
    problem = tts.Problem(id=str(number), prompt=f"How much is {number} + {number}?", **more)
    return tts.Example(problem=problem, answer=str(2 * number))


class GoodTask(tts.Task):
    """Doubles of whole numbers."""

    name: ClassVar[str] = "doubles"
    size: int = 5

    def examples(self) -> Iterator[Any]:
        return (example(number) for number in range(self.size))


class NamelessTask(tts.Task):
    """Has no name."""

    def examples(self) -> Iterator[Any]:
        yield example(1)


class WrongArgumentTask(GoodTask):
    """Names a field that it does not have."""

    argument: ClassVar[str | None] = "count"


class UndocumentedTask(GoodTask):
    name: ClassVar[str] = "undocumented"


UndocumentedTask.__doc__ = None


class OpenFileTask(GoodTask):
    """Holds what cannot be pickled."""

    _rows: Any = PrivateAttr(default_factory=lambda: (number for number in range(3)))


class EmptyTask(GoodTask):
    """Has nothing to ask."""

    def examples(self) -> Iterator[Any]:
        return iter(())


class ProblemTask(GoodTask):
    """Yields problems without answers around them."""

    def examples(self) -> Iterator[Any]:
        return (example(number).problem for number in range(self.size))


class OnceTask(GoodTask):
    """Can be read once."""

    _left: ClassVar[Iterator[int]] = iter(range(100_000))

    def examples(self) -> Iterator[Any]:
        for number in self._left:
            yield example(number)
            if number % 5 == 4:
                return


class UnseededTask(GoodTask):
    """Draws anew each time."""

    def examples(self) -> Iterator[Any]:
        return (example(number) for number in random.sample(range(10_000), self.size))


class SetTask(GoodTask):
    """Goes through a set of strings."""

    def examples(self) -> Iterator[Any]:
        for word in {f"word {place}" for place in range(20)}:
            yield tts.Example(problem=tts.Problem(id=word, prompt=f"Spell {word}."), answer=word)


class SameIdTask(GoodTask):
    """Uses one id twice."""

    def examples(self) -> Iterator[Any]:
        return (example(number // 2) for number in range(self.size))


class TupleTask(GoodTask):
    """Has metadata that JSON changes."""

    def examples(self) -> Iterator[Any]:
        return (example(number, metadata={"terms": (number, number)}) for number in range(self.size))


class ObjectTask(GoodTask):
    """Has metadata that is not JSON."""

    def examples(self) -> Iterator[Any]:
        return (example(number, metadata={"value": Fraction(number, 3)}) for number in range(self.size))


class LostGraderTask(GoodTask):
    """Wants a grader that nobody has."""

    grader: str = "mathh"


TASK_FAULTS = (
    (NamelessTask, "check_task_name", "give it `name: ClassVar[str]"),
    (WrongArgumentTask, "check_task_name", "none of its fields"),
    (UndocumentedTask, "check_task_docstring", "say what the task asks"),
    (OpenFileTask, "check_task_parameters", "cannot be pickled"),
    (EmptyTask, "check_examples", "yields no example"),
    (ProblemTask, "check_examples", "must yield tts.Example"),
    (OnceTask, "check_examples_again", "begin anew"),
    (UnseededTask, "check_examples_again", "comes the first time"),
    (SetTask, "check_examples_elsewhere", "sort what comes from a set"),
    (SameIdTask, "check_ids", "two problems have the id"),
    (TupleTask, "check_metadata", "use lists, not tuples"),
    (ObjectTask, "check_metadata", "metadata is not JSON"),
    (LostGraderTask, "check_grading", "did you mean 'math'"),
)
