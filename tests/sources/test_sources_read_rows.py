from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import tts


def test_rows_keep_their_columns_and_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("problem,expected_answer,solution\n1+1,2,one and one\n1+1,2,two\n", "utf-8")
    first, second = tts.read_rows(path, columns={"answer": "expected_answer"})
    assert (first.example.problem.prompt, first.example.answer) == ("1+1", "2")
    assert second.columns["solution"] == "two"
    assert second.where == f"{path}, line 3"


def test_ids_may_occur_again_and_broken_rows_are_named() -> None:
    rows = tts.read_rows([{"id": "a", "problem": "1+1"}, {"id": "a", "problem": "1+1"}, {"id": "b"}])
    assert [next(rows).example.problem.id, next(rows).example.problem.id] == ["a", "a"]
    with pytest.raises(tts.TaskError, match="problem 3: no column 'problem'"):
        next(rows)


async def _counted(engine: tts.Engine) -> list[int]:
    async with engine:
        return await engine.count_tokens(["a b c", "12345"])


def test_an_engine_counts_tokens_with_its_policy(fake: Callable[..., object]) -> None:
    fake()
    assert asyncio.run(_counted(tts.Engine(model="fake:m"))) == [3, 1]
    assert asyncio.run(_counted(tts.Engine())) == [2, 2]
