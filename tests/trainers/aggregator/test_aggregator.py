"""Refining by reward: which prompts there are, what is rewarded, and a run of a few steps on the miniature."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts import ConfigError
from tts.tasks.sums import Sums, solution, terms_of
from tts_trainers.aggregator.prompts import make_prompts
from tts_trainers.aggregator.recipe import AggregatorRecipe
from tts_trainers.aggregator.reward import answer_reward
from tts_trainers.aggregator.run import command, prepare, train_aggregator
from tts_trainers.data.audit import RefinePrompts
from tts_trainers.helpers.graded import read_graded
from tts_trainers.recipe import load_recipe

EXAMPLES = list(Sums(split="train", size=24).examples())


async def _count(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def _sets(correct: Sequence[int]) -> list[dict[str, Any]]:
    """Six candidates for each problem, so many of them correct; wrong ones say one wrong number."""
    rows = []
    for example, right in zip(EXAMPLES, correct, strict=False):
        good = solution(terms_of(example.problem))
        bad = good.rpartition("\n")[0] + "\n\\boxed{7}"
        candidates = [good] * right + [bad] * (6 - right)
        rows.append({"problem": example.problem.prompt, "answer": example.answer, "candidates": candidates})
    return rows


def _recipe(*changes: str) -> AggregatorRecipe:
    return load_recipe("aggregator-small", AggregatorRecipe, changes)


def _file(path: Path, correct: Sequence[int]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in _sets(correct)), "utf-8")
    return path


@given(correct=st.lists(st.integers(0, 6), min_size=4, max_size=24), share=st.sampled_from([0.25, 0.5, 0.75]))
@settings(max_examples=20)
def test_hard_and_easy_groups_are_balanced(correct: list[int], share: float) -> None:
    sets = read_graded(_sets(correct))
    recipe = _recipe(f"data.hard_share={share}", "data.groups=3")
    try:
        made = make_prompts(sets, recipe, _count)
    except ConfigError as error:
        assert "majority, and data.hard_share = " in str(error)  # noqa: PT017 - one of two good ends
        return
    hard, easy = made.counts["wrong majority"], made.counts["right majority"]
    assert len(made.rows) == hard + easy
    assert hard + easy + made.counts["left out for balance"] == 3 * len(sets)
    if hard and easy:
        assert abs(hard - share * (hard + easy)) <= 1
    prompts, boxed = RefinePrompts(), tts.plugins().resolve("extractor", "boxed")
    shown = [prompts.read(row["prompt"][0]["content"]) for row in made.rows]
    counts = [
        [boxed(text) for text in one.candidates].count(row["answer"])
        for one, row in zip(shown, made.rows, strict=True)
        if one
    ]
    assert len(counts) == len(made.rows)
    assert sum(count < 2 for count in counts) <= hard <= sum(count <= 2 for count in counts), "two of four are a tie"


def test_both_modes_in_one_run_and_groups_that_were_changed() -> None:
    sets = read_graded(_sets([3] * 12 + [1] * 12))
    made = make_prompts(sets, _recipe("data.direct_share=0.5", "data.kinds.other=1", "data.hard_share=0.5"), _count)
    modes = [row["objective"] for row in made.rows]
    assert modes.count("direct") == modes.count("refine") == made.counts["direct"]
    assert modes != sorted(modes)
    again = make_prompts(sets, _recipe("data.direct_share=0.5", "data.kinds.other=1", "data.hard_share=0.5"), _count)
    assert made == again


def test_a_reward_is_the_graders_word_and_there_is_none_for_what_was_cut() -> None:
    logged: dict[str, float] = {}
    reward = answer_reward(extractor="auto", grader="math", ends=frozenset({9}))
    half = "\\boxed{0.5}"
    texts = ["<think>\na\n</think>\n\n\\boxed{1/2}", half, "\\boxed{2}", half, f"<think>\n{half}"]
    found = reward(
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        completion_ids=[[1, 9], [9], [1, 9], [1, 2], [1, 9]],
        answer=["0.5"] * 5,
        problem=["?"] * 5,
        objective=["refine", "direct", "refine", "direct", "refine"],
        log_metric=logged.__setitem__,
        trainer_state=None,
    )
    assert found == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert logged == {"correct_direct": 0.5, "correct_refine": 1 / 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["rollout.generations=5"], "32 completions are not whole prompts of rollout.generations = 5"),
        (["optimisation.epochs=1"], "give epochs or steps, one of the two"),
        (["rollout.generations=1"], "rollout.generations: Input should be greater than or equal to 2"),
        (["model.quantisation=nf4"], "weights of 4 bits cannot be trained; add a table"),
    ],
)
def test_bad_recipes_are_one_sentence(changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _recipe(*changes)


def test_candidates_that_are_all_of_one_sort_are_told(tmp_path: Path) -> None:
    file = _file(tmp_path / "sets.jsonl", [6] * 8)
    with pytest.raises(ConfigError, match="none of 16 groups of candidates has a wrong majority, and data.hard"):
        prepare(_recipe(f"data.candidates={file}"), tmp_path / "out")
    shown = CliRunner().invoke(
        command,
        [str(_file(file, [1, 5] * 6)), "--model", "miniature", "--out", str(tmp_path / "out"), "--dry-run"],
        catch_exceptions=False,
    )
    assert "12 problems; 24 prompts to learn from: 12 wrong majority, 12 right majority, 0 direct" in shown.stdout
    assert not (tmp_path / "out").exists()


def test_prompts_without_room_for_a_completion_are_left_out_and_counted(tmp_path: Path) -> None:
    file = _file(tmp_path / "sets.jsonl", [1, 5] * 6)
    given = (f"data.candidates={file}", "data.direct_share=0.5", "optimisation.max_length=400")
    found = prepare(_recipe(*given, "rollout.max_tokens=250"), tmp_path / "out")
    assert re.search(r"24 prompts to learn from: .* 24 direct, .*; 24 too long and left out", found.report)
    assert {row["objective"] for row in found.prompts.rows} == {"direct"}
    with pytest.raises(
        ConfigError, match=r"no prompt leaves room for rollout.max_tokens = 390 in 400 tokens: the short"
    ):
        prepare(_recipe(*given, "rollout.max_tokens=390"), tmp_path / "out")


def test_the_recipe_for_gpus_is_valid() -> None:
    recipe = load_recipe("aggregator-qwen2.5-7b", AggregatorRecipe)
    assert recipe.rollout.engine == "vllm"
    assert recipe.data.direct_share == 0.25


@pytest.mark.slow
def test_a_run_learns_saves_and_goes_on(tmp_path: Path) -> None:
    """Real GRPO steps on the miniature's weights, then from a checkpoint as after a kill."""
    import torch
    from transformers import AutoModelForCausalLM

    from tts_trainers.runtime.place import place

    file = _file(tmp_path / "sets.jsonl", [1, 5] * 6)
    changes = ["steps=2", "batch=8", "per_device=8", "learning_rate=1e-4"]
    recipe = _recipe(
        f"data.candidates={file}",
        *(f"optimisation.{change}" for change in changes),
        "rollout.generations=4",
        "rollout.max_tokens=256",
        "tracking.save_steps=1",
        "tracking.logging_steps=1",
        "data.direct_share=0.3",
    )
    out, said = tmp_path / "run", list[str]()
    train_aggregator(recipe, out, say=said.append)
    assert sum("rewards/correct/mean" in line for line in said) == 2
    assert {json.loads((out / "tts.json").read_text("utf-8"))["k"]} == {4}
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
        for folder in (place("miniature"), out)
    )
    assert after.keys() == before.keys()
    done = tts.run("task:sums@size=1", model=f"hf:{out}", strategy="gsr", k=4, sampling=tts.Sampling(max_tokens=8))
    assert len(done.results) == 1
    said.clear()
    train_aggregator(recipe, out, say=said.append)
    assert said[-1] == f"{out} holds the finished run already"

    for name in ("tts.json", "model.safetensors"):
        (out / name).unlink()
    shutil.rmtree(out / "checkpoint-2")
    said.clear()
    train_aggregator(recipe, out, say=said.append)
    assert f"going on from {out / 'checkpoint-1'}" in said
    assert any(line.startswith("step 2/2 ") for line in said)
    assert not any(line.startswith("step 1/2 ") for line in said)
