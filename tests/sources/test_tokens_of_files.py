"""Counts of tokens that come with candidates are used; what a file leaves out stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

import tts
from tts.answers import extract
from tts.sources.reading import read_candidate_sets

ROW = {"problem": "What is 2+3?", "answer": "5", "candidates": ["It is 5.", "It is 6."]}


def sets(rows: list[dict[str, Any]], **options: Any) -> list[tts.Sampled]:
    return list(read_candidate_sets(rows, extract=extract, **options))


def generated(rows: list[dict[str, Any]], **options: Any) -> list[int]:
    return [one.usage.generated_tokens for found in sets(rows, **options) for one in found.candidates]


@pytest.mark.parametrize("name", ["completion_tokens", "output_tokens", "generated_tokens"])
def test_a_list_beside_the_candidates_is_used(name: str) -> None:
    assert generated([{**ROW, name: [7, 9]}]) == [7, 9]


def test_counts_stand_in_the_candidates_too() -> None:
    candidates = [{"text": "It is 5.", "completion_tokens": 7}, {"text": "It is 6."}]
    assert generated([{**ROW, "candidates": candidates}]) == [7, 0]


def test_a_usage_of_an_api_is_read_with_its_reasoning() -> None:
    told = {
        "prompt_tokens": 11,
        "completion_tokens": 9,
        "total_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    told["completion_tokens_details"] = {"reasoning_tokens": 5}
    (found,) = sets([{**ROW, "candidates": [{"text": "5", "usage": told}]}])
    assert found.candidates[0].usage == tts.Usage(
        calls=1, prompt_tokens=11, cached_tokens=4, thinking_tokens=5, answer_tokens=4
    )


def test_the_user_names_the_column() -> None:
    assert generated([{**ROW, "len": [7, 9]}]) == [0, 0]
    assert generated([{**ROW, "len": [7, 9]}], columns={"completion_tokens": "len"}) == [7, 9]
    rows = [{"problem": ROW["problem"], "answer": "5", "response": text, "len": n} for text, n in (("5", 7), ("6", 9))]
    assert generated(rows, columns={"completion_tokens": "len"}) == [7, 9]
    with pytest.raises(tts.TaskError, match="no list 'lenn' of tokens, one for each of the 2 candidates"):
        generated([{**ROW, "len": [7, 9]}], columns={"completion_tokens": "lenn"})


@pytest.mark.parametrize("counts", [[0, None], [-1, "9"], [2.5, True]])
def test_what_is_no_count_stays_unknown(counts: list[Any]) -> None:
    assert generated([{**ROW, "completion_tokens": counts}]) == [0, 0]


def test_equal_budgets_know_what_candidates_cost() -> None:
    rows = [{**ROW, "problem": f"What is {i}+3?", "completion_tokens": [7, 9]} for i in range(4)]
    compared = tts.compare(rows, strategies=["majority"], k=2)
    assert compared.usage_known
    assert not tts.compare(
        [{**row, "completion_tokens": [7, None]} for row in rows], strategies=["majority"], k=2
    ).usage_known
