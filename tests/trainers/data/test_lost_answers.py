"""A student or a teacher that fails on some: rows are made of the rest, status 3, and only these are asked again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from doubles import FakeBackend
from raw_files import both_sides, own, write

import tts
from tts.cli import main

PROBLEMS = 24
RECIPE = """
[source]
data = ""
solutions = "solutions"
[student]
model = "fake:m"
[teacher]
model = "fake:m"
n = 2
[direct]
origin = "candidates"
[output]
evaluation_share = 0.2
"""


def whose(request: tts.Request) -> str:
    return "teacher" if "Candidate Response" in request.messages[-1].content else "student"


class Failing(FakeBackend):
    """Fails on the direct prompts (or the refine prompts) of a third of the problems, as long as `fails`."""

    fails = "student"

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        prompt = request.messages[-1].content
        number = int(prompt.split("Problem:\n")[-1].split("+")[0])
        async for one in super().generate(request):
            lost = whose(request) == self.fails and number % 3 == 0 and one.index == 0
            yield one.model_copy(update={"text": "", "finish_reason": "error", "error": "gone"}) if lost else one


@pytest.fixture
def failing() -> type[Failing]:
    cls = type("Fails", (Failing,), {})
    tts.plugins().register("backend", "fake", cls)
    return cls


def make(folder: Path, *options: str) -> Result:
    rows = [{"problem": f"{i}+{i + 1}", "answer": str(2 * i + 1)} for i in range(PROBLEMS)]
    rows = [{**own(i, 3), **row, "solutions": [f"\\boxed{{{row['answer']}}}"]} for i, row in enumerate(rows)]
    data, recipe = folder / "raw.jsonl", folder / "recipe.toml"
    if not data.exists():
        write(data, rows)
    recipe.write_text(RECIPE, "utf-8")
    given = ["train-data", str(recipe), "--source", str(data), "--out", str(folder / "out"), *options]
    return CliRunner().invoke(main, given, prog_name="tts")


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_what_was_lost_is_asked_for_again(failing: type[Failing], tmp_path: Path, who: str) -> None:
    failing.fails = who
    done = make(tmp_path)
    assert done.exit_code == 3, done.stderr
    lost = 8
    assert f"error: the {who} did not answer all: {lost} of {PROBLEMS} problems are incomplete" in done.stderr
    assert f"({lost}× gone)" in done.stderr
    assert "saved in" in done.stderr and all(both_sides(tmp_path / "out")), "rows are there all the same"
    tolerated = make(tmp_path, "--max-failed", "50%")
    assert tolerated.exit_code == 0
    before = len(failing.requests)
    failing.fails = "nobody"
    again = make(tmp_path)
    assert again.exit_code == 0
    own_share = [one.n for one in failing.requests[before:] if whose(one) == who]
    assert sum(own_share) == lost, "and the teacher on prompts that a student's new candidates change"
    assert f"{lost} candidates are missing and asked for again" in again.stderr
    kept = make(tmp_path)
    assert (kept.exit_code, kept.stderr.count("made before, kept")) == (0, 4)


def test_nonsense_is_refused_before_anything_is_asked(failing: type[Failing], tmp_path: Path) -> None:
    done = make(tmp_path, "--max-failed", "some")
    assert (done.exit_code, failing.completions()) == (2, 0)
    assert "give a number of problems such as 3, or a share such as '5%'" in done.stderr
