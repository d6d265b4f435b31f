"""The `tts` command in a process of its own, under a limit of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
LIMIT = 180.0  # seconds: a command of this matrix takes one or two on a machine of its own
_ROOMS = [ROOT, *(ROOT / name for name in ("strategies", "backends", "trainers"))]


class Ended(NamedTuple):
    """How a command ended; `status` is negative where a signal did it, `None` where it had to be killed."""

    status: int | None
    out: str
    err: str
    seconds: float

    @property
    def tail(self) -> str:
        """The last that it said."""
        lines = [line for line in self.err.strip().splitlines() if line.strip()]
        return " / ".join(line[:160] for line in lines[-2:])


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """That of a command which imports this source tree; plugins in `folders` are installed."""
    path = os.pathsep.join(map(str, [*folders, *_ROOMS]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TTS_", "COV_"))}
    return kept | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "x", "COLUMNS": "120"} | more


def begin(arguments: Sequence[object], folder: Path, env: Mapping[str, str], **popen: Any) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; its output goes to files, which a killed reader cannot block."""
    out, err = (folder / "stdout.txt").open("wb"), (folder / "stderr.txt").open("wb")
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "tts", *map(str, arguments)],
            cwd=folder, env=dict(env), start_new_session=True, **{**streams, **popen},
        )  # fmt: skip
    finally:
        out.close()
        err.close()


def finish(process: subprocess.Popen[bytes], folder: Path, began: float, limit: float = LIMIT) -> Ended:
    """Wait for its end; past the limit it and its children are killed."""
    status: int | None
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        kill_group(process)
        status = None
    seconds = time.monotonic() - began
    kill_group(process)  # what it left behind
    told = [(folder / name).read_text("utf-8", "backslashreplace") for name in ("stdout.txt", "stderr.txt")]
    return Ended(status, *told, seconds)


def run(arguments: Sequence[object], folder: Path, env: Mapping[str, str], limit: float = LIMIT, **popen: Any) -> Ended:
    """Run a command to its end."""
    began = time.monotonic()
    return finish(begin(arguments, folder, env, **popen), folder, began, limit)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


@cache
def has_option(command: str, option: str) -> bool:
    """Whether this version of the command takes an option."""
    asked = [sys.executable, "-m", "tts", command, "--help"]
    done = subprocess.run(asked, env=environment(), capture_output=True, text=True, timeout=LIMIT, check=True)
    return option in done.stdout


def rows(path: Path) -> list[dict[str, Any]]:
    """The graded results of a file, without what differs from run to run."""
    found = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    return [{name: value for name, value in row.items() if name not in _TIMES} for row in found]


_TIMES = {"seconds"}
