"""A server that fails on some requests: the table is whole, the status 3, the same command asks for the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

from openai_process import ServerProcess, running

FAULTS: dict[str, Any] = {"fault": "ends refusal|400", "rate": 0.2}


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    with running() as server:
        yield server


@pytest.fixture
def server(process: ServerProcess) -> ServerProcess:
    process.behave(**FAULTS)
    return process


def tts(server: ServerProcess, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tts", *map(str, arguments), "-m", f"openai:m@base_url={server.base}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    rows = [{"id": f"q{i}", "question": f"What is 3+{i}?", "answer": 3 + i} for i in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_compare_ends_with_status_3_and_a_whole_table(server: ServerProcess, problems: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "out.json", tmp_path / "s.db"
    given = ("compare", problems, "-s", "first,majority", "-k", 4, "--store", store, "-o", out, "--max-tokens", 20)
    done = tts(server, *given)
    assert done.returncode == 3, done.stderr
    missing = json.loads(out.read_text())["missing"]
    lost = missing["candidates_missing"]
    assert 5 < lost < 30, "a fifth of 80"
    assert f"{lost} of 80 candidates missing (" in done.stdout and "effective k 3." in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {missing['incomplete']} of 20 problems are incomplete: {lost} of 80 candidates are")
    assert "× the model refused: I can't help with that." in last and "(HTTP 400)" in last
    assert "the same command again asks only for what is missing" in last
    tolerated = tts(server, *given, "--max-failed", "100%")  # asks again, too, and some fail again
    assert tolerated.returncode == 0 and "warning: " in tolerated.stderr
    left = json.loads(out.read_text())["missing"]["candidates_missing"]
    assert left < lost
    server.behave()
    whole = tts(server, *given)
    assert (whole.returncode, server.stats()["asked"] >= left) == (0, True), whole.stderr
    assert "missing" not in whole.stdout
    assert json.loads(out.read_text())["missing"]["candidates_missing"] == 0


@pytest.mark.parametrize("verb", ["run", "sample", "eval", "solve"])
def test_every_verb_that_samples_ends_so(server: ServerProcess, problems: Path, tmp_path: Path, verb: str) -> None:
    given: dict[str, tuple[object, ...]] = {
        "run": ("run", problems, "-s", "majority", "-k", 4),
        "sample": ("sample", problems, "-k", 4),
        "eval": ("eval", problems, "-s", "majority", "-k", 2, "--samples", 4, "-o", tmp_path / "eval"),
        "solve": ("solve", "What is 3+1?", "-s", "majority", "-k", 12),
    }
    server.behave(fault="ends refusal", rate=0.4)
    arguments = (*given[verb], "--max-tokens", 20)
    done = tts(server, *arguments)
    assert done.returncode == 3, done.stderr
    assert done.stdout.strip(), "what is there is written"
    assert "incomplete" in done.stderr.splitlines()[-1]
    server.behave(fault="ends refusal", rate=0.4)
    tolerated = tts(server, *arguments, "--max-failed", "100%")
    assert tolerated.returncode == 0, tolerated.stderr


def test_nonsense_is_a_sentence_before_anything_is_asked(server: ServerProcess, problems: Path) -> None:
    done = tts(server, "run", problems, "--max-failed", "many")
    assert done.returncode == 2
    assert "'many' is neither a number of problems such as 3 nor a share such as 5%" in done.stderr
    assert server.stats()["asked"] == 0


def test_cut_responses_are_said(server: ServerProcess, problems: Path) -> None:
    server.behave()
    done = tts(server, "run", problems, "-n", 2, "-s", "majority", "-k", 4, "--max-tokens", 5)
    assert "8 of 8 responses were cut at max_tokens=5" in done.stdout, done.stderr
