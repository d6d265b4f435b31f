"""Tables with one response in each row, lists in cells: what holds for all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.rows.cells import list_of
from tts.sources.layout import layout_of

TEXTS = st.lists(st.text(max_size=12), max_size=5)
LONG = [
    {"problem": f"What about {number}?", "gold": str(number), "response": f"{number} by {turn}", "score": turn}
    for number in range(4)
    for turn in range(number + 1)
]


def read(rows: Any, **more: Any) -> dict[str, list[str]]:
    found = tts.read_candidate_sets(rows, extract=lambda text: text.split()[0], **more)
    return {one.candidates.problem.text: [each.text for each in one.candidates] for one in found}


@given(st.permutations(LONG))
def test_the_order_of_rows_changes_only_the_order_of_candidates(rows: list[dict[str, Any]]) -> None:
    there = {problem: sorted(texts) for problem, texts in read(LONG).items()}
    assert {problem: sorted(texts) for problem, texts in read(rows).items()} == there
    firsts = {row["problem"]: row["response"] for row in reversed(rows)}
    assert {problem: texts[0] for problem, texts in read(rows).items()} == firsts


@given(TEXTS)
def test_a_list_is_read_from_its_json_and_from_what_python_prints(texts: list[str]) -> None:
    assert list_of(json.dumps(texts)) == texts
    assert list_of(str(texts)) == texts


@pytest.mark.parametrize(
    "cell", ["['a' 'b']", "['a'\n 'b']", "[1, 2", "a, b", "[x]", "", "[__import__('os')]", "{1: 2}"]
)
def test_what_is_no_list_is_none(cell: str) -> None:
    assert list_of(cell) is None


def test_scores_stay_with_their_responses_in_any_order() -> None:
    for rows in (LONG, LONG[::-1]):
        for one in tts.read_candidate_sets(rows, extract=lambda _: None):
            told = one.candidates.problem.metadata["recorded"]["score"]
            assert [int(each.text[-1]) for each in one.candidates] == told


def test_ids_of_responses_are_not_those_of_problems() -> None:
    rows = [row | {"id": f"r{number}", "metadata": {"n": number}} for number, row in enumerate(LONG)]
    found = [one.candidates.problem for one in tts.read_candidate_sets(rows, extract=lambda _: None)]
    assert [one.id for one in found] == ["p000001", "p000002", "p000003", "p000004"]
    assert found[1].metadata["recorded"]["response_id"] == ["r1", "r2"]
    assert found[1].metadata["recorded"]["row_metadata"] == [{"n": 1}, {"n": 2}]


def test_a_broken_row_is_named_or_left_out() -> None:
    rows = [*LONG, {"problem": "What about 0?", "gold": "0", "response": None}, 7]
    with pytest.raises(tts.TaskError, match=f"problem {len(LONG) + 1}: no column 'candidates'"):
        read(rows)
    assert read(rows, on_error="skip") == read(LONG)


def test_models_of_rows_are_kept_and_the_model_of_all_is_the_policy() -> None:
    [one, two] = tts.read_candidate_sets(
        [
            {"problem": p, "model": "m", "by": f"{p}{turn}", "response": "r"}
            for p in ("first", "second")
            for turn in (1, 2)
        ],
        extract=lambda _: None,
    )
    assert (one.candidates.policy, two.candidates.policy) == ("m", "m")
    assert two.candidates.problem.metadata["recorded"]["by"] == ["second1", "second2"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"problem": "a", "output": "b"}, "problems"),  # a data set of problems with solutions, as far as one row tells
        ({"problem": "a", "outputs": ["b"]}, "sets"),
        ({"problem": "a", "candidates": 3}, "sets"),  # and the reader says what is wrong
        ({"problem": "a", "response_1": "b", "response_2": "c"}, "sets"),
        ({"problem": "a", "response_1": "b"}, "problems"),
        ({"problem": "a"}, "problems"),
    ],
)
def test_what_a_row_is(row: dict[str, Any], kind: str) -> None:
    assert layout_of([row]).kind == kind
    assert layout_of([row], {"candidates": "output"} if "output" in row else None).kind == (
        "samples" if "output" in row else kind
    )


def test_frames_of_samples_are_not_answered_anew() -> None:
    rows = [{"problem": "Compute 12*7+31*4.", "text": f"It is {turn}"} for turn in range(3)]
    with pytest.raises(tts.ConfigError, match=r"3 rows of a list are of 1 problem; the column 'text' holds 3 texts"):
        tts.run(rows)
