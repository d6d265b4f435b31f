"""`/v1/responses`: text in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, served

Fake = Callable[..., type[FakeBackend]]


def test_a_text_with_instructions_is_answered(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> tuple[int, dict[str, Any], dict[str, str]]:
        body = {
            "model": "majority",
            "input": "1+2",
            "instructions": "Be brief.",
            "max_output_tokens": 50,
            "seed": 7,
            "store": False,
        }
        return await client.post("/v1/responses", body)

    status, said, headers = served(use)
    assert status == 200
    assert (said["object"], said["status"], said["model"]) == ("response", "completed", "majority")
    [item] = said["output"]
    assert item["content"] == [{"type": "output_text", "text": "So it is \\boxed{3}", "annotations": []}]
    assert said["usage"]["total_tokens"] == said["usage"]["input_tokens"] + said["usage"]["output_tokens"]
    assert said["id"] == f"resp_{headers['x-tts-request-id']}"
    assert [(m.role, m.content) for m in backend.requests[0].messages] == [("system", "Be brief."), ("user", "1+2")]
    assert backend.requests[0].sampling.max_tokens == 50


def test_items_of_an_earlier_answer_are_turns(fake: Fake) -> None:
    backend = fake()
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "2+2"}]},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
         "content": [{"type": "output_text", "text": "4", "annotations": []}]},
        {"type": "message", "role": "user", "content": "1+2"},
    ]  # fmt: skip

    async def use(client: Client) -> int:
        return (await client.post("/v1/responses", {"model": "m", "input": items}))[0]

    assert served(use) == 200
    turns = [(m.role, m.content) for m in backend.requests[0].messages]
    assert turns == [("user", "2+2"), ("assistant", "4"), ("user", "1+2")]


def test_a_stream_is_of_named_numbered_events(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> tuple[int, list[str]]:
        return await client.stream("/v1/responses", {"model": "gsr", "input": "1+2", "tts": {"progress": True}})

    status, lines = served(use)
    assert status == 200
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert names == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert names[0] == "response.reasoning_summary_text.delta"
    assert names[-1] == "response.completed"
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == events[-1]["response"]["output"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"previous_response_id": "resp_1"}, "nothing is kept between requests"),
        ({"background": True}, "requests are answered while they are open"),
        ({"text": {"format": {"type": "json_object"}}}, "does not keep to a response_format"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "text in, text out"),
        ({"input": 3}, "messages"),
        ({"input": None}, "messages"),
    ],
)
def test_what_cannot_be_done_is_said(fake: Fake, change: dict[str, Any], sentence: str) -> None:
    fake()

    async def use(client: Client) -> tuple[int, dict[str, Any], dict[str, str]]:
        return await client.post("/v1/responses", {"model": "gsr", "input": "1+2", **change})

    status, said, _ = served(use)
    assert status == 400
    assert sentence in said["error"]["message"]
