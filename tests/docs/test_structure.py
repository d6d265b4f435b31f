"""docs/structure.md tells the life of a problem as it is: the functions that it names are called, in its order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tts
from tts.testing import ScriptedModel

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "structure.md").read_text("utf-8")
NAMED = [(path, name) for name, path in re.findall(r"`([\w.]+)`,\s+`([\w./]+\.py)`", PAGE)]
sys.path.insert(0, str(ROOT / "docs"))

import structure  # noqa: E402 - a script of docs/


@contextmanager
def called() -> Iterator[list[tuple[str, str]]]:
    """The functions of this repository that are called, by file and name, in the order of their first calls."""
    found: dict[tuple[str, str], None] = {}

    def heard(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(ROOT)):
            found.setdefault((str(Path(frame.f_code.co_filename).relative_to(ROOT)), frame.f_code.co_qualname))

    order: list[tuple[str, str]] = []
    threading.setprofile(heard)
    sys.setprofile(heard)
    try:
        yield order
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # as sys.setprofile; typeshed asks for a function
        order += found


def run(model: ScriptedModel, folder: Path) -> None:
    print(tts.run("task:sums@size=1", strategy="gsr", k=4, store=folder / "sums.db", model=model))


def test_a_problem_lives_as_the_page_says(tmp_path: Path) -> None:
    """In a process of its own: a profile of one with threads of other tests may take for ever."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    asked = [sys.executable, __file__, str(tmp_path)]
    done = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    order = [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
    assert len(NAMED) > 20
    assert [one for one in NAMED if one not in order] == []
    assert [one for one in order if one in NAMED] == NAMED


def test_the_steps_are_eight() -> None:
    steps = re.findall(r"^(\d)\. \*\*", PAGE, re.MULTILINE)
    assert steps == [str(number) for number in range(1, 9)]


def test_what_the_page_says_of_the_store_is_so(tmp_path: Path) -> None:
    run(ScriptedModel("so \\boxed{2}"), tmp_path)
    again = ScriptedModel("so \\boxed{2}")
    run(again, tmp_path)
    assert again.requests == []
    with tts.Store(tmp_path / "sums.db") as store:
        assert store.counts() == {"problems": 1, "draws": 2, "completions": 5, "calls": 0, "results": 1}


@pytest.mark.parametrize("package", structure.PACKAGES)
def test_every_room_has_a_row_in_its_own_words(package: str) -> None:
    page = structure.on_page_markdown(PAGE)
    assert f"<!-- rooms of {package} -->" in PAGE
    rooms = [package] if package == "tts_strategies" else [
        f"{package}.{path.parent.name}" for path in structure.PACKAGES[package].glob("*/__init__.py")
    ]  # fmt: skip
    files = structure.house().files
    for room in rooms:
        path = files[room].parent.relative_to(ROOT).as_posix()
        assert f"| `{path}/` | {structure.sentence(room, files)} |" in page


if __name__ == "__main__":
    with called() as heard_of:
        run(ScriptedModel("so \\boxed{2}"), Path(sys.argv[1]))
    print(json.dumps(heard_of))
