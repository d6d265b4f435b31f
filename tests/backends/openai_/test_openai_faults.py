"""Every way in which a server misbehaves, on a real server in another process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import soon

pytest.importorskip("aiohttp")

from openai_process import ServerProcess, running

import tts
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import link as openai_link
from tts_backends.openai import pool as openai_pool


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    with running() as server:
        yield server


@pytest.fixture
def server(process: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    process.start()
    process.behave()
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_link, "_CHECK_FIRST", 0.05)
    return process


def connect(*servers: ServerProcess, model: str = "m", **options: Any) -> OpenAIBackend:
    base = "+".join(server.base for server in servers)
    return OpenAIBackend(model, OpenAIBackend.Options(base_url=base, **options))


def request(text: str = "How much is 1+1?", n: int = 1, **sampling: Any) -> tts.Request:
    message = tts.Message(role="user", content=text)
    return tts.Request(messages=(message,), n=n, seeds=tuple(range(n)), sampling=tts.Sampling(**sampling))


def ask(backend: OpenAIBackend, asked: tts.Request | None = None, **sampling: Any) -> list[tts.Completion]:
    async def main() -> list[tts.Completion]:
        completions = backend.generate(asked or request(**sampling))
        return sorted([one async for one in completions], key=lambda one: one.index)

    return asyncio.run(main())


def test_a_server_that_is_not_there_is_said_before_anything_is_sampled(process: ServerProcess) -> None:
    process.stop()
    with pytest.raises(tts.BackendUnavailable, match=r"cannot be reached.*start the server") as raised:
        connect(process)
    assert not raised.value.retryable
    with pytest.raises(tts.BackendUnavailable, match="cannot be reached"):
        tts.solve("1+1", model=f"openai:m@base_url={process.base}")
    process.start()


@pytest.mark.parametrize("fault", ["429", "500", "503", "malformed", "strange", "truncated", "page", "disconnect"])
def test_a_passing_fault_costs_one_more_request(server: ServerProcess, fault: str) -> None:
    backend = connect(server)
    expected = [one.text for one in ask(backend, n=2)]
    server.behave(fault=fault, times=1)
    assert [one.text for one in ask(backend, n=2)] == expected
    stats = server.stats()
    assert stats["asked"] == 3
    assert set(stats["completed"].values()) == {1}, "nothing was completed twice"


LASTING = {
    "429": "is rate-limited (HTTP 429): something is wrong here; asked 3 times",
    "500": "failed (HTTP 500): something is wrong here; asked 3 times",
    "503": "failed (HTTP 503): something is wrong here; asked 3 times",
    "malformed": "something that is not the JSON of a completion",
    "strange": "something that is not the JSON of a completion",
    "truncated": "broke the connection off",
    "page": "HTML page; does base_url lead to",
    "disconnect": "broke the connection off",
    "400": "refuses the request (HTTP 400): something is wrong here",
    "418": "refuses the request (HTTP 418)",
    "302": "redirects to",
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_one_sentence(server: ServerProcess, fault: str) -> None:
    backend = connect(server, retries=2)
    server.behave(fault=fault)
    with pytest.raises(tts.BackendError) as raised:
        ask(backend)
    assert LASTING[fault] in str(raised.value)
    assert server.base in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not raised.value.retryable
    assert server.stats()["asked"] == (1 if fault in {"400", "418", "302"} else 3)


def test_retry_after_is_honoured_by_all_requests(server: ServerProcess) -> None:
    backend = connect(server)
    server.behave(fault="429", times=1, retry_after="0.7")

    async def main() -> float:
        (first,) = [one async for one in backend.generate(request())]
        started = time.monotonic()
        server.behave(fault="503", times=1, retry_after="0.7")
        waiting = asyncio.create_task(anext(backend.generate(request())))

        async def asked() -> bool:
            return bool((await asyncio.to_thread(server.stats))["asked"])

        await soon(asked, waiting)
        assert first.text == (await anext(backend.generate(request()))).text
        await waiting
        return time.monotonic() - started

    assert asyncio.run(main()) >= 0.7
    assert server.stats()["asked"] == 3, "the second request waited, too"


def test_a_server_that_hangs_before_the_first_byte_is_given_up(server: ServerProcess) -> None:
    backend = connect(server, first_byte_timeout=2.0)
    expected = ask(backend)
    server.behave(fault="hang", times=1)
    assert ask(backend) == expected
    assert server.stats()["asked"] == 2
    backend = connect(server, timeout=2.0, retries=0)
    server.behave(fault="hang", times=1)
    with pytest.raises(tts.BackendTimeout, match=r"did not answer in time \(2 s"):
        ask(backend)


def test_a_stream_that_breaks_off_is_asked_for_again(server: ServerProcess) -> None:
    backend = connect(server, stream=True)
    expected = ask(backend, n=2)
    assert [one.usage.answer_tokens for one in expected] == [8, 8]
    server.behave(fault="half stream", times=1)
    assert ask(backend, n=2) == expected
    assert server.stats()["asked"] == 3
    server.behave(fault="half stream")
    with pytest.raises(tts.BackendUnavailable, match="broke the connection off"):
        ask(connect_quietly(server))


def connect_quietly(server: ServerProcess) -> OpenAIBackend:
    server.behave()
    backend = connect(server, stream=True, retries=1)
    server.behave(fault="half stream")
    return backend


def test_a_wrong_model_name_lists_those_that_are_served(server: ServerProcess) -> None:
    server.behave(models=("small", "large"))
    with pytest.raises(tts.ConfigError, match="serves no model 'm'; it has 'large', 'small'"):
        connect(server)
    server.behave(models=("m",))
    backend = connect(server)
    server.behave(models=("other",))
    with pytest.raises(tts.BackendError, match="does not know this model or address"):
        ask(backend)


def test_fewer_choices_than_asked_for_are_asked_for_one_by_one(server: ServerProcess) -> None:
    server.behave(seed=False)
    backend = connect(server, grouping="always")
    assert len(ask(backend, n=4)) == 4
    assert server.stats()["bodies"][-1]["n"] == 4
    server.behave(seed=False, n=False)
    found = ask(backend, n=4)
    assert [one.index for one in found] == [0, 1, 2, 3]
    assert server.stats()["asked"] == 4, "one for all of them, which brought one, and three more"
    assert not connect(server)._dialect.n


def test_usage_that_is_missing_is_estimated(server: ServerProcess) -> None:
    server.behave(usage=False, tokenize=False)
    backend = connect(server)
    assert not backend.capabilities.exact_token_counts
    (one,) = ask(backend)
    assert one.usage.answer_tokens == -(-len(one.text) // 4)
    assert one.usage.estimated_tokens == one.usage.total_tokens
    server.behave(usage=False)
    (one,) = ask(connect(server))
    assert one.usage.answer_tokens == len(one.text.split()), "as its tokenizer says"
    assert one.usage.estimated_tokens == one.usage.total_tokens, "which knows no chat template"


def test_a_server_that_dies_in_the_middle_loses_nothing_when_it_comes_back(server: ServerProcess) -> None:
    backend = connect(server)
    expected = [one.text for one in ask(backend, n=8)]
    server.behave(delay=0.3)

    async def main() -> list[tts.Completion]:
        async def all_of_them() -> list[tts.Completion]:
            return [one async for one in backend.generate(request(n=8))]

        asking = asyncio.create_task(all_of_them())
        await asyncio.sleep(0.15)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
        return sorted(await asking, key=lambda one: one.index)

    assert [one.text for one in asyncio.run(main())] == expected


def test_a_server_that_stays_away_ends_every_problem(server: ServerProcess) -> None:
    backend = connect(server, patience=0.5)
    server.behave(fault="die")
    problems = [tts.Example(problem=tts.Problem(id=str(i), prompt=f"{i}+1")) for i in range(4)]
    started = time.monotonic()
    found = list(tts.sample(problems, k=2, model=backend))
    assert time.monotonic() - started < 20
    assert len(found) == 4
    for sampled in found:
        assert all("no server has answered for 0.5 s (@patience)" in c.error for c in sampled.candidates)


def test_context_errors_have_their_numbers(server: ServerProcess) -> None:
    backend = connect(server)
    with pytest.raises(tts.ContextLengthError, match="1,200 tokens") as raised:
        ask(backend, request("word " * 1200, max_tokens=10))
    assert (raised.value.prompt_tokens, raised.value.context_length) == (1200, 1000)
    (one,) = ask(backend, request("word " * 997, max_tokens=10))
    assert (one.finish_reason, one.usage.answer_tokens) == ("length", 3)


ENDS = {  # how one completion ends: its finish reason in the run, and a word of why
    "ends content_filter": ("refused", "content filter"),
    "ends refusal": ("refused", "the model refused: I can't help with that."),
    "filtered": ("refused", "The prompt was filtered."),
    "ends tool_calls": ("error", "called a tool"),
    "ends surprise": ("error", "unknown finish_reason 'surprise'"),
    "ends empty": ("error", "an empty completion of no tokens"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", ENDS)
def test_a_completion_that_is_none_is_asked_for_again_by_the_next_run(
    server: ServerProcess, fault: str, stream: bool, tmp_path: Path
) -> None:
    backend, store = connect(server, stream=stream, concurrency=1), tmp_path / "s.db"
    problem = [tts.Example(problem=tts.Problem(id="p", prompt="1+1"))]
    server.behave(fault=fault, times=1)
    (found,) = tts.sample(problem, k=3, model=backend, store=store)
    (bad,) = [one for one in found.candidates if one.error is not None]
    reason, why = ENDS[fault]
    assert (bad.finish_reason, bad.text) == (reason, "")
    assert why in bad.error
    assert server.stats()["asked"] == 3, "it is not asked for again in this run"
    with tts.Store(store) as opened:
        assert opened.counts()["completions"] == 2
    (again,) = tts.sample(problem, k=3, model=backend, store=store)
    assert server.stats()["asked"] == 4, "the next run asks for that one alone"
    assert all(one.ok for one in again.candidates)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", ["ends abort", "ends error", "ends null"])
def test_a_completion_that_was_broken_off_is_asked_for_again_at_once(
    server: ServerProcess, fault: str, stream: bool
) -> None:
    backend = connect(server, stream=stream, retries=2)
    expected = [one.text for one in ask(backend, n=2)]
    server.behave(fault=fault, times=1)
    assert [one.text for one in ask(backend, n=2)] == expected
    assert server.stats()["asked"] == 3
    server.behave(fault=fault)
    with pytest.raises(tts.BackendError, match="asked 3 times"):
        ask(backend)


def test_of_several_choices_only_the_one_that_was_broken_off_is_asked_for_again(server: ServerProcess) -> None:
    backend = connect(server, grouping="always")
    server.behave(fault="ends abort", times=1)
    found = ask(backend, n=4)
    assert [one.index for one in found] == [0, 1, 2, 3]
    assert all(one.whole for one in found)
    assert server.stats()["asked"] == 2
    server.behave(fault="ends content_filter", times=1)
    assert [one.finish_reason for one in ask(backend, n=4)] == ["refused", "stop", "stop", "stop"]
    assert server.stats()["asked"] == 1
