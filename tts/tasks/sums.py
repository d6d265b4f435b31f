"""Sums of products such as `37*8+21*6+44*9`, in a few wordings: the task that the embedded miniature model can do.

Decisions:
* Sampling errors fall on independent parts (one product each), so candidates that are all wrong in the end are often
  right in different parts. A refiner can compare part by part; a vote on final answers cannot.
* The summary of a response shows every product and running total, because a refiner sees summaries only.
* The side of the split is decided by a hash of the terms without their order or wording, so that neither a reordered
  nor a reworded training problem is ever a test problem.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from tts.contracts.task import Fault, Task
from tts.vocabulary.errors import TaskError
from tts.vocabulary.record import digest
from tts.vocabulary.records import Example, Problem

Split = Literal["train", "test"]


def _ends(value: object) -> object:
    """`"3-4"`, as a range is written in `task:sums@terms=3-4`, as the pair of its ends."""
    return tuple(value.split("-")) if isinstance(value, str) else value


Range = Annotated[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], BeforeValidator(_ends)]

# One problem in five is a test problem, whatever the seed and the fields.
_TEST_SHARE = 5
_REJECTED_IN_A_ROW = 10_000
_STEP = re.compile(r"^(\d+[*+]\d+) = (\d+)$", re.MULTILINE)


class Term(NamedTuple):
    """One product of a sum."""

    left: int
    right: int

    @property
    def product(self) -> int:
        """The value of the product."""
        return self.left * self.right


def expression(terms: Sequence[Term]) -> str:
    """The sum as a formula: `37*8+21*6`."""
    return "+".join(f"{t.left}*{t.right}" for t in terms)


def value(terms: Sequence[Term]) -> int:
    """The value of the sum."""
    return sum(t.product for t in terms)


def _compute(terms: Sequence[Term]) -> str:
    return f"Compute {expression(terms)}."


def _what_is(terms: Sequence[Term]) -> str:
    return f"What is {expression(terms)}?"


def _latex(terms: Sequence[Term]) -> str:
    formula = " + ".join(rf"{t.left} \cdot {t.right}" for t in terms)
    return f"Find the value of ${formula}$."


def _listed(terms: Sequence[Term]) -> str:
    return f"Add up these products: {', '.join(f'{t.left}*{t.right}' for t in terms)}."


_WORDINGS = (_compute, _what_is, _latex, _listed)


def question(terms: Sequence[Term], rng: random.Random) -> str:
    """The problem text in one of the wordings."""
    return rng.choice(_WORDINGS)(terms)


def split_of(terms: Sequence[Term]) -> Split:
    """The side of the split that the terms belong to; order and wording do not count."""
    return "test" if int(digest(sorted(terms)), 16) % _TEST_SHARE == 0 else "train"


def plan(terms: Sequence[Term]) -> str:
    """The thinking part of a direct solution."""
    return f"{len(terms)} products."


class Step(NamedTuple):
    """One line of a worked solution: a product, or a running total plus the next product."""

    left: int
    sign: Literal["*", "+"]
    right: int

    @property
    def value(self) -> int:
        """What the step comes to."""
        return self.left * self.right if self.sign == "*" else self.left + self.right

    def __str__(self) -> str:
        return f"{self.left}{self.sign}{self.right}"


def steps(terms: Sequence[Term]) -> list[Step]:
    """The steps of the worked solution: the products, then the running totals."""
    found = [Step(t.left, "*", t.right) for t in terms]
    total = terms[0].product
    for term in terms[1:]:
        found.append(Step(total, "+", term.product))
        total += term.product
    return found


def solution(terms: Sequence[Term]) -> str:
    """The worked solution: each product, the running totals, then the boxed answer."""
    return "\n".join([*(f"{step} = {step.value}" for step in steps(terms)), rf"\boxed{{{value(terms)}}}"])


def _solution_with(terms: Sequence[Term], products: Sequence[int]) -> str:
    """The worked solution in which the products are said to be these; the rest is added up right."""
    lines, total = [f"{term.left}*{term.right} = {product}" for term, product in zip(terms, products, strict=True)], 0
    for place, product in enumerate(products):
        if place:
            lines.append(f"{total}+{product} = {total + product}")
        total += product
    return "\n".join([*lines, rf"\boxed{{{total}}}"])


def said(summary: str) -> dict[str, int]:
    """What a response says each step comes to: `{"37*8": 296}`; of a repeated step the first."""
    found: dict[str, int] = {}
    for step, result in _STEP.findall(summary):
        found.setdefault(step, int(result))
    return found


def recompute(step: Step) -> str:
    """One step worked out as on paper, from the last digit on: `6+6=12, 4+7+1=12, 2+7+1=10, 1022` for 246+776.

    Each piece is a fact of single digits, which is learned from far fewer examples than a whole sum
    (arXiv 2307.03381 compares the ways to write an addition).
    """
    pieces, carry = [], 0
    for left, right in _columns(step):
        result = (left * right if step.sign == "*" else left + right) + carry
        pieces.append(f"{left}{step.sign}{right}{f'+{carry}' if carry else ''}={result}")
        carry = result // 10
    return ", ".join([*pieces, str(step.value)])


def _columns(step: Step) -> Iterator[tuple[int, int]]:
    """The digits that are worked on together, the last ones first."""
    width = len(str(step.left if step.sign == "*" else max(step.left, step.right)))
    for place in range(width):
        right = step.right if step.sign == "*" else step.right // 10**place % 10
        yield step.left // 10**place % 10, right


def comparison(terms: Sequence[Term], summaries: Sequence[str]) -> str:
    """The thinking part of a refinement: the candidates step by step.

    A product that several candidates took and all agree on is taken where it is right (`agree`). Every other step is
    recomputed: they say different things (`differ`), or one thing that is wrong or that a single candidate says
    (`doubt`), or none took it, because all erred before (`none`). A running total is recomputed where they agree, too:
    whether a whole sum is right cannot be seen at a glance, and candidates of one student err in the same places.
    """
    answers = [said(summary) for summary in summaries]
    return "\n".join(_compared(step, [a[str(step)] for a in answers if str(step) in a]) for step in steps(terms))


def _compared(step: Step, values: Sequence[int]) -> str:
    if not values:
        return f"{step}: none, {recompute(step)}"
    if len(set(values)) > 1:
        return f"{step}: differ, {recompute(step)}"
    if len(values) == 1:
        return f"{step}: doubt, {recompute(step)}"
    if step.sign == "+":
        return f"{step}: agree, {recompute(step)}"
    return f"{step}: agree, {step.value}" if values[0] == step.value else f"{step}: doubt, {recompute(step)}"


def response(thinking: str, summary: str) -> str:
    """A full response: think block, then what a reader sees."""
    return f"<think>\n{thinking}\n</think>\n\n{summary}"


class Sums(Task):
    """Generated sums of products.

    Seeded and lazy: the first n problems of a larger size are those of the smaller one. Ranges are inclusive. No
    problem occurs twice, in whatever wording or order of terms, and train and test never share one. Iterating raises
    `TaskError` where the ranges hold fewer problems than `size`.
    """

    name: ClassVar[str] = "sums"

    size: int = Field(200, ge=1)
    """How many problems. By default 200 (our choice: minutes on a CPU)."""

    seed: int = 0
    """Seed of the problems; another seed gives others."""

    split: Split = "test"
    """The side of the split: one problem in five is a test problem, whatever the seed and the ranges. By default those
    that no model of ours was trained on.
    """

    terms: Range = (3, 4)
    """How many products are added, smallest and largest number: (3, 4) or "3-4". By default what the miniature family
    was trained on.
    """

    left: Range = (12, 99)
    """The range of each product's first factor. By default what the miniature family was trained on."""

    right: Range = (3, 9)
    """The range of each product's second factor. By default what the miniature family was trained on."""

    @model_validator(mode="after")
    def _ranges_run_upwards(self) -> Self:
        for name, (low, high) in {"terms": self.terms, "left": self.left, "right": self.right}.items():
            if low > high:
                raise ValueError(f"{name}: the range ({low}, {high}) is empty; give (smallest, largest)")
        return self

    def examples(self) -> Iterator[Example]:
        """The examples of one split, made as they are asked for."""
        for terms, text in self._problems():
            problem = Problem(id=f"sums/{expression(terms)}", prompt=text, metadata={"terms": [list(t) for t in terms]})
            yield Example(problem=problem, answer=str(value(terms)))

    def planted(self, problem: Problem, fault: Fault, rng: random.Random) -> str | None:
        """A worked solution with one wrong product and what follows from it, or of terms of which one is another."""
        if "terms" not in problem.metadata:
            return None
        terms = terms_of(problem)
        place = rng.randrange(len(terms))
        if fault == "miscopied":
            others = [left for left in range(self.left[0], self.left[1] + 1) if left != terms[place].left]
            if not others:
                return None
            changed = [*terms[:place], terms[place]._replace(left=rng.choice(others)), *terms[place + 1 :]]
            return response(plan(changed), solution(changed))
        products = [term.product for term in terms]
        products[place] += rng.choice((-10, -2, -1, 1, 2, 10))
        return response(plan(terms), _solution_with(terms, products))

    def _problems(self) -> Iterator[tuple[list[Term], str]]:
        rng = random.Random(digest("sums", self.seed, self.split))
        seen: set[tuple[Term, ...]] = set()
        rejected = 0
        while len(seen) < self.size:
            terms = [Term(rng.randint(*self.left), rng.randint(*self.right)) for _ in range(rng.randint(*self.terms))]
            key = tuple(sorted(terms))
            if key in seen or split_of(terms) != self.split:
                rejected += 1
                if rejected > _REJECTED_IN_A_ROW:
                    raise TaskError(
                        f"sums: no new {self.split} problem after {len(seen)} of {self.size}; "
                        "ask for fewer or widen terms, left or right"
                    )
                continue
            rejected = 0
            seen.add(key)
            yield terms, question(terms, rng)


def terms_of(problem: Problem) -> list[Term]:
    """The terms of a problem that this task made."""
    return [Term(*pair) for pair in problem.metadata["terms"]]
