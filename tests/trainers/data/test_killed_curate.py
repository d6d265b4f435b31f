"""`kill -9` inside and between stages: the same command again gives the bytes of a run that was left alone."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from raw_files import both_sides, own, write
from waiting import until

SCRIPT = Path(__file__).with_name("killed_curate.py")
PROBLEMS = 40
CANDIDATES = 6 * PROBLEMS


def _start(data: Path, out: Path, delay: float, origin: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(data), str(out), str(delay), origin]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _stored(out: Path) -> int:
    try:
        with sqlite3.connect(f"file:{out / 'store.db'}?mode=ro", uri=True) as connection:
            found: int = connection.execute("SELECT count(*) FROM completions").fetchone()[0]
            return found
    except sqlite3.OperationalError:
        return 0  # the file or its tables are not there yet


def _made(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("train.parquet", "evaluation.parquet", "README.md")}


def _until_stored(process: subprocess.Popen[str], out: Path, wanted: int) -> None:
    until = time.monotonic() + 60
    while _stored(out) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


def _until_said(process: subprocess.Popen[str], title: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(title):
            return


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"problem": f"{i}+{i + 1}", "answer": str(2 * i + 1)} for i in range(PROBLEMS)]
    rows = [{**own(i, 3), **row, "solutions": [f"\\boxed{{{row['answer']}}}"]} for i, row in enumerate(rows)]
    data, origin = write(tmp_path / "raw.jsonl", rows), "candidates"  # their order of arrival must not matter
    alone = _start(data, tmp_path / "alone", 0.0, origin)
    assert alone.communicate(timeout=120)[1].count("saved in") == 1
    expected = _made(tmp_path / "alone")
    train, evaluation = both_sides(tmp_path / "alone")
    assert len({row["n_correct"] for row in train}) > 3
    assert {row["problem_id"] for row in train}.isdisjoint({row["problem_id"] for row in evaluation})

    out = tmp_path / "killed"
    for wanted in (30, CANDIDATES - 20):
        process = _start(data, out, 0.02, origin)
        _until_stored(process, out, wanted)
        process.kill()
        assert process.communicate(timeout=60)[1].count("saved in") == 0
    for title in ("Candidates", "Teacher"):
        process = _start(data, out, 0.004, origin)
        _until_said(process, title)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    process = _start(data, out, 0.0, origin)
    said = process.communicate(timeout=120)[1]
    assert "problems: made before, kept\nprompts: made before, kept\n" in said
    assert _made(out) == expected


def test_ctrl_c_is_heard_while_the_source_is_read(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "-", str(tmp_path / "out"), "0", "solutions"]
    waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until((tmp_path / "out" / "work.db").exists, waiting)
    time.sleep(0.2)
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=60)[1].startswith("interrupted; ")
    assert waiting.returncode == 130


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(0, 3) | {"problem": f"{i}+1", "id": str(i)} for i in range(PROBLEMS)])
    process = _start(data, tmp_path / "out", 0.02, "solutions")
    _until_stored(process, tmp_path / "out", 20)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.endswith("are kept in " + str(tmp_path / "out") + ": give the same command again to go on\n")
    assert "Traceback" not in said
