"""Whole runs by way of batches: sampling and strategies, a store, a command that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import until

pytest.importorskip("aiohttp")

from openai_process import BatchServerProcess

import tts


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BatchServerProcess]:
    process = BatchServerProcess("--folder", str(tmp_path / "service"))
    yield process
    process.stop()


def reference(server: BatchServerProcess, ledger: Path) -> str:
    return f"openai-batch:m@base_url={server.base},ledger={ledger},gather=0.3,poll=0.12"


def problems(count: int) -> list[tts.Example]:
    return [tts.Example(problem=tts.Problem(id=str(i), prompt=f"{i}+1"), answer=str(i + 1)) for i in range(count)]


def sizes(server: BatchServerProcess) -> list[int]:
    return [one["request_counts"]["total"] for one in server.ran()["batches"]]


def test_each_stage_is_one_file_and_what_is_stored_is_not_asked_for_again(
    server: BatchServerProcess, tmp_path: Path
) -> None:
    server.behave(context=100_000)
    store, model = tmp_path / "s.db", reference(server, tmp_path / "ledger")
    sets = tts.sample(problems(5), k=4, model=model, store=store)
    assert [len(one) for one in sets] == [4] * 5
    assert sizes(server) == [20]
    run = tts.run(problems(5), strategy="gsr", k=4, model=model, store=store)
    assert not run.failed
    written, *more = sizes(server)[1:]
    assert (written >= 5, more) == (True, [])
    again = tts.compare(sets, strategies=["gsr", "majority"], k=4, model=model, store=store)
    assert not any(row.outcome.errors for row in again.rows)
    assert len(sizes(server)) == 2
    plain = f"openai:m@base_url={server.base}"  # the same model, by another way
    asked = server.stats()["asked"]
    assert [one.candidates for one in tts.sample(problems(5), k=4, model=plain, store=store)] == [
        one.candidates for one in sets
    ]
    probes = server.stats()["asked"] - asked
    assert probes < 15
    assert len({candidate.text for one in sets for candidate in one}) == 20


def test_a_judge_asks_by_batches_too(server: BatchServerProcess, tmp_path: Path) -> None:
    server.behave(context=100_000)
    model = reference(server, tmp_path / "ledger")
    run = tts.run(problems(3), strategy="knockout", k=4, model=model, judge=f"generic:{model}")
    assert not run.failed
    first, *rounds = sizes(server)
    assert first == 12
    assert rounds == [6, 6, 3, 3]  # two rounds; none of these verdicts can be read, so each is asked for once more


def test_tts_sample_goes_on_with_its_batch_after_kill_minus_nine(server: BatchServerProcess, tmp_path: Path) -> None:
    server.fail(seconds=3600)
    rows, out = tmp_path / "problems.jsonl", tmp_path / "out.jsonl"
    rows.write_text("".join(json.dumps({"id": str(i), "problem": f"{i}+1"}) + "\n" for i in range(4)))
    command = [sys.executable, "-m", "tts", "sample", str(rows), "-k", "3", "-o", str(out)]
    command += ["--model", reference(server, tmp_path / "ledger"), "--store", str(tmp_path / "s.db")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        until(lambda: sizes(server) and program.poll() is None, program, 120)
        program.send_signal(signal.SIGKILL)
        assert program.wait(60) == -signal.SIGKILL
    server.fail()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 requests are in batches that were sent before, and are not sent again" in done.stderr
    assert len(out.read_text().splitlines()) == 4
    assert sizes(server) == [12]
