"""A request is a trace that any exporter gets: itself, its candidates, its strategy's calls."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, served

Fake = Callable[..., type[FakeBackend]]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What an exporter in memory has got; the provider is the process's for as long as the test lasts."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="no opentelemetry-sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter.get_finished_spans
    provider.shutdown()


def test_a_request_its_candidates_and_its_calls_are_spans_of_its_clients_trace(
    fake: Fake, helpers: None, exported: Any
) -> None:
    fake(delay=lambda request, index: 0.01, script=lambda request, index: f"so \\boxed{{{index}}}")
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    async def use(client: Client) -> None:
        body = {"messages": [{"role": "user", "content": "1+2"}]}
        headers = {"traceparent": f"00-{trace_id}-{parent}-01"}
        for model in ("gsr", "best_of_n", "knockout"):
            assert (await client.post("/v1/chat/completions", {"model": model, **body}, **headers))[0] == 200

    served(use, scorer="fake:s", judge="fake:j", k=2)
    spans = exported()
    assert {f"{span.context.trace_id:032x}" for span in spans} == {trace_id}
    requests = [span for span in spans if span.name == "POST /v1/chat/completions"]
    assert {f"{span.parent.span_id:016x}" for span in requests} == {parent}
    assert [span.attributes["tts.strategy"] for span in requests] == ["gsr", "best_of_n", "knockout"]
    assert {span.attributes["http.response.status_code"] for span in requests} == {200}
    assert all(span.attributes["gen_ai.usage.output_tokens"] > 0 for span in requests)
    below = [
        sorted(span.name for span in spans if span.parent and span.parent.span_id == request.context.span_id)
        for request in requests
    ]
    assert below == [
        ["candidate", "candidate", "refinement"],
        ["candidate", "candidate", "score"],
        ["candidate", "candidate", "verdict"],
    ]
    for span in spans:
        assert span.start_time <= span.end_time
    refinement = next(span for span in spans if span.name == "refinement")
    assert refinement.end_time - refinement.start_time >= 10_000_000
    assert requests[0].start_time <= refinement.start_time
    assert "1+2" not in repr([dict(span.attributes) for span in spans])


def test_a_failure_is_the_spans_status_and_a_refusal_is_not(fake: Fake, exported: Any) -> None:
    import tts

    def before(request: tts.Request) -> None:
        raise tts.BackendError("the server has burnt down")

    fake(before=before)

    async def use(client: Client) -> None:
        assert (await client.chat())[0] == 502
        assert (await client.chat(model="gsrr"))[0] == 404

    served(use)
    failed, refused = [span for span in exported() if span.name != "candidate"]
    assert not failed.status.is_ok
    assert "burnt down" in failed.attributes["error.message"]
    assert refused.status.is_unset


def test_nothing_is_kept_where_nobody_records(fake: Fake) -> None:
    pytest.importorskip("opentelemetry.trace", reason="no opentelemetry-api")
    fake()

    async def use(client: Client) -> dict[str, Any]:
        asking = asyncio.create_task(client.chat())
        await asyncio.sleep(0)
        spans = client.gateway.watch._spans
        assert spans is not None
        assert (await asking)[0] == 200
        return spans._open

    assert served(use) == {}


def test_without_the_package_the_gateway_serves(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    fake()

    async def use(client: Client) -> int:
        assert client.gateway.watch._spans is None
        return (await client.chat())[0]

    assert served(use) == 200
