"""The command line says in one line that a checkpoint is used otherwise than it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_backend import Fake

import tts
from tts.prompts import Prompts

TRAINED = Prompts(
    direct_template="{{ problem }}", refine_template="{{ problem }} {{ candidates }}", candidate_tokens=9, k=2
)


@pytest.fixture(autouse=True)
def _trained() -> None:
    class Trained(Fake):
        def __init__(self, model: str, options: Fake.Options) -> None:
            super().__init__(model, options)
            self.capabilities = self.capabilities.model_copy(update={"prompts": TRAINED})

    tts.plugins().register("backend", "trained", Trained)


def warned(done: Any) -> list[str]:
    assert done.exit_code == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("warning: ")]


def test_a_mismatch_is_one_line(run_tts: Any, problems: Path) -> None:
    done = run_tts("run", problems, "-m", "trained:5", "-s", "gsr", "-k", 3, "-p", "candidate_tokens=7")
    (line,) = warned(done)
    assert line == (
        "warning: 'trained:5' is not used as it was trained: gsr shows 3 candidates and it was trained on 2 (give "
        "k=2 or group_size=2); candidate_tokens=7 and it was trained on 9 (leave it out)"
    )


def test_a_match_is_none(run_tts: Any, problems: Path) -> None:
    assert not warned(run_tts("run", problems, "-m", "trained:5", "-s", "gsr", "-k", 2))
    assert not warned(run_tts("compare", problems, "-m", "trained:5", "-s", "first,majority", "-k", 4))
