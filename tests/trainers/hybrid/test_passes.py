"""What a run says of its rows before it learns from them: how many, how often, what is learned."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from sums_rows import sums_rows, write

from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.run import check_hybrid, train_hybrid


def _recipe(rows: Path, **optimisation: Any) -> HybridRecipe:
    given = {"steps": 2, "batch": 2, "learning_rate": 1e-3, "max_length": 1024} | optimisation
    tables = {"model": {"name": "miniature"}, "data": {"train": str(rows)}, "tracking": {"logging_steps": 1}}
    return HybridRecipe.model_validate(tables | {"optimisation": given})


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Twelve direct rows with thinking, two refine rows without, one refine row that is too long."""
    rows = sums_rows(14)
    direct = [row for row in rows if row["objective"] == "direct"][:12]
    refine = [row for row in rows if row["objective"] == "refine"][:3]
    for row in direct:
        text = row["completion"][0]["content"].rpartition("</think>")[2]
        row["completion"][0]["content"] = f"<think>so</think>{text}"
    for row in refine:
        row["completion"][0]["content"] = row["completion"][0]["content"].rpartition("</think>")[2]
    refine[2]["completion"][0]["content"] = "again " * 2000 + refine[2]["completion"][0]["content"]
    written: Path = write(tmp_path / "rows.jsonl", [*direct, *refine])
    return written


def test_passes_of_each_objective_are_told_and_many_are_warned_of(
    uneven: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tts.train"):
        report = check_hybrid(_recipe(uneven, steps=None, epochs=2.0), tmp_path / "out")
    direct, refine = report.splitlines()[-2:]
    assert direct.startswith("direct: 12 rows, ")
    assert direct.endswith("100% of the rows with thinking; 1.00 passes an epoch, 2.0 in all")
    assert refine.startswith("refine: 2 rows (1 more are too long), ")
    assert refine.endswith("0% of the rows with thinking; 6.00 passes an epoch, 12.0 in all")
    assert "refine rows are learned from 6.0 times an epoch" in caplog.text
    assert "100 % of the direct rows think and 0 % of the refine rows" in caplog.text
    assert "1 of 15 rows are longer than optimisation.max_length = 1024 and left out" in caplog.text


def test_shuffled_rows_come_once_in_an_epoch(uneven: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recipe = _recipe(uneven, steps=None, epochs=1.0, order="shuffle")
    with caplog.at_level(logging.WARNING, "tts.train"):
        report = check_hybrid(recipe, tmp_path / "out")
    assert [line.rpartition("; ")[2] for line in report.splitlines()[-2:]] == ["1.00 passes an epoch, 1.0 in all"] * 2
    assert "times an epoch" not in caplog.text
    said: list[str] = []
    train_hybrid(recipe, tmp_path / "out", say=said.append)
    steps = [line for line in said if " loss_" in line]
    assert len(steps) == 7, "14 rows, two a step"


def test_a_preview_marks_what_is_learned(uneven: Path, tmp_path: Path) -> None:
    shown: Any = check_hybrid(_recipe(uneven), tmp_path / "out", rows=True).split("\n\n")[1:]
    text = "\n\n".join(shown)
    assert text.startswith("row 1: direct, problem ")
    assert "<|assistant|>⟦<think>so</think>" in text
    assert text.count("⟦") == text.count("<|end|>⟧") >= 2
    assert not (tmp_path / "out").exists()
