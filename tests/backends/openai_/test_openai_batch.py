"""Draws by way of batch files, on a real server in another process, which fails in the ways that such services do."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

pytest.importorskip("aiohttp")

from openai_process import BatchServerProcess

import tts
from tts_backends.openai import link as openai_link
from tts_backends.openai import pool as openai_pool
from tts_backends.openai_batch import OpenAIBatchBackend, gatherer, service

QUICK: dict[str, Any] = {"gather": 0.1, "poll": 0.12}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchServerProcess]:
    server = BatchServerProcess("--folder", str(tmp_path_factory.mktemp("service")))
    yield server
    server.stop()


@pytest.fixture
def server(process: BatchServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BatchServerProcess:
    process.start()
    process.behave()
    process.fail()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_link, "_CHECK_FIRST", 0.05)
    monkeypatch.setattr(service, "_PAUSE_FIRST", 0.01)
    monkeypatch.setattr(service, "_CREATED", (0.01, 0.02))
    return process


def connect(server: BatchServerProcess, **options: Any) -> OpenAIBatchBackend:
    return OpenAIBatchBackend("m", OpenAIBatchBackend.Options(base_url=server.base, **(QUICK | options)))


def request(text: str, n: int = 1, seed: int = 0, **sampling: Any) -> tts.Request:
    message = tts.Message(role="user", content=text)
    seeds = tuple(range(seed, seed + n))
    return tts.Request(messages=(message,), n=n, seeds=seeds, sampling=tts.Sampling(**sampling))


def ask(backend: OpenAIBatchBackend, *requests: tts.Request) -> list[list[tts.Completion]]:
    async def one(asked: tts.Request) -> list[tts.Completion]:
        return sorted([one async for one in backend.generate(asked)], key=lambda one: one.index)

    async def main() -> list[list[tts.Completion]]:
        return await asyncio.gather(*map(one, requests))

    return asyncio.run(main())


class Before:
    """What the server had run before, so that tests may share it."""

    def __init__(self, server: BatchServerProcess) -> None:
        self._server, self._batches = server, len(server.ran()["batches"])

    def batches(self) -> list[dict[str, Any]]:
        return self._server.ran()["batches"][self._batches :]


def singles(server: BatchServerProcess, probes: int) -> int:
    return server.stats()["asked"] - probes


def plain(server: BatchServerProcess, **options: Any) -> tuple[OpenAIBatchBackend, int, Before]:
    """A backend, how often the server was asked to probe it, and what it had run."""
    backend = connect(server, **options)
    return backend, server.stats()["asked"], Before(server)


def test_all_that_is_asked_side_by_side_is_one_file(server: BatchServerProcess) -> None:
    backend, probes, before = plain(server)
    found = ask(backend, *(request(f"{i}+1", n=4) for i in range(5)))
    (batch,) = before.batches()
    assert batch["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert singles(server, probes) == 0
    assert [[one.index for one in part] for part in found] == [[0, 1, 2, 3]] * 5
    texts = [one.text for part in found for one in part]
    assert len(set(texts)) == 20  # a seed each
    one = found[0][0]
    assert (one.finish_reason, one.usage.calls, one.usage.answer_tokens, one.server) == ("stop", 1, 8, server.base)


def test_each_answer_goes_to_its_request_in_whatever_order_they_come(
    server: BatchServerProcess, tmp_path: Path
) -> None:
    asked = [request(f"{i}+2", n=2) for i in range(3)]
    straight = ask(connect(server, ledger=tmp_path / "one"), *asked)
    server.fail(reverse=True)
    assert ask(connect(server, ledger=tmp_path / "other"), *asked) == straight


def test_the_same_request_is_never_sent_twice(server: BatchServerProcess, caplog: pytest.LogCaptureFixture) -> None:
    asked = [request(f"{i}+3", n=2) for i in range(3)]
    backend, _, before = plain(server)
    first = ask(backend, *asked)
    with caplog.at_level(logging.WARNING, "tts"):
        second = ask(connect(server), *asked, request("new"))
    assert second[:3] == first
    assert [one["request_counts"]["total"] for one in before.batches()] == [6, 1]
    assert "6 of 7 requests are in batches that were sent before" in caplog.text


@pytest.mark.parametrize(
    ("faults", "lost"),
    [
        ({"missing": 2}, 2),
        ({"errors": 2}, 2),
        ({"missing": 1, "errors": 1}, 2),
        ({"status": "expired"}, 3),
        ({}, 0),
    ],
)
def test_what_a_batch_leaves_out_is_asked_singly(
    server: BatchServerProcess, caplog: pytest.LogCaptureFixture, faults: dict[str, Any], lost: int
) -> None:
    server.fail(**faults)
    backend, probes, before = plain(server)
    with caplog.at_level(logging.WARNING, "tts"):
        found = ask(backend, *(request(f"{i}+4 {faults}") for i in range(6)))
    assert [len(part) for part in found] == [1] * 6
    assert all(part[0].whole for part in found)
    assert singles(server, probes) == lost
    assert len(before.batches()) == 1
    if lost:
        said = f"{lost} of 6 requests have no good answer, and are asked for one by one, at the full price"
        assert said in caplog.text


@pytest.mark.parametrize(
    ("faults", "options", "why"),
    [
        ({"missing": 2}, {"fallback": "none"}, "is completed and has no answer"),
        ({"errors": 2}, {"fallback": "none"}, r"failed \(HTTP 500\)"),
        ({"status": "cancelled"}, {}, "Too late"),
        ({"status": "failed"}, {}, "is failed"),
    ],
)
def test_what_is_not_asked_again_is_missing_and_says_why(
    server: BatchServerProcess, faults: dict[str, Any], options: dict[str, Any], why: str
) -> None:
    server.fail(**faults)
    backend, probes, _ = plain(server, **options)
    found = [part[0] for part in ask(backend, *(request(f"{i}+5 {faults}") for i in range(4)))]
    failed = [one for one in found if one.error is not None]
    assert len(failed) == (4 if faults.get("status") == "failed" else 2)
    assert all(one.finish_reason == "error" for one in failed)
    assert all(re.search(why, str(one.error)) for one in failed)
    assert singles(server, probes) == 0
    server.fail()  # and the next run asks for them in a batch again
    again = [part[0] for part in ask(connect(server, **options), *(request(f"{i}+5 {faults}") for i in range(4)))]
    assert all(one.whole for one in again)
    assert [one for one in again if one in found] == [one for one in found if one.error is None]


def test_rows_whose_parameter_is_refused_are_put_otherwise_in_another_batch(server: BatchServerProcess) -> None:
    backend, _, before = plain(server)
    server.behave(refuses=("temperature",))
    with pytest.warns(UserWarning, match="temperature is refused, and left out from now on"):
        (found,) = ask(backend, request("hot", n=5, temperature=0.5))
    assert all(one.whole for one in found)
    done = [(one["request_counts"]["completed"], one["request_counts"]["failed"]) for one in before.batches()]
    assert done == [(0, 5), (5, 0)]
    assert server.stats()["asked"] == 0
    assert list(backend.dropped) == ["temperature"]


def test_endings_are_read_as_those_of_single_requests(server: BatchServerProcess) -> None:
    backend = connect(server)
    server.behave(fault="ends refusal", times=1)
    (part,) = ask(backend, request("Say it", n=3))
    assert sorted(one.finish_reason for one in part) == ["refused", "stop", "stop"]
    (cut,) = ask(backend, request("Go on", max_tokens=3))
    assert (cut[0].finish_reason, cut[0].usage.answer_tokens) == ("length", 3)


def test_a_prompt_beyond_the_context_is_a_context_error(server: BatchServerProcess) -> None:
    with pytest.raises(tts.ContextLengthError):
        ask(connect(server), request("word " * 2000, max_tokens=10))


@pytest.mark.parametrize(
    ("faults", "uploads"),
    [
        ({"cut_upload": 2}, 1),
        ({"short_upload": 1}, 2),
        ({"made_500": 1}, 1),
        ({"lost_500": 1}, 1),
        ({"poll_500": 3}, 1),
    ],
)
def test_a_fault_on_the_way_makes_no_second_batch(
    server: BatchServerProcess, faults: dict[str, Any], uploads: int
) -> None:
    server.fail(**faults)
    backend, probes, before = plain(server)
    had = server.ran()["uploads"]
    found = ask(backend, request(f"{faults}", n=3))
    assert [one.whole for one in found[0]] == [True] * 3
    assert len(before.batches()) == 1
    assert server.ran()["uploads"] - had == uploads
    assert singles(server, probes) == 0


def test_a_batch_that_may_have_been_made_is_not_made_again(server: BatchServerProcess) -> None:
    """Where the service does not list its batches nobody can tell."""
    server.fail(made_500=1, unlisted=True)
    backend, _, before = plain(server)
    for _ in range(2):
        with pytest.raises(tts.BackendError, match=r"it cannot be told whether a batch was made.*delete that file"):
            ask(backend, request("unlisted"))
    assert len(before.batches()) == 1
    server.fail()  # when it does
    assert ask(connect(server), request("unlisted"))[0][0].whole
    assert len(before.batches()) == 1


def test_a_batch_that_the_service_does_not_know_is_not_sent_again(server: BatchServerProcess) -> None:
    server.fail(forgets=True)
    backend, _, before = plain(server)
    with pytest.raises(tts.BackendError, match="the service knows no batch batch_.*another key"):
        ask(backend, request("forgotten"))
    server.fail()
    assert ask(connect(server), request("forgotten"))[0][0].whole
    assert len(before.batches()) == 1


def test_a_service_without_room_is_asked_later_in_smaller_files(
    server: BatchServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail(crowded=3)
    backend, probes, before = plain(server, rows=8)
    with caplog.at_level(logging.WARNING, "tts"):
        found = ask(backend, request("crowd", n=16))
    assert len(found[0]) == 16
    assert all(one.whole for one in found[0])
    assert singles(server, probes) == 0
    done = [one["request_counts"]["total"] for one in before.batches() if one["status"] == "completed"]
    assert sum(done) == 16
    assert "Enqueued token limit reached" in caplog.text


def test_files_keep_to_the_limits_of_the_interface(server: BatchServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, _, before = plain(server, rows=5)
    ask(backend, request("rows", n=12))
    assert sorted(one["request_counts"]["total"] for one in before.batches()) == [2, 5, 5]
    monkeypatch.setattr("tts_backends.openai_batch.ledger.MOST_BYTES", 1000)
    monkeypatch.setattr(gatherer, "MOST_BYTES", 1000)
    backend, _, before = plain(server)
    ask(backend, request("bytes " * 50, n=4))
    assert len(before.batches()) >= 2
    assert OpenAIBatchBackend.Options().rows == 50_000


def test_a_service_that_is_started_again_is_waited_for(server: BatchServerProcess) -> None:
    server.fail(seconds=1.0)
    backend, _, before = plain(server, patience=60)

    async def main() -> list[tts.Completion]:
        asking = asyncio.create_task(_all(backend, request("restart", n=2)))
        await asyncio.to_thread(until, before.batches)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
        return await asking

    found = asyncio.run(main())
    assert [one.whole for one in found] == [True, True]
    assert len(before.batches()) == 1


async def _all(backend: OpenAIBatchBackend, asked: tts.Request) -> list[tts.Completion]:
    return [one async for one in backend.generate(asked)]


def test_what_is_cancelled_leaves_its_batch_for_the_next_run(
    server: BatchServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail(seconds=3600)
    backend, _, before = plain(server)
    cancelled: list[tts.Usage] = []

    async def main() -> None:
        asked = request("left", n=2).model_copy(update={"on_cancelled": cancelled.append})
        asking = asyncio.create_task(_all(backend, asked))
        await asyncio.to_thread(until, lambda: backend.waits_for)
        assert await backend.at_work() is True
        assert backend.waits_for.startswith(f"batch {before.batches()[0]['id']}: 0 of 2 done, 0 s")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.05)
        assert backend.waits_for == ""

    with caplog.at_level(logging.WARNING, "tts"):
        asyncio.run(main())
    assert [usage.cancelled for usage in cancelled] == [1, 1]
    assert "goes on at the service; the next run takes its answers" in caplog.text
    server.fail()
    assert len(ask(connect(server), request("left", n=2))[0]) == 2
    assert len(before.batches()) == 1


def test_closing_ends_those_who_wait(server: BatchServerProcess) -> None:
    server.fail(seconds=3600)
    backend = connect(server)

    async def main() -> None:
        asking = asyncio.create_task(_all(backend, request("closed", n=2)))
        await asyncio.to_thread(until, lambda: backend.waits_for)
        await backend.aclose()
        with pytest.raises(tts.BackendError, match="openai-batch:m is closed; batches that were sent go on"):
            await asking

    asyncio.run(main())


PROGRAM = """
import asyncio, sys, tts
from tts_backends.openai_batch import OpenAIBatchBackend, service
base, ledger = sys.argv[1:]
backend = OpenAIBatchBackend("m", OpenAIBatchBackend.Options(base_url=base, ledger=ledger, gather=0.1, poll=0.12))
async def main():
    asked = tts.Request(messages=(tts.Message(role="user", content=ledger),), n=3, seeds=(1, 2, 3))
    print("asking", flush=True)
    sys.stdin.readline()
    print(sorted([one.text async for one in backend.generate(asked)]))
