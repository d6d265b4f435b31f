"""A run over a server that can be disturbed, with what the same command gives where nobody disturbs it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import openai_process
from program import LIMIT, Ended, begin, environment, finish, rows, run
from trial import Found

SERVER = Path(__file__).with_name("sums_server.py")
PROBLEMS = 12
K = 4
_MODEL = "openai:m@base_url={base},patience=5"
# What each command writes that must be the same in the end.
COMMANDS: dict[str, tuple[list[str], str]] = {
    "sample": (["sample", "problems.jsonl", "-k", str(K), "--store", "s.db", "-o", "out.jsonl"], "out.jsonl"),
    "run": (["run", "problems.jsonl", "-s", "gsr", "-k", str(K), "--store", "s.db", "-o", "out.jsonl"], "out.jsonl"),
    "compare": (
        ["compare", "problems.jsonl", "-s", "first,majority,gsr", "-k", str(K), "--store", "s.db", "-o", "out.jsonl"],
        "out.jsonl",
    ),
    "vote": (
        ["compare", "problems.jsonl", "-s", "first,majority", "-k", str(K), "--store", "s.db", "-o", "out.jsonl"],
        "out.jsonl",
    ),
    "eval": (
        ["eval", "problems.jsonl", "-o", "e", "-s", "majority,gsr", "-k", str(K), "--samples", str(K),
         "--outputs", "1", "--store", "s.db", "--report", "e/page.md"],
        "e/results.jsonl",
    ),
    "train-data": (["train-data", "recipe.toml", "--out", "d"], "d"),
}  # fmt: skip
_RECIPE = """seed = 0
[source]
data = "rows.jsonl"
[filter]
evaluation = []
[student]
model = "{model}"
n = 4
max_tokens = 64
[teacher]
model = "{model}"
n = 2
max_tokens = 64
of_all_correct = 2
[direct]
origin = "candidates"
[output]
evaluation_share = 0.1
"""


class Whole(NamedTuple):
    """What an undisturbed run leaves: its table, how many completions its store has, how many it asked for."""

    table: Any
    stored: int
    asked: int


@contextmanager
def served(**behaviour: Any) -> Iterator[openai_process.ServerProcess]:
    """A server of its own."""
    real, openai_process.SCRIPT = openai_process.SCRIPT, SERVER
    try:
        server = openai_process.ServerProcess(start=False)
        server._process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        server.port = int(openai_process.line(server._process))
    finally:
        openai_process.SCRIPT = real
    try:
        server.behave(**behaviour)
        yield server
    finally:
        server.stop()


def prepare(folder: Path, base: str) -> dict[str, str]:
    """The inputs; the environment of commands that stand beside them."""
    lines = [
        {"id": f"p{i}", "problem": f"What is {i}+{i + 1}?", "answer": str(2 * i + 1)} for i in range(PROBLEMS)
    ]  # fmt: skip
    for name in ("problems.jsonl", "rows.jsonl"):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "recipe.toml").write_text(_RECIPE.format(model=_MODEL.format(base=base)))
    return environment()


def arguments(command: str, base: str) -> list[str]:
    """The command line."""
    asked, _ = COMMANDS[command]
    return [*asked, *([] if command == "train-data" else ["-m", _MODEL.format(base=base)])]


def start(command: str, folder: Path, base: str, **popen: Any) -> subprocess.Popen[bytes]:
    """Begin the command in a folder that is prepared."""
    return begin(arguments(command, base), folder, environment(), **popen)


def again(command: str, folder: Path, server: openai_process.ServerProcess) -> tuple[Ended, int]:
    """The same command once more, before a server that behaves; how it ended, what it asked for."""
    server.behave()
    ended = run(arguments(command, server.base), folder, environment())
    return ended, server.stats()["asked"]


def whole(command: str) -> Whole:
    """What the command gives where nothing goes wrong."""
    with _one_at_a_time:
        return _whole(command)


_one_at_a_time = threading.Lock()


@cache
def _whole(command: str) -> Whole:
    with TemporaryDirectory(ignore_cleanup_errors=True) as name, served() as server:
        folder = Path(name)
        prepare(folder, server.base)
        ended, asked = again(command, folder, server)
        assert ended.status == 0, ended
        return Whole(table(command, folder), stored(command, folder), asked)


def table(command: str, folder: Path) -> Any:
    """What the command has written that must be the same, whatever happened on the way."""
    path = folder / COMMANDS[command][1]
    if path.is_dir():
        return {one.name: one.read_text() for one in sorted(path.glob("*.jsonl"))}
    found = rows(path)
    if command == "sample":  # seconds are in the candidates' usage
        for row in found:
            row["candidates"] = [{"text": c["text"], "answer": c.get("answer")} for c in row["candidates"]]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def stored(command: str, folder: Path) -> int:
    """How many completions its store has."""
    path = next(iter([*folder.rglob("*.db")]), None)
    if path is None:
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            return int(store.execute("SELECT count(*) FROM completions").fetchone()[0])
    except sqlite3.Error:  # the file is there, its tables are not yet
        return 0


def asked_at_least(server: openai_process.ServerProcess, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many completions were asked for, or the command has ended."""
    last = time.monotonic() + LIMIT
    while server.stats()["asked"] < count and process.poll() is None and time.monotonic() < last:
        time.sleep(0.01)


def resumed(command: str, folder: Path, server: openai_process.ServerProcess, *, count: int = 1) -> Found:
    """Whether the same command again loses nothing, asks for nothing that is there, and ends with the same table."""
    kept = stored(command, folder)
    ended, asked = again(command, folder, server)
    if ended.status is None:
        return Found(hung=True, count=count)
    goal = whole(command)
    if ended.status:
        return Found(wrong=f"the run after it ended with {ended.status}: {ended.tail}", count=count)
    wrong = "" if table(command, folder) == goal.table else "the table of the run after it is another"
    lost = goal.stored - stored(command, folder)
    return Found(lost=max(lost, 0), twice=max(asked - (goal.asked - kept), 0), wrong=wrong, count=count)


def ended_well(ended: Ended) -> str:
    """What is wrong with how a disturbed command ended, if anything: a sentence it may say, a traceback not."""
    if "Traceback" in ended.err:
        return f"a traceback: {ended.tail}"
    if ended.status is not None and ended.status > 0 and "error" not in ended.err and "interrupted" not in ended.err:
        return f"status {ended.status} without a sentence: {ended.tail}"
    return ""


__all__ = ["COMMANDS", "LIMIT", "PROBLEMS", "Found", "finish", "prepare", "resumed", "served", "start", "whole"]
