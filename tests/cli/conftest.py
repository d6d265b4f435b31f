from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_backend import Fake

import tts
from tts.cli import main

Tts = Callable[..., Result]


@pytest.fixture
def run_tts() -> Iterator[Tts]:
    """The command line in this process, with the model fake:ANSWER."""
    host = tts.plugins()
    host.register("backend", "fake", Fake)

    def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin, prog_name="tts")

    yield run
    host._entries["backend"].pop("fake")
    host._resolved.pop(("backend", "fake"), None)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    rows = [{"id": f"q{i}", "question": f"What is 3+{i}?", "answer": 3 + i} for i in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    """Two sets whose majority is right although the first candidate of the second is wrong."""
    path = tmp_path / "candidates.jsonl"
    rows = [
        {"id": "a", "problem": "1+1?", "answer": "2", "candidates": ["\\boxed{2}", "\\boxed{2}", "\\boxed{3}"]},
        {"id": "b", "problem": "1+2?", "answer": "3", "candidates": ["\\boxed{4}", "\\boxed{3}", "\\boxed{3}"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
