"""`--refresh N`: rounds of training with candidates of the round before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sums_rows import sums_rows, write

import tts
from tts import ConfigError
from tts.tasks.sums import Sums, solution, terms_of
from tts_trainers.data.pipeline import curate
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.refresh import train_refreshed


def _recipe(train: object, **optimisation: Any) -> HybridRecipe:
    given = {"batch": 2, "per_device": 1, "learning_rate": 1e-3, "max_length": 2048, **optimisation}
    return HybridRecipe.model_validate(
        {"model": {"name": "miniature"}, "data": {"train": str(train)}, "optimisation": given}
    )


def _data(folder: Path, student: dict[str, Any]) -> Path:
    """Rows over two candidates of a model, with the task's solutions as teacher."""
    raw = folder / "raw.jsonl"
    rows = [
        {
            "id": example.problem.id,
            "problem": example.problem.prompt,
            "answer": example.answer,
            "solutions": solution(terms_of(example.problem)),
            "drawn": [solution(terms_of(example.problem))] * 4,
        }
        for example in Sums(split="train", size=2).examples()
    ]
    raw.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    recipe = DataRecipe.model_validate(
        {
            "source": {"data": str(raw), "solutions": "solutions", "candidates": "drawn"},
            "student": {"n": 2, "max_tokens": 160, **student},
            "prompt": {"shown": 2},
            "teacher": {"model": "recorded"},
            "output": {"evaluation_share": 0},
        }
    )
    curate(recipe, folder / "data")
    return folder / "data"


@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
def test_each_round_learns_from_candidates_of_the_round_before(tmp_path: Path) -> None:
    data = _data(tmp_path, {"model": "hf:miniature"})
    out, said = tmp_path / "run", list[str]()
    recipe = _recipe(data, steps=2)
    assert train_refreshed(recipe, out, 1, say=said.append) == out
    first, second = tmp_path / "run-round-0", tmp_path / "run-data-1"
    assert json.loads((second / "recipe.json").read_text("utf-8"))["student"]["model"] == f"hf:{first}"
    began = json.loads((out / "run.json").read_text("utf-8"))["recipe"]
    assert (began["model"]["name"], began["data"]["train"]) == (str(first), str(second))
    assert [line.split("  ")[0] for line in said if line.startswith("step ") and "train_runtime" in line] == [
        "step 1/1",
        "step 1/1",
    ]
    done = tts.run("task:sums@size=1", model=f"hf:{out}", strategy="gsr", k=4, sampling=tts.Sampling(max_tokens=8))
    assert len(done.results) == 1
    said.clear()
    train_refreshed(recipe, out, 1, say=said.append)
    assert sum(line.endswith("holds the finished run already") for line in said) == 2
    assert sum(line.endswith("made before, kept") for line in said) == 4


def test_rows_of_another_origin_and_too_few_steps_are_told(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", sums_rows(2))
    with pytest.raises(ConfigError, match=r"rows\.jsonl' is no folder of it; give one as --data"):
        train_refreshed(_recipe(rows, steps=4), tmp_path / "run", 1)
    data = _data(tmp_path, {"model": "recorded"})
    with pytest.raises(ConfigError, match="their candidates are recorded; make them with a student"):
        train_refreshed(_recipe(data, steps=4), tmp_path / "run", 1)