asyncio.run(main())
"""
POINTS = ["POST /v1/files", "POST /v1/batches", "GET /v1/batches/", "GET /v1/files/"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_kill_minus_nine_at_any_request_sends_nothing_twice(
    server: BatchServerProcess, tmp_path: Path, point: str, after: bool
) -> None:
    ledger = str(tmp_path / "ledger")
    before = Before(server)
    command = [sys.executable, "-c", PROGRAM, server.base, ledger]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "asking\n"
        server.fail(kill=program.pid, at=point, after=after)
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.wait(120) == -signal.SIGKILL
    server.fail()
    backend, probes, _ = plain(server, ledger=ledger)
    asked = request(ledger, n=3).model_copy(update={"seeds": (1, 2, 3)})
    (found,) = ask(backend, asked)
    assert len({one.text for one in found}) == 3
    assert all(one.whole for one in found)
    assert [one["request_counts"]["total"] for one in before.batches()] == [3]
    assert singles(server, probes) == 0


def test_two_programs_share_what_they_ask(server: BatchServerProcess, tmp_path: Path) -> None:
    ledger, before = str(tmp_path / "ledger"), Before(server)
    command = [sys.executable, "-c", PROGRAM, server.base, ledger]
    server.fail(seconds=0.5)
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "asking\n"
    said = [program.communicate("\n", timeout=120)[0] for program in programs]
    assert said[0] == said[1] != ""
    assert [one["request_counts"]["total"] for one in before.batches()] == [3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stream": True}, "@stream=true: each completion is a line"),
        ({"grouping": "always"}, "@grouping=always: each completion is a line"),
        ({"base_url": "http://127.0.0.1:1/v1+http://127.0.0.1:2/v1"}, "a batch is at one service"),
    ],
)
def test_what_does_not_go_with_a_batch_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(tts.ConfigError, match=said):
        OpenAIBatchBackend("m", OpenAIBatchBackend.Options(**options))


def test_a_ledger_that_cannot_be_written_is_said_before_anything_is_sent(
    server: BatchServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    backend, _, before = plain(server, ledger=tmp_path / "file")
    with pytest.raises(tts.BackendError, match="cannot be used.*@ledger="):
        ask(backend, request("nowhere"))
    assert before.batches() == []


def test_a_program_of_the_user_answers_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As `vllm run-batch` does: line by line or all at once, in whatever order."""
    options = OpenAIBatchBackend.Options(run_batch=True, ledger=tmp_path, **QUICK)
    backend = OpenAIBatchBackend("m", options)

    async def main() -> list[tts.Completion]:
        asking = asyncio.create_task(_all(backend, request("How much is 1+1?", n=3)))
        await asyncio.to_thread(until, lambda: "vllm run-batch -i" in caplog.text)
        (file,) = options.place("m").glob("*.jsonl")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert all(line["url"] == "/v1/chat/completions" and line["body"]["seed"] in {0, 1, 2} for line in lines)
        with file.with_suffix(".out.jsonl").open("w") as answers:
            for line in lines[::-1]:
                text = json.dumps(answered(line))
                answers.write(text[:20])
                answers.flush()
                await asyncio.sleep(0.2)
                answers.write(text[20:] + "\n")
                answers.flush()
                assert not asking.done()
        return sorted(await asking, key=lambda one: one.index)

    with caplog.at_level(logging.WARNING, "tts"):
        found = asyncio.run(main())
    assert [(one.index, one.text, one.finish_reason) for one in found] == [
        (0, "", "error"), (1, "seed 1", "stop"), (2, "seed 2", "stop"),
    ]  # fmt: skip
    assert "HTTP 400" in str(found[0].error)


def answered(line: dict[str, Any]) -> dict[str, Any]:
    """The form in which vLLM answers a line; the first seed is refused."""
    seed = line["body"]["seed"]
    body: dict[str, Any] = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": f"seed {seed}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    if seed == 0:
        body = {"error": {"message": "not so", "code": 400}}
    response = {"status_code": 400 if seed == 0 else 200, "request_id": "vllm-batch-1", "body": body}
    return {"id": f"vllm-{seed}", "custom_id": line["custom_id"], "response": response, "error": None}
