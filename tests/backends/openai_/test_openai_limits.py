"""Limits over real connections: a day's quota, a survivor of a pool, servers that tell no models."""

from __future__ import annotations

import asyncio
import json
import time
import warnings
from typing import Any

import pytest

pytest.importorskip("aiohttp")

import tts
from tts.testing import Asked, Reply, Service, plain_reply
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import link as openai_link
from tts_backends.openai import pool as openai_pool

MESSAGE = (tts.Message(role="user", content="What is 2 + 2?"),)


def refused(status: int, message: str, **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message}}).encode()
    return Reply((body,), status, {"Content-Type": "application/json", **headers})


def problems(count: int) -> list[tts.Example]:
    return [tts.Example(problem=tts.Problem(id=str(i), prompt=f"What is {i} + {i}?")) for i in range(count)]


@pytest.mark.parametrize(
    ("status", "message", "headers"),
    [
        (429, "You exceeded your current quota, please check your plan and billing details.", {"Retry-After": "20"}),
        (429, "Rate limit reached for requests per day (RPD): limit 200", {}),
        (429, "Too many requests", {"Retry-After": "14400"}),
        (402, "Insufficient Balance", {}),
        (403, "Sorry, your account balance is insufficient: insufficient_balance", {}),
    ],
)
def test_a_quota_of_the_day_ends_the_run_with_a_sentence(status: int, message: str, headers: dict[str, str]) -> None:
    taken = []

    def answer(asked: Asked) -> Reply:
        if not asked.prompt.startswith("What is"):
            return plain_reply(asked)
        taken.append(asked)
        return plain_reply(asked) if len(taken) <= 4 else refused(status, message, **headers)

    with Service(answer) as service:
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base, concurrency=2))
        started = time.monotonic()
        found = tts.run(problems(30), strategy="majority", k=2, model=backend)
    assert time.monotonic() - started < 15
    assert len(taken) <= 8, "nothing more is asked"
    assert found.missing.candidates_missing == 56
    (reason, _), *others = found.missing.reasons
    assert not others, "one sentence"
    assert "gives no more today: a quota or a balance is used up" in reason


def test_a_survivor_of_a_pool_keeps_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    there = peak = 0

    async def answer(asked: Asked) -> Reply:
        nonlocal there, peak
        there += 1
        peak = max(peak, there)
        await asyncio.sleep(0.02)
        there -= 1
        return plain_reply(asked)

    with Service(answer) as survivor:
        with Service() as other:
            both = f"{survivor.base}+{other.base}"
            backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=both, concurrency=3))
        assert backend.capabilities.concurrency == 6
        peak = 0
        found = tts.run(problems(10), strategy="majority", k=4, model=backend)
    assert found.missing.candidates_missing == 0
    assert peak <= 3


@pytest.mark.parametrize("listed", [404, 500])
def test_a_server_without_a_list_of_models_is_found_well_by_a_real_request(
    listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands before it answers all the while, so a list that is not there says nothing of it."""
    monkeypatch.setattr(openai_link, "_CHECK_FIRST", 0.02)
    down = True

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/models"):
            return refused(listed, "No list")
        if down and asked.prompt == "Hi":
            return refused(502, "Bad gateway")
        return plain_reply(asked)

    async def main(backend: OpenAIBackend, service: Service) -> bool:
        nonlocal down
        link = await backend._pool.link()
        (server,) = link.servers
        link.retire(server)
        async with asyncio.timeout(20):
            while len(service.of("Hi")) < 2:
                await asyncio.sleep(0.01)
            assert not server.up, "it is not well yet"
            down = False
            found = [one async for one in backend.generate(tts.Request(messages=MESSAGE))]
        return len(found) == 1 and server.up

    with Service(answer) as service, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the list fails
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base))
        backend.take_aside()
        assert asyncio.run(main(backend, service))
        spent = backend.take_aside()
    assert spent.calls == len(service.of("Hi")) >= 3, "seeing whether it is there is paid for"
    assert spent.estimated_tokens == spent.total_tokens > 0


def test_limits_are_told_in_words_while_they_hold() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.prompt.startswith("What is") and len(service.of(asked.prompt)) == 1:
            return refused(429, "Too many requests", **{"retry-after-ms": "20"})
        return plain_reply(asked)

    async def main(backend: OpenAIBackend) -> list[str]:
        told: list[str] = []
        async with tts.Engine(model=backend) as engine:
            async for _ in engine.sample(problems(6), k=2):
                told.append(backend.limited)
        return told

    with Service(answer) as service:
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base))
        assert backend.limited == ""
        told: Any = asyncio.run(main(backend))
    assert any(one.startswith("limited to ") for one in told)
