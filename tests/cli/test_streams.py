"""What is paid for survives the streams and files that it goes to."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tts

FAKE = str(Path(__file__).with_name("fake_backend.py"))
ESCAPE = "\x1b]0;owned\x07\x1b[2J"
HALF = "\ud83d"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Candidate sets with what breaks encoders, spreadsheets, terminals."""
    path = tmp_path / "hostile.jsonl"
    rows = [
        {"id": f"=id{ESCAPE}{HALF}é", "problem": f"1+1? {HALF}", "answer": "2", "candidates": ["\\boxed{=1+1}"] * 2},
        {
            "id": "-5",
            "problem": "1-6?",
            "answer": "-5",
            "candidates": [f"é€\U0001f600{HALF}{ESCAPE} \\boxed{{-5}}"] * 2,
        },
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120} | options
    return subprocess.run([sys.executable, FAKE, *map(str, arguments)], check=False, **given)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_no_encoding_loses_a_result(hostile: Path, tmp_path: Path, encoding: str) -> None:
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    asked = ("run", hostile, "-m", "fake:é€\U0001f600", "-s", "majority", "-k", 2)
    done = run(*asked, "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stderr
    rows = {row["problem_id"]: row for row in map(json.loads, done.stdout.decode(encoding).splitlines())}
    assert rows.keys() == {f"=id{ESCAPE}\ufffdé", "-5"}
    assert rows["-5"]["text"].startswith("é€\U0001f600")
    table = run(*asked, env=env)
    assert table.returncode == 0, table.stderr
    assert b"accuracy" in table.stdout


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".csv", ".parquet"])
def test_no_text_empties_a_file(hostile: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    done = run("compare", hostile, "-s", "first,majority", "-k", 2, "-o", out)
    assert done.returncode == 0, done.stderr
    if ending == ".jsonl":
        assert {json.loads(line)["answer"] for line in out.read_text("utf-8").splitlines()} == {"=1+1", "-5"}
    elif ending == ".csv":
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["answer"] for row in rows} == {"'=1+1", "-5"}
        assert {row["problem_id"][:4] for row in rows} == {"'=id", "-5"}
    else:
        assert out.stat().st_size > 100


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_candidate_sets_of_any_text_come_back(hostile: Path, tmp_path: Path, ending: str) -> None:
    store, out = tmp_path / "run.db", tmp_path / f"sets{ending}"
    assert run("store", "import", store, hostile).returncode == 0
    done = run("store", "export", store, "-o", out)
    assert done.returncode == 0, done.stderr
    texts = {one.text for found, _ in tts.read_candidate_sets(out, extract=lambda _: None) for one in found}
    assert "\\boxed{=1+1}" in texts
    assert len(texts) == 2


