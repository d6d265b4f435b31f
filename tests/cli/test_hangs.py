"""Whatever hangs, the command says what, ends, and prints what there is; Ctrl-C ends it in any case: real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import line

HANGING = str(Path(__file__).with_name("hanging.py"))
QUICK = {"TICK": "0.3"}  # what is said after a minute is said after a third of a second


@contextmanager
def started(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, HANGING, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(*arguments: object, **environment: str) -> tuple[str, str, int]:
    """What it says on stdout and stderr, and its exit status."""
    with started(*arguments, **{**QUICK, **environment}) as process:
        out, err = process.communicate(timeout=100)
    assert "Traceback" not in err
    return out, err, process.returncode


# --- limits and what is told -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mute", "deaf"])
def test_a_policy_that_says_nothing_fails_and_the_table_says_why(problems: Path, model: str) -> None:
    out, err, status = ended("run", problems, "-m", f"{model}:5", "-s", "majority", "-k", 2, "--request-timeout", 1)
    assert status == 1
    assert f"policy '{model}:5' has answered nothing for " in out
    assert "(request_timeout=1)" in out
    assert f"warning: policy '{model}:5' has answered nothing for 0 s (3 calls wait)" in err
    assert f"0/3 decisions; 0.0/s; waiting for policy '{model}:5' (3 calls wait, silent for " in err
    assert ("do not end when they are cancelled; left behind" in err) is (model == "deaf")


def test_a_scorer_that_says_nothing_and_json_stays_json(problems: Path) -> None:
    """Lines go to stderr; stdout is a JSON object in each line. The other strategies have their results."""
    arguments = ("run", problems, "-m", "fake:5", "--scorer", "mute:x", "-s", "best_of_n", "-k", 2)
    out, err, status = ended(*arguments, "--request-timeout", 1, "--json")
    rows = [json.loads(text) for text in out.splitlines()]
    assert status == 1
    assert ["scorer 'mute:x' has answered nothing" in row["error"] for row in rows] == [True] * 3
    assert "warning: scorer 'mute:x' has answered nothing for 0 s (3 calls wait)" in err


def test_blocking_code_is_named(problems: Path) -> None:
    out, err, _ = ended("run", problems, "-m", "fake:5", "-s", "blocks", "-k", 1, "-p", "seconds=1.5", "--limit", 1)
    assert "so nothing else goes on: it is blocked by Blocks.aggregate (cli/hanging.py, line " in err
    assert "blocks" in out


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("task", "warning: 3 tasks of stray still run 1 s after being cancelled; left behind"),
        ("thread", "done; not waiting for 3 threads that do not end: 'stray', 'stray', 'stray'"),
        ("worker", "warning: 3 worker threads have not ended after 1 s; left behind"),
    ],
)
def test_the_table_is_printed_whatever_a_strategy_leaves_behind(problems: Path, what: str, sentence: str) -> None:
    began = time.monotonic()
    out, err, status = ended("run", problems, "-m", "fake:5", "-s", "leaves", "-k", 2, "-p", f"what={what}")
    assert time.monotonic() - began < 60
    assert status == 0
    assert "leaves" in out
    assert sentence in err


def test_a_model_that_does_not_close_holds_up_nothing(problems: Path) -> None:
    out, _, status = ended("run", problems, "-m", "stays:5", "-s", "majority", "-k", 2)
    assert status == 0
    assert "majority (maj@2)" in out


def test_a_model_that_does_not_load_is_named(problems: Path) -> None:
    with started("run", problems, "-m", "loads:5", **QUICK) as process:
        said = [line(process, of="stderr") for _ in range(12)]
    assert any(
        "waiting for loads:5 to be loaded for 0 s; in Loads.__init__ (cli/hanging.py, line" in one for one in said
    )
    assert any(one.startswith("0/3 decisions; 0.0/s; waiting for loads:5 to be loaded (") for one in said)


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def interrupted(process: subprocess.Popen[str], seconds: float, times: int = 1) -> str:
    """What it says on stderr from Ctrl-C on; it ends within so many seconds, with the status that shells know."""
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < seconds, err
    assert process.returncode == 130, err
    assert "Traceback" not in err
    [said] = [text for text in err.splitlines() if text.startswith("interrupted")]
    return said


def shown(process: subprocess.Popen[str], text: str) -> None:
    for _ in range(50):
        if text in line(process, of="stderr"):
            return
    raise AssertionError(f"it does not say {text!r}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    connection.close()


def test_while_a_model_loads(problems: Path) -> None:
    with started("run", problems, "-m", "loads:5") as process:
        shown(process, "loading loads:5")
        time.sleep(0.3)
        said = interrupted(process, 5)
    assert said == "interrupted after 0 decisions while waiting for loads:5 to be loaded"


@pytest.mark.parametrize(("library", "model"), [("torch", "hf:miniature"), ("transformers", "hf:miniature")])
def test_while_a_library_is_imported(problems: Path, tmp_path: Path, library: str, model: str) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / f"{library}.py").write_text(
        "import sys, time\nprint('importing', file=sys.stderr, flush=True)\ntime.sleep(3600)"
    )
    path = os.pathsep.join([str(slow), os.environ.get("PYTHONPATH", "")])
    with started("run", problems, "-m", model, PYTHONPATH=path) as process:
        shown(process, "importing")
        time.sleep(0.3)
        said = interrupted(process, 5)
    assert said == "interrupted after 0 decisions while waiting for backend 'hf' to be imported"


def test_while_an_engine_starts(problems: Path, tmp_path: Path) -> None:
    """vLLM is imported and started on a worker thread."""
    (tmp_path / "vllm.py").write_text(
        "import sys, time\nprint('starting', file=sys.stderr, flush=True)\n"
        "while True:\n  try: time.sleep(3600)\n  except BaseException: pass\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with started("run", problems, "-m", "vllm:hf/none", PYTHONPATH=path) as process:
        shown(process, "starting")
        time.sleep(0.3)
        said = interrupted(process, 5)
    assert said == "interrupted after 0 decisions while waiting for vllm:hf/none to be loaded"


def test_while_a_server_does_not_answer_what_it_has(problems: Path) -> None:
    pytest.importorskip("aiohttp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        with started("run", problems, "-m", f"openai:m@base_url={address}") as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                time.sleep(0.3)
                said = interrupted(process, 5)
    assert said == (f"interrupted after 0 decisions while waiting for openai:m@base_url={address} to be loaded")


def test_while_a_store_is_locked(problems: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    assert subprocess.run([sys.executable, HANGING, "run", problems, "-m", "fake:5", "--store", store]).returncode == 0
    with locked(store), started("run", problems, "-m", "fake:5", "--store", store, TICK="0.3") as process:
        shown(process, f"waiting for store '{store}' to be free")
        said = interrupted(process, 8)  # five seconds to store what is decided
    assert said.startswith("interrupted after 3 decisions; 12 candidates are kept")


def test_while_the_loop_is_blocked_it_ends_after_its_grace(problems: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    arguments = ("run", problems, "-m", "fake:5", "-s", "blocks", "-k", 1, "--store", store)
    with started(*arguments, **QUICK) as process:
        shown(process, "blocked by Blocks.aggregate")
        said = interrupted(process, 9)
    last = f"interrupted after 0 decisions; 3 candidates are kept in {store}: give the same command again to go on"
    assert said == last


def test_the_second_ctrl_c_ends_it_at_once(problems: Path) -> None:
    with started("run", problems, "-m", "fake:5", "-s", "blocks", "-k", 1, **QUICK) as process:
        shown(process, "blocked by Blocks.aggregate")
        said = interrupted(process, 3, times=2)
    assert said.startswith("interrupted after 0 decisions; nothing is kept")


def test_a_model_that_swallows_what_it_is_told_does_not_survive_ctrl_c(problems: Path) -> None:
    with started("run", problems, "-m", "deaf:5", "-s", "majority", "-k", 1) as process:
        shown(process, "loading deaf:5")
        time.sleep(2.0)
        said = interrupted(process, 9)
    assert said.startswith("interrupted after 0 decisions; nothing is kept")
