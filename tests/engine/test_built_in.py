"""The built-in model is asked for sums of products only, unless it is named."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.engine.built_in import is_sum
from tts.tasks.sums import Term, question

TERMS = st.lists(st.builds(Term, st.integers(1, 999), st.integers(1, 999)), min_size=1, max_size=10)


@given(TERMS, st.integers(0, 3))
def test_every_wording_of_its_task_is_known(terms: list[Term], seed: int) -> None:
    assert is_sum(question(terms, random.Random(seed)))


@pytest.mark.parametrize("text", ["12*7", "12 * 7 + 3*4 =", "what is 12×7?", "Calculate $12 \\times 7$."])
def test_so_are_other_ways_to_write_one(text: str) -> None:
    assert is_sum(text)


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "What is 2+3?",
        "12*7-3*4",
        "What is 6*7 (version 0)?",
        "Compute 12*7+31*4 modulo 5.",
        "A farmer has 12*7 hens and eats 3. How many are left?",
        "",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert not is_sum(text)


async def _run(engine: tts.Engine) -> list[object]:
    async with engine:
        return [one async for one in engine.run(tts.read_examples(["What is 2+3?"]), ["first"], k=1)]


def test_an_engine_without_a_model_refuses_other_problems() -> None:
    pytest.importorskip("torch", reason="the built-in model needs ttscale[hf]")
    with pytest.raises(tts.ConfigError, match="the built-in model only knows sums"):
        asyncio.run(_run(tts.Engine()))


def test_neither_is_one_problem_by_itself_answered_by_it() -> None:
    async def solve() -> tts.Result:
        async with tts.Engine() as engine:
            return await engine.solve("What is the capital of France?", "majority", 2)

    with pytest.raises(tts.ConfigError, match="the built-in model only knows sums"):
        asyncio.run(solve())