def test_a_full_standard_output_is_one_sentence_and_what_was_asked_for_is_kept(
    candidates: Path, tmp_path: Path
) -> None:
    out = tmp_path / "kept.json"
    with Path("/dev/full").open("wb") as full:
        done = run("compare", candidates, "-s", "majority", "-k", 3, "-o", out, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == (
        "error: standard output cannot be written: No space left on device"
    )
    assert b"Traceback" not in done.stderr
    assert json.loads(out.read_text())["groups"] == 2


@pytest.mark.parametrize("how", ["full", "closed"])
def test_without_standard_error_the_work_is_done(problems: Path, tmp_path: Path, how: str) -> None:
    store = tmp_path / "a.db"
    command = f'exec "$0" "$@" {"2>/dev/full" if how == "full" else "2>&- <&-"}'
    asked = [FAKE, "run", problems, "-m", "fake:5", "-s", "majority", "-k", 2, "--store", store, "--json"]
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, *map(str, asked)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    with tts.Store(store) as opened:
        assert opened.counts()["completions"] == 6


@pytest.mark.parametrize("name", ["out.json", "out.csv", "out.jsonl", "page.md"])
def test_a_disk_that_fills_up_is_one_sentence_and_leaves_the_old_file(
    candidates: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    out = folder / name
    out.write_text("old")
    option = "--report" if name == "page.md" else "-o"

    def little_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    arguments = ("compare", candidates, "-s", "first,majority", "-k", 3, option, out)
    refused = run(*arguments, preexec_fn=little_space)
    assert refused.returncode == 2
    assert b"nothing can be written in" in refused.stderr
    code = (
        "import resource, sys; from tts.output import file; from tts.cli import main\n"
        "file.PROBE_BYTES = 1\nresource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\nmain()"
    )
    filled = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, timeout=120, check=False
    )
    assert filled.returncode == 1, filled.stderr
    assert b"cannot be written: File too large; nothing of it was kept" in filled.stderr.splitlines()[-1]
    assert out.read_text() == "old"
    assert list(folder.iterdir()) == [out]


@pytest.mark.parametrize(
    ("command", "option"),
    [("run", "-o"), ("sample", "-o"), ("compare", "-o"), ("run", "--report"), ("compare", "--report"), ("eval", "-o")],
)
def test_a_place_that_cannot_be_written_costs_nothing(
    run_tts: Any, problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    end = {"eval": "", "--report": "page.md"}.get(command if command == "eval" else option, "out.jsonl")
    monkeypatch.setattr(tts, "run" if command == "run" else command, None, raising=False)
    done = run_tts(command, problems, "-m", "fake:5", option, blocked / "deep" / end)
    assert done.exit_code == 2, (done.stderr, done.exception)
    assert len(done.stderr.splitlines()) == 1


def test_no_table_obeys_the_text_in_it(run_tts: Any, hostile: Path, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    assert run_tts("store", "import", store, hostile).exit_code == 0
    for arguments in (["store", "list", store], ["store", "list", store, "--json"]):
        done = run_tts(*arguments)
        assert done.exit_code == 0, done.stderr
        assert "\x1b" not in done.stdout
    failed = run_tts("run", hostile, "-m", f"fake:{ESCAPE}@fail=true", "-s", "majority", "-k", 4)
    assert "\x1b" not in failed.stdout + failed.stderr
    refused = run_tts("report", tmp_path / f"{ESCAPE}.db")
    assert "there is no store" in refused.stderr
    assert "\x1b" not in refused.stderr


LOUD = """
import sys
import tts
from typing import ClassVar
print("import")
class Loud(tts.Strategy):
    name: ClassVar[str] = "loud"
    async def aggregate(self, ctx):
        print("aggregate")
        sys.stdout.write("{}\\n")
        found = await ctx.candidates()
        return tts.Decision(text=found[0].text, chosen=0)
def same(gold, answer):
    print("grade")
    return gold == answer
"""


FROM_C = """
import atexit, os, subprocess, sys
import tts
from typing import ClassVar
def write():
    os.write(1, b"{}\\n")
    print("{}", flush=True)
    subprocess.run([sys.executable, "-c", "print('{}')"])
atexit.register(write)
write()
class Loud(tts.Strategy):
    name: ClassVar[str] = "loud"
    async def aggregate(self, ctx):
        write()
        os.close(1)
        found = await ctx.candidates()
        sys.stdout.close()
        return tts.Decision(text=found[0].text, chosen=0)
"""


def test_what_c_code_a_child_and_the_end_print_goes_to_stderr(candidates: Path, tmp_path: Path) -> None:
    file = tmp_path / "loud.py"
    file.write_text(FROM_C)
    tolerated = ("--max-failed", "100%")  # a second problem may write to the number that the first has closed
    done = run("compare", candidates, "-s", f"majority,{file}:Loud", "-k", 3, "--json", *tolerated)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["strategies"]) == {"majority", "loud"}
    assert done.stdout.count(b"\n") == 1
    assert done.stderr.count(b"{}\n") >= 6


@pytest.mark.parametrize("command", ["run", "compare", "solve"])
def test_a_print_in_a_plugin_goes_to_stderr(run_tts: Any, problems: Path, tmp_path: Path, command: str) -> None:
    file = tmp_path / "loud.py"
    file.write_text(LOUD)
    graded = ("--grader", f"{file}:same") if command != "solve" else ()
    source = "1+1?" if command == "solve" else problems
    done = run_tts(command, source, "-m", "fake:5", "-s", f"{file}:Loud", "-k", 2, *graded, "--json")
    assert done.exit_code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == (3 if command == "run" else 1)
    assert {} not in rows
    assert "import\n" in done.stderr
    assert "aggregate\n" in done.stderr
    assert ("grade\n" in done.stderr) == (command != "solve")
