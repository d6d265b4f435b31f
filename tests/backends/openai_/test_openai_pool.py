"""Several servers of one model, one of which dies and comes back; and 2,000 requests with faults in a fifth of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from openai_process import ServerProcess, running
from test_openai_faults import ask, connect, request

import tts
from tts_backends.openai import link as openai_link
from tts_backends.openai import pool as openai_pool
from tts_backends.openai.server import Address, Server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_link, "_CHECK_FIRST", 0.05)


def problems(count: int) -> list[tts.Example]:
    return [tts.Example(problem=tts.Problem(id=str(i), prompt=f"{i}+1")) for i in range(count)]


def test_the_least_loaded_server_is_chosen_and_failures_count_as_load() -> None:
    busy, failing = Server(Address("http://a", None)), Server(Address("http://b", None))
    busy.in_flight, failing.in_flight = 5, 2
    assert failing.load(now=1.0) < busy.load(now=1.0)
    failing.failures, failing.doubtful_until = 2, 3.0
    assert failing.load(now=1.0) > busy.load(now=1.0)
    assert failing.load(now=3.0) < busy.load(now=3.0), "for a while"


def test_one_of_three_dies_and_comes_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second, third = servers = [stack.enter_context(running()) for _ in range(3)]
        backend = connect(*servers, concurrency=4)
        for server in servers:
            server.behave(delay=0.05)
        assert backend.capabilities.concurrency == 12

        async def main() -> list[tts.Sampled]:
            found, steps = [], {10: second.stop, 30: second.start}
            async with tts.Engine(model=backend, store=tmp_path / "s.db") as engine:
                async for sampled in engine.sample(problems(60), k=4):
                    found.append(sampled)
                    if step := steps.get(len(found)):
                        await asyncio.to_thread(step)
                link = await backend._pool.link()
                async with asyncio.timeout(30):
                    while not all(one.up for one in link.servers):
                        await asyncio.sleep(0.05)
                second.behave()
                back = await asyncio.gather(*(anext(backend.generate(request(str(i)))) for i in range(9)))
                return found if len(back) == 9 else []

        found = asyncio.run(main())
        assert len(found) == 60
        assert all(one.ok for sampled in found for one in sampled.candidates)
        assert second.stats()["asked"] > 0, "it got work again"
        completed = sum((Counter(server.stats()["completed"]) for server in (first, third)), Counter())
        assert max(completed.values()) == 1, "no completion was asked for twice"
        peaks = [server.stats()["peak"] for server in (first, third)]
        assert max(peaks) <= 12


def test_a_fifth_of_2000_requests_fails_and_nothing_is_lost_or_asked_for_twice(tmp_path: Path) -> None:
    with running() as server:
        backend = connect(server)
        faults = "429|500|503|malformed|truncated|page|disconnect|strange"
        server.behave(fault=faults, rate=0.2)
        found = list(tts.sample(problems(500), k=4, model=backend, store=tmp_path / "s.db"))
        stats = server.stats()
        assert len(found) == 500
        assert all(one.ok for sampled in found for one in sampled.candidates)
        assert len(stats["completed"]) == 2000
        assert set(stats["completed"].values()) == {1}
        assert stats["asked"] <= 1.3 * 2000
        again = list(tts.sample(problems(500), k=4, model=backend, store=tmp_path / "s.db"))
        assert len(again) == 500
        assert server.stats()["asked"] == stats["asked"], "the store has everything"


def test_a_pool_starts_with_those_that_are_there_and_refuses_another_model() -> None:
    with running() as first, running() as second:
        gone = ServerProcess(start=False)
        gone.port = 9  # nobody listens there
        backend = connect(gone, first)
        assert len(ask(backend, n=3)) == 3
        second.behave(models=("other",))
        with pytest.raises(tts.ConfigError, match="serves no model 'm'; it has 'other'"):
            connect(first, second)
