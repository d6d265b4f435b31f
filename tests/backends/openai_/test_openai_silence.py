"""Servers that go silent: frozen with their connections open, or there and at nothing; real processes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from openai_process import ServerProcess, running
from test_openai_faults import ask, connect, request

import tts
from tts_backends.openai import link as openai_link
from tts_backends.openai import pool as openai_pool


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_link, "_CHECK_FIRST", 0.05)


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with running() as process:
        yield process


def problems(count: int) -> list[tts.Example]:
    return [tts.Example(problem=tts.Problem(id=str(i), prompt=f"{i}+1")) for i in range(count)]


def test_a_server_that_stands_still_is_dead_after_its_silence(server: ServerProcess) -> None:
    backend = connect(server, silence=0.4, patience=0.3, connect_timeout=0.3)
    server.freeze()
    began = time.monotonic()
    with pytest.raises(
        tts.BackendUnavailable, match=r"sent nothing for 0.4 s \(@silence\), not even its list of models"
    ):
        ask(backend)
    assert time.monotonic() - began < 15
    with pytest.raises(tts.BackendUnavailable):  # and the next one does not wait for it anew
        ask(backend)


def test_by_default_that_takes_minutes(server: ServerProcess) -> None:
    limits = connect(server)._options.limits()
    assert limits.silence == 300
    assert limits.patience == 120


def test_what_a_frozen_server_had_is_asked_of_another() -> None:
    with running() as first, running() as second:
        backend = connect(first, second, silence=0.4, connect_timeout=0.3, concurrency=2)
        for one in (first, second):
            one.behave(delay=0.1)

        async def main() -> tuple[list[tts.Sampled], bool]:
            found = []
            async with tts.Engine(model=backend) as engine:
                async for sampled in engine.sample(problems(20), k=2):
                    found.append(sampled)
                    if len(found) == 5:
                        first.freeze()
                return found, (await backend._pool.link()).servers[0].up

        found, up = asyncio.run(main())
        assert len(found) == 20
        assert [one.error for sampled in found for one in sampled.candidates if one.error] == []
        assert not up


def test_a_server_that_is_slow_and_there_is_left_alone(server: ServerProcess) -> None:
    backend = connect(server, silence=0.3)
    server.behave(delay=2.0)
    assert len(ask(backend, n=2)) == 2
    assert server.stats()["asked"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_is_there_and_answers_nothing_ends_with_the_limit(
    server: ServerProcess, tmp_path: Path, stream: bool
) -> None:
    backend = connect(server, stream=stream)
    server.behave(fault="hang")
    run = tts.run(problems(2), strategy="majority", k=2, model=backend, request_timeout=0.5, store=tmp_path / "s.db")
    assert all("has answered nothing for" in str(one.error) for one in run)
    server.behave()
    again = tts.run(problems(2), strategy="majority", k=2, model=backend, request_timeout=30, store=tmp_path / "s.db")
    assert not again.failed
    assert server.stats()["asked"] == 4, "all of it is asked again, once"


def test_a_stream_that_flows_is_no_silence(server: ServerProcess) -> None:
    """The whole takes longer than the limit; its tokens come meanwhile."""
    backend = connect(server, stream=True)
    server.behave(delay=15.0)  # a hundredth of it between two tokens, after as long before the first
    assert asyncio.run(backend.at_work()) is False

    async def main() -> tuple[bool | None, bool | None]:
        link = await backend._pool.link()
        asking = asyncio.create_task(anext(backend.generate(request())))
        while not sum(map(len, link._vigils.values())):
            await asyncio.sleep(0.01)
        before = await backend.at_work()
        next(iter(link._vigils.values())).sent()
        now = await backend.at_work()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return before, now

    assert asyncio.run(main()) == (None, True)


def test_a_frozen_server_is_not_at_work(server: ServerProcess) -> None:
    backend = connect(server, connect_timeout=0.3)

    async def main() -> bool | None:
        link = await backend._pool.link()
        server.freeze()
        asking = asyncio.create_task(anext(backend.generate(request())))
        while not sum(map(len, link._vigils.values())):
            await asyncio.sleep(0.01)
        found = await backend.at_work()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return found

    assert asyncio.run(main()) is False
    assert server._process is not None
    server._process.send_signal(signal.SIGCONT)
