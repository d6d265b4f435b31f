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

from pydantic import Field, model_validator

from tts._contracts import Task
from tts._errors import TaskError
from tts._records import Example, Problem, digest

Split = Literal["train", "test"]
Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]

# One problem in five is a test problem, whatever the seed and the fields.
_TEST_SHARE = 5
_REJECTED_IN_A_ROW = 10_000
_PRODUCT = re.compile(r"(\d+)\*(\d+) = (\d+)")


class Term(NamedTuple):
    """One product of a sum."""

    left: int
    right: int

    @property
    def product(self) -> int:
        """The value of the product."""
        return self.left * self.right


_Goods = tuple[str, str]
_GOODS: tuple[_Goods, ...] = (("boxes", "pens"), ("crates", "apples"), ("packs", "cards"), ("rows", "seats"))


def expression(terms: Sequence[Term]) -> str:
    """The sum as a formula: `37*8+21*6`."""
    return "+".join(f"{t.left}*{t.right}" for t in terms)


def value(terms: Sequence[Term]) -> int:
    """The value of the sum."""
    return sum(t.product for t in terms)


def _compute(terms: Sequence[Term], _: random.Random) -> str:
    return f"Compute {expression(terms)}."


def _what_is(terms: Sequence[Term], _: random.Random) -> str:
    return f"What is {expression(terms)}?"


def _latex(terms: Sequence[Term], _: random.Random) -> str:
    formula = " + ".join(rf"{t.left} \cdot {t.right}" for t in terms)
    return f"Find the value of ${formula}$."


def _story(terms: Sequence[Term], rng: random.Random) -> str:
    holder, thing = rng.choice(_GOODS)
    listed = [f"{t.left} {holder} of {t.right}" for t in terms]
    return f"There are {', '.join(listed[:-1])} and {listed[-1]} {thing}. How many {thing} are there in total?"


_WORDINGS = (_compute, _what_is, _latex, _story)


def question(terms: Sequence[Term], rng: random.Random) -> str:
    """The problem text in one of the wordings."""
    return rng.choice(_WORDINGS)(terms, rng)


def split_of(terms: Sequence[Term]) -> Split:
    """The side of the split that the terms belong to; order and wording do not count."""
    return "test" if int(digest(sorted(terms)), 16) % _TEST_SHARE == 0 else "train"


def plan(terms: Sequence[Term]) -> str:
    """The thinking part of a direct solution."""
    return f"{len(terms)} products."


def solution(terms: Sequence[Term]) -> str:
    """The worked solution: each product, the running totals, then the boxed answer."""
    lines = [f"{t.left}*{t.right} = {t.product}" for t in terms]
    total = terms[0].product
    for term in terms[1:]:
        lines.append(f"{total}+{term.product} = {total + term.product}")
        total += term.product
    return "\n".join([*lines, rf"\boxed{{{total}}}"])


def products(terms: Sequence[Term], summary: str) -> list[int | None]:
    """What a response says each product is, in the order of the terms; `None` where it does not say."""
    said: dict[tuple[int, int], list[int]] = {}
    for left, right, product in _PRODUCT.findall(summary):
        said.setdefault((int(left), int(right)), []).append(int(product))
    # A term that occurs twice is matched in order of appearance.
    return [said[term].pop(0) if said.get(term) else None for term in terms]


def recompute(term: Term) -> str:
    """One product worked out by place value: `240+56 = 296`."""
    places = [int(digit) * 10**power for power, digit in enumerate(reversed(str(term.left)))]
    pieces = [str(place * term.right) for place in reversed(places) if place]
    return f"{'+'.join(pieces)} = {term.product}" if len(pieces) > 1 else str(term.product)


def comparison(terms: Sequence[Term], summaries: Sequence[str]) -> str:
    """The thinking part of a refinement: the candidates part by part.

    Where all agree on the right product it is taken (`agree`); where they differ, it is recomputed (`differ`); where
    all agree on a wrong one, it is recomputed too (`doubt`).
    """
    said = [products(terms, summary) for summary in summaries]
    return "\n".join(_compared(term, [values[i] for values in said]) for i, term in enumerate(terms))


def _compared(term: Term, said: Sequence[int | None]) -> str:
    head = f"{term.left}*{term.right}"
    counts = {product for product in said if product is not None}
    if len(counts) == 1:
        if term.product in counts:
            return f"{head}: agree, {term.product}"
        return f"{head}: doubt, {recompute(term)}"
    return f"{head}: differ, {recompute(term)}"


def response(thinking: str, summary: str) -> str:
    """A full response: think block, then what a reader sees."""
    return f"<think>\n{thinking}\n</think>\n\n{summary}"


class Sums(Task):
    """Generated sums of products.

    Seeded and lazy: the first n problems of a larger size are those of the smaller one. `terms`, `left` and `right` are
    inclusive ranges of the number of products and of their factors. No problem occurs twice, in whatever wording or
    order of terms, and train and test never share one. Iterating raises `TaskError` where the ranges hold fewer
    problems than `size`.
    """

    name: ClassVar[str] = "sums"

    size: int = Field(200, ge=1)
    seed: int = 0
    split: Split = "test"
    terms: Range = (3, 4)
    left: Range = (12, 99)
    right: Range = (3, 9)

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
