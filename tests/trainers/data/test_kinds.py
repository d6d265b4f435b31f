"""Groups that a refiner must survive: each kind is what it says, on made-up candidates and through the pipeline."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import both_sides, own, recorded, write

import tts
from tts import Candidate, ConfigError
from tts.eval.control_kinds import plant_of
from tts.tasks.sums import Sums, said, solution, terms_of
from tts_trainers.data.audit import RefinePrompts
from tts_trainers.data.kinds import KINDS, Pool
from tts_trainers.data.pipeline import curate
from tts_trainers.data.recipe import DataRecipe, KindsSection
from tts_trainers.recipe import load_recipe

TASK = Sums(split="train", size=2)
FIRST, SECOND = TASK.examples()
GIVEN = {f"{term.left}*{term.right}" for term in terms_of(FIRST.problem)}


def _candidates(n: int, right: int) -> tuple[Candidate, ...]:
    good = solution(terms_of(FIRST.problem))
    bad = good.replace(f"boxed{{{FIRST.answer}}}", "boxed{1}")
    return tuple(
        Candidate(index=i, text=text, summary=text, answer=FIRST.answer if i < right else "1")
        for i, text in enumerate([good] * right + [bad] * (n - right))
    )


def _made(kind: str, *, n: int = 6, right: int = 3, k: int = 4, seed: int = 0, plant: str = "") -> list[str] | None:
    donor = (solution(terms_of(SECOND.problem)),)
    pool = Pool(
        FIRST.problem,
        FIRST.answer or "",
        _candidates(n, right),
        tuple(i < right for i in range(n)),
        donor,
        k,
        plant_of(plant),
        random.Random(seed),
    )
    made = KINDS[kind].make(pool)
    return None if made is None else [one if isinstance(one, str) else one.text for one in made]


def _boxed(texts: Sequence[str]) -> list[str | None]:
    extract = tts.plugins().resolve("extractor", "boxed")
    return [extract(text) for text in texts]


def _products(text: str) -> set[str]:
    return {step for step in said(text) if "*" in step}


@given(
    kind=st.sampled_from(sorted(KINDS)),
    right=st.integers(0, 10),
    k=st.integers(1, 10),
    seed=st.integers(0, 99),
    plant=st.sampled_from(["", "task:sums"]),
)
@settings(max_examples=200)
def test_every_kind_shows_k_or_says_that_it_cannot(kind: str, right: int, k: int, seed: int, plant: str) -> None:
    made = _made(kind, n=10, right=right, k=k, seed=seed, plant=plant)
    assert made == _made(kind, n=10, right=right, k=k, seed=seed, plant=plant), "a seed gives the same group"
    if made is None:
        assert kind in {"one_right", "all_right", "slip"} and (right in {0, 10} or kind == "slip")
        return
    assert all(text.strip() for text in made), "a blank candidate would not be shown at all"
    assert len(made) == (k if kind != "all_right" or right else 0)


@pytest.mark.parametrize("plant", ["", "task:sums"])
def test_miscopied_candidates_have_a_number_that_the_problem_has_not(plant: str) -> None:
    wrong = Counter(
        sum(not _products(text) <= GIVEN for text in _made("miscopied", seed=seed, plant=plant) or [])
        for seed in range(60)
    )
    assert wrong.keys() <= {0, 1, 2, 3, 4}
    assert all(wrong[count] for count in (1, 2, 3, 4)), "from one of them to all"
    assert wrong[0] < 12, "a changed second factor may give a product of the problem"


def test_what_a_task_plants_is_worked_out_to_its_end() -> None:
    for seed in range(20):
        for text in _made("slip", seed=seed, right=6, plant="task:sums") or []:
            [box] = _boxed([text])
            total = [result for step, result in said(text).items() if "+" in step][-1]
            assert str(total) == box


def test_another_problems_responses_stand_among_the_own() -> None:
    donated = solution(terms_of(SECOND.problem))
    counts = Counter((_made("other", seed=seed) or []).count(donated) for seed in range(60))
    assert counts.keys() == {1, 2, 3, 4}


def test_consensus_is_on_one_wrong_answer_and_boxes_have_no_reasoning() -> None:
    for right in (0, 3, 6):
        answers = set(_boxed(_made("consensus", right=right, seed=right) or []))
        assert len(answers) == 1
        assert FIRST.answer not in answers
    assert set(_made("boxes") or []) == {rf"\boxed{{{FIRST.answer}}}", r"\boxed{1}"}


def test_steps_go_missing_and_come_twice_and_ends_are_cut() -> None:
    whole = solution(terms_of(FIRST.problem)).count("\n")
    lines = {
        kind: {text.count("\n") for s in range(9) for text in _made(kind, right=6, seed=s) or []} for kind in KINDS
    }
    assert lines["missing"] == {whole, whole - 1}
    assert lines["repeated"] == {whole, whole + 1}
    cut = [text for s in range(9) for text in _made("truncated", right=6, seed=s) or []]
    assert None in _boxed(cut)
    assert all(solution(terms_of(FIRST.problem)).startswith(text) for text in cut)


def test_one_right_all_right_and_duplicates() -> None:
    assert _boxed(_made("one_right") or []).count(FIRST.answer) == 1
    assert set(_boxed(_made("all_right", right=2) or [])) == {FIRST.answer}
    assert _made("one_right", right=6) is None
    assert max(Counter(_made("duplicates", right=3, seed=1) or []).values()) >= 2


def test_the_pipeline_makes_counts_and_grades_them(tmp_path: Path) -> None:
    rows = [
        own(i, 3) | {"candidates": [f"{i}+1 = {i + 1 + j // 3}\n\\boxed{{{i + 1 + j // 3}}}" for j in range(6)]}
        for i in range(60)
    ]
    weights = {"own": 1, "boxes": 1, "other": 1, "empty": 1, "miscopied": 1, "slip": 1, "consensus": 1}
    recipe = recorded(
        write(tmp_path / "raw.jsonl", rows),
        kinds=weights,
        prompt={"shown": [1, 2, 4, 6]},
        output={"evaluation_share": 0, "format": "jsonl"},
    )
    tables = {table.title: table for table in curate(recipe, tmp_path / "out")}
    made = {kind: (impossible, prompts) for kind, _, impossible, prompts, _ in tables["Prompts by kind"].rows}
    assert made.keys() == weights.keys()
    assert sum(int(prompts) for _, prompts in made.values()) == 60
    train, _ = both_sides(tmp_path / "out")
    refine = [row for row in train if row["objective"] == "refine"]
    assert {json.loads(row["provenance"])["kind"] for row in refine} == weights.keys()
    prompts, shown = RefinePrompts(), Counter[int]()
    for row in refine:
        parts = prompts.read(row["prompt"][0]["content"])
        assert parts is not None
        shown[len(parts.candidates)] += 1
        right = row["problem_id"].removeprefix("own-")
        assert row["n_correct"] == _boxed(parts.candidates).count(str(int(right) + 1))
    assert shown.keys() == {1, 2, 4, 6}
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Refine rows for training by kind of candidates" in card
    assert "| other | responses to another problem, 1 to all |" in card


def test_the_task_of_the_source_plants() -> None:
    recipe = load_recipe("data-small", DataRecipe, ["source.data='task:sums@split=train,size=3'"])
    assert plant_of(recipe.source.data)(FIRST.problem, "slip", random.Random(0)) is not None
    assert plant_of("mine.jsonl")(FIRST.problem, "slip", random.Random(0)) is None


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="kinds: all weights are 0"):
        load_recipe("data-small", DataRecipe, ["kinds.own=0"])
    assert KindsSection().weights == {"own": 1.0}
    with pytest.raises(ConfigError, match=r"kinds.othr: there is no such key; did you mean 'other'"):
        load_recipe("data-small", DataRecipe, ["kinds.othr=1"])
