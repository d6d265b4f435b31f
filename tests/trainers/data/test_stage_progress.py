"""How far a stage is, said while it goes on and while nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from waiting import until

from tts_trainers.data import run as module
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import WorkFile


def test_a_stage_that_waits_says_how_far_it_is_and_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.05)
    said: list[str] = []
    data = {"source": {"data": "rows.jsonl"}, "student": {"model": "x:m"}, "teacher": {"model": "x:m"}}
    recipe = DataRecipe.model_validate(data | {"direct": {"origin": "candidates"}})
    with WorkFile(tmp_path / "work.db") as work:
        run = Run(recipe, tmp_path, work, said.append)
        with run.stage("candidates"):
            until(lambda: any(line.startswith("candidates: begun; nothing new for") for line in said))
            run.progress("problems with candidates", 1200, 5000)
            until(lambda: any(line.startswith("1,200 of 5,000 problems with candidates; nothing new") for line in said))
        with run.stage("answers"):
            until(lambda: any(line.startswith("answers: begun") for line in said))
    lines = len(said)
    monkeypatch.undo()
    assert len(said) <= lines + 1  # one may be on its way when the stage ends
