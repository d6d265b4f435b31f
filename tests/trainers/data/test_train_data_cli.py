"""The command, with the miniature model as student and teacher."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from raw_files import both_sides, own, write

import tts
from tts.prompts import direct_messages, refine_messages
from tts_trainers.data.cli import command
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.workfile import draw_number
from tts_trainers.recipe import load_recipe

_CHANGES = {
    "student.n": 4, "teacher.n": 2, "prompt.mix": {}, "output.evaluation_share": 0.3,
}  # fmt: skip
SMALL = [
    *("data-small", "--source", "task:sums@split=train,size=4,seed=3"),
    *(part for key, value in _CHANGES.items() for part in ("--set", f"{key}={value}")),
]


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Two threads of a tiny model wait for each other more than they compute where other tests run."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
def test_the_miniature_makes_rows_that_are_what_inference_sees(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(command, [*SMALL, "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "Prompts by correct candidates shown" in result.stderr
    assert result.stdout == ""
    train, evaluation = both_sides(out)
    kinds = {row["objective"] for row in train + evaluation}
    assert kinds == {"direct", "refine"}
    problems = {e.problem.id: e for e in tts.read_examples(SMALL[2])}
    drawn = tts.sample(SMALL[2], k=4, model="hf:miniature/base", store=out / "store.db", sampling=_sampling())
    assert drawn.spent == {}, "the candidates are those of the store"
    for row in train + evaluation:
        example, completion = problems[row["problem_id"]], row["completion"][0]["content"]
        assert example.answer == tts.plugins().resolve("extractor", "boxed")(completion)
        assert completion.startswith("<think>\n")
        candidates = next(one for one in drawn if one.problem.id == row["problem_id"])
        if row["objective"] == "direct":
            assert row["prompt"] == [m.model_dump() for m in direct_messages(example.problem)]
        else:
            shown = [candidates[i] for i in json.loads(row["provenance"])["candidates"]]
            assert row["n_correct"] == sum(c.answer == example.answer for c in shown)
            assert row["prompt"] == _prompt(example.problem, shown)
    again = CliRunner().invoke(command, [*SMALL, "--out", str(out)], catch_exceptions=False)
    assert again.stderr.count("made before, kept") == 4


def _sampling() -> tts.Sampling:
    return load_recipe("data-small", DataRecipe).student.sampling(0)


def _prompt(problem: tts.Problem, shown: list[tts.Candidate]) -> list[dict[str, str]]:
    """The prompt of inference over the same candidates, in the order of the row."""

    async def count(texts: object) -> list[int]:
        return [1] * len(texts)  # type: ignore[arg-type]

    class Kept(random.Random):
        def shuffle(self, x: object) -> None:
            x[:] = shown  # type: ignore[index]

    made = asyncio.run(refine_messages(problem, shown, rng=Kept(), count_tokens=count))
    return [m.model_dump() for m in made.messages]


def test_a_dry_run_prints_counts_and_leaves_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [*SMALL, "--dry-run"], catch_exceptions=False)
    assert "in the source" in result.stdout
    assert "not among the 1,000 evaluation problems" in result.stdout
    assert list(tmp_path.iterdir()) == []
    assert "give --out FOLDER" in CliRunner().invoke(command, SMALL).stderr


def test_the_options_change_the_recipe(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, 3) for i in range(8)])
    columns = ["--set", "source.candidates=candidates", "--set", "source.solutions=solutions"]
    asked = ["data-small", "--source", str(data), "--student", "recorded", "--teacher", "recorded", *columns]
    result = CliRunner().invoke(command, [*asked, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert len(both_sides(tmp_path / "out")[0]) > 8
    with pytest.raises(tts.ConfigError, match="teacher: there is no such key|there is no such key"):
        CliRunner().invoke(command, [*asked, "--set", "teecher.n=3"], catch_exceptions=False)


@pytest.mark.parametrize("name", ["data-gsr", "data-gsr-ablation", "data-gsr-reading", "data-small"])
def test_our_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(name, DataRecipe)
    every_kind = name == "data-gsr-reading"
    assert recipe.student.n == (10 if every_kind else 6)
    assert {4} <= set(recipe.prompt.numbers) <= ({*range(1, 11)} if every_kind else {4})
    assert (len(recipe.kinds.weights) > 10) == every_kind
    assert len(recipe.filter.evaluation) == (1 if name == "data-small" else 5)
    assert recipe.output.arms == (20_000 if name == "data-gsr-ablation" else None)
    assert recipe.prompt.candidate_tokens is None, "nothing is cut in training"


def test_the_papers_numbers() -> None:
    recipe = load_recipe("data-gsr", DataRecipe)
    assert (recipe.student.temperature, recipe.student.top_p, recipe.student.max_tokens) == (1.0, 0.95, 4096)
    assert (recipe.teacher.n, recipe.teacher.temperature, recipe.teacher.max_tokens) == (10, 0.7, 16384)
    assert (recipe.filter.pass_rate, recipe.prompt.max_tokens, recipe.teacher.of_all_correct) == ((0.25, 0.9), 8192, 4)


def test_declaring_the_command_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'datasets', 'pyarrow'}"
    code = f"import sys, tts_trainers.data.cli, tts_trainers.data.pipeline; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_random_numbers_depend_on_their_parts_alone() -> None:
    assert draw_number(0, "a", "b") == draw_number(0, "a", "b")
    assert len({draw_number(seed, "row", i) for seed in range(30) for i in range(30)}) == 900
    assert draw_number("ab", "c") != draw_number("a", "bc")
