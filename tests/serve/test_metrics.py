"""What Prometheus reads of a gateway is what has happened in it."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, gateway, served, slow

import tts

Fake = Callable[..., type[FakeBackend]]
needs_client = pytest.mark.skipif(
    importlib.util.find_spec("prometheus_client") is None, reason="no prometheus_client; ttscale[serve] brings it"
)


async def numbers(client: Client, **headers: str) -> dict[str, float]:
    """All samples by name and labels, without the gateway's histograms' buckets and the process's own."""
    status, text = await client.get("/metrics", **headers)
    assert status == 200, text
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("tts_") and "_bucket" not in name and "_created" not in name:
            found[name] = float(value)
    return found


@needs_client
def test_everything_that_happens_is_counted(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> dict[str, float]:
        assert (await client.chat(model="gsr"))[0] == 200
        assert (await client.chat(model="majority@decided_early=false"))[0] == 200
        assert (await client.chat(model="gsrr"))[0] == 404
        assert (await client.get("/nowhere/at/all"))[0] == 404
        return await numbers(client)

    found = served(use)
    chat = "/v1/chat/completions"
    assert found[f'tts_requests_total{{path="{chat}",status="200"}}'] == 2
    assert found[f'tts_requests_total{{path="{chat}",status="404"}}'] == 1
    assert found['tts_requests_total{path="other",status="404"}'] == 1
    assert found[f'tts_request_seconds_count{{path="{chat}"}}'] == 3
    assert {name: value for name, value in found.items() if name.startswith("tts_stage_seconds_count")} == {
        f'tts_stage_seconds_count{{stage="{stage}"}}': count
        for stage, count in {"queue": 2, "candidate": 8, "refinement": 1, "decision": 2}.items()
    }
    assert found['tts_answers_total{strategy="gsr"}'] == found['tts_answers_total{strategy="majority"}'] == 1
    assert found['tts_candidates_total{outcome="usable"}'] == 8
    assert found['tts_calls_total{role="policy"}'] == 9
    assert found['tts_tokens_total{kind="prompt",role="policy"}'] == 90
    assert found['tts_tokens_total{kind="completion",role="policy"}'] > 0
    assert found["tts_requests_inside"] == found["tts_requests_waiting"] == 0
    assert found["tts_ready"] == 1
    assert any(name.startswith("tts_build_info") for name in found)


@needs_client
def test_what_is_stopped_stored_or_too_late_is_counted(tmp_path: Path) -> None:
    backend = slow(seconds=0.01, last=30.0, script=lambda request, index: "\\boxed{3}")

    async def use(client: Client) -> dict[str, float]:
        assert (await client.chat(model="majority"))[0] == 200  # three of four are enough
        deadline = {"deadline": 0.5}
        assert (await client.chat("2+2", "majority@decided_early=false", tts=deadline, seed=2))[0] == 200
        status, said = await client.chat("4+4", "gsr", tts=deadline)  # the refinement hangs
        assert (status, bool(said["tts"]["choices"][0]["instead"])) == (200, True)
        backend.seconds = 20.0
        status, said = await client.chat("3+3", "gsr", tts={"deadline": 0.05})
        assert (status, said["error"]["code"]) == (504, "deadline_exceeded")
        return await numbers(client)

    found = served(use, k=4)
    assert found['tts_decided_early_total{strategy="majority"}'] == 1
    assert found["tts_candidates_not_waited_for_total"] == 2
    assert found['tts_deadline_hits_total{outcome="vote"}'] == 1
    assert found['tts_deadline_hits_total{outcome="nothing"}'] == 1
    assert found['tts_cancelled_total{role="policy"}'] >= 2


@needs_client
def test_what_the_store_has_is_not_paid_for(fake: Fake, tmp_path: Path) -> None:
    fake()

    async def use(client: Client) -> dict[str, float]:
        for _ in range(2):
            assert (await client.chat(model="majority@decided_early=false"))[0] == 200
        return await numbers(client)

    found = served(use, store=str(tmp_path / "gateway.db"))
    assert found["tts_candidates_stored_total"] == 4
    assert found['tts_calls_total{role="policy"}'] == 4


@needs_client
def test_scores_and_verdicts_are_stages(fake: Fake, helpers: None) -> None:
    fake(script=lambda request, index: f"so \\boxed{{{index}}}")

    async def use(client: Client) -> dict[str, float]:
        assert (await client.chat(model="best_of_n"))[0] == 200
        assert (await client.chat(model="knockout"))[0] == 200
        return await numbers(client)

    found = served(use, scorer="fake:s", judge="fake:j")
    assert found['tts_stage_seconds_count{stage="score"}'] == 1
    assert found['tts_stage_seconds_count{stage="verdict"}'] == 3
    assert found['tts_calls_total{role="scorer"}'] == 4


@needs_client
def test_numbers_need_a_key_where_there_are_keys(fake: Fake, tmp_path: Path) -> None:
    fake()
    (tmp_path / "keys").write_text("a-key-of-more-than-sixteen\n", encoding="utf-8")

    async def main() -> tuple[int, dict[str, float]]:
        async with gateway(keys=tmp_path / "keys") as client:
            status = (await client.get("/metrics"))[0]
            return status, await numbers(client, Authorization="Bearer a-key-of-more-than-sixteen")

    status, found = asyncio.run(main())
    assert status == 401
    assert found['tts_requests_total{path="/metrics",status="401"}'] == 1


def test_without_the_package_the_gateway_serves_and_says_what_is_missing(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    fake()

    async def use(client: Client) -> tuple[int, Any]:
        assert (await client.chat())[0] == 200
        return await client.get("/metrics")

    status, said = served(use)
    assert status == 501
    assert "pip install 'ttscale[serve]'" in said["error"]["message"]


def test_events_say_how_long_candidates_and_calls_took(fake: Fake, helpers: None) -> None:
    fake(delay=lambda request, index: 0.02)
    heard: list[tts.Event] = []

    async def main() -> None:
        async with tts.Engine(model="fake:m", scorer="fake:s", listeners=[heard.append]) as engine:
            await engine.solve("1+2", "gsr", 2)
            await engine.solve("1+2", "best_of_n", 2)

    asyncio.run(main())
    calls = [(event.message, event.strategy) for event in heard if event.kind == "call"]
    assert calls == [("policy", "gsr"), ("scorer", "best_of_n")]
    first, second, *_ = [event.seconds for event in heard if event.kind == "candidate"]
    assert 0.02 <= first <= second
    assert next(event.seconds for event in heard if event.kind == "call") >= 0.02
