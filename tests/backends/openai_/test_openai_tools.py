"""Forms of answers and tools at a server: what is sent, and calls read whole, in pieces, cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from openai_process import ServerProcess, running

import tts
from tts_backends.openai import OpenAIBackend
from tts_backends.openai.events import Events
from tts_backends.openai.wire import Dialect, Wire

CHAT = Wire("m", "chat", stream=False, markers=("<think>", "</think>"))
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
OFFERED = tts.Sampling(tools=(TOOL,), tool_choice="required", parallel_tool_calls=False)
RAW = {"role": "user", "content": [{"type": "text", "text": "u"}, {"type": "image_url", "image_url": {"url": "x"}}]}


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    with running() as one:
        yield one


def connect(server: ServerProcess, **options: Any) -> OpenAIBackend:
    server.behave()
    return OpenAIBackend("m", OpenAIBackend.Options(base_url=server.base, **options))


def ask(backend: OpenAIBackend, sampling: tts.Sampling, n: int = 4) -> list[tts.Completion]:
    async def main() -> list[tts.Completion]:
        said = (tts.Message(role="user", content="How is the weather?"),)
        request = tts.Request(messages=said, n=n, seeds=tuple(range(n)), sampling=sampling)
        try:
            return sorted([one async for one in backend.generate(request)], key=lambda one: one.index)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def test_it_is_sent_as_it_was_given() -> None:
    said = (tts.Message(role="user", content="u", raw=RAW),)
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": True}}
    request = tts.Request(messages=said, sampling=OFFERED.model_copy(update={"response_format": form}))
    body = CHAT.body(request, Dialect())
    assert body["messages"] == [RAW]
    assert body["response_format"] == form
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ((TOOL,), "required", False)
    assert not {"tools", "tool_choice", "response_format"} & CHAT.body(tts.Request(messages=said), Dialect()).keys()


@pytest.mark.parametrize("stream", [False, True])
def test_calls_stand_at_the_end_of_the_text(process: ServerProcess, stream: bool) -> None:
    done = ask(connect(process, stream=stream), OFFERED)
    assert process.stats()["bodies"][-1]["tools"] == [TOOL]
    for one in done:
        text, [call] = tts.split_tool_calls(one.text)
        assert (text, call.name, one.finish_reason, one.error) == ("", "weather", "stop", None)
        assert json.loads(call.arguments)["city"] in {"Oslo", "Rome"}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_a_format_is_a_text(process: ServerProcess, stream: bool) -> None:
    done = ask(connect(process, stream=stream), tts.Sampling(response_format={"type": "json_object"}))
    assert {json.loads(one.text)["sum"] for one in done} <= {3, 4}
    assert process.stats()["bodies"][-1]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("name", "sampling"),
    [("tools", OFFERED), ("response_format", tts.Sampling(response_format={"type": "json_object"}))],
)
def test_what_the_server_refuses_is_not_left_out_in_silence(
    process: ServerProcess, name: str, sampling: tts.Sampling
) -> None:
    backend = connect(process, stream=False)
    process.behave(refuses=(name,))
    with pytest.raises(tts.BackendError, match=f"{name} was asked for, and cannot be left out"):
        ask(backend, sampling, 1)


def test_completions_have_neither() -> None:
    backend_options = {"api": "completions"}
    with running() as server:
        capabilities = connect(server, **backend_options).capabilities
    assert not (capabilities.tools or capabilities.raw or capabilities.response_format)


def pieces(*deltas: dict[str, Any], finish: str = "tool_calls") -> Events:
    events = Events("chat")
    for delta in deltas:
        events.take({"choices": [{"delta": delta}]})
    events.take({"choices": [{"delta": {}, "finish_reason": finish}]})
    return events


def called(index: int, name: str | None, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"name": name, "arguments": arguments}}]}


def test_pieces_of_two_calls_come_in_any_order() -> None:
    events = pieces({"content": "Let me see."}, called(0, "f", '{"a"'), called(1, "g", "{}"), called(0, None, ": 1}"))
    (one,) = CHAT.read(events.answer(), (0,), False, tools=True)
    assert tts.split_tool_calls(one.text) == (
        "Let me see.", (tts.ToolCall("f", '{"a": 1}'), tts.ToolCall("g", "{}"))
    )  # fmt: skip
    assert events.tokens() > 1


def test_thinking_stands_before_the_calls() -> None:
    events = pieces({"reasoning_content": "hm"}, called(0, "f", "{}"))
    (one,) = CHAT.read(events.answer(), (0,), False, tools=True)
    assert one.thinking == "hm"
    assert tts.split_tool_calls(one.summary or "").calls == (tts.ToolCall("f", "{}"),)


def test_a_call_that_was_cut_off_keeps_what_was_written() -> None:
    (one,) = CHAT.read(pieces(called(0, "f", '{"a": '), finish="length").answer(), (0,), False, tools=True)
    assert one.finish_reason == "length"
    assert tts.split_tool_calls(one.text).calls == (tts.ToolCall("f", '{"a": '),)


def test_a_call_that_nobody_offered_is_no_answer() -> None:
    (one,) = CHAT.read(pieces(called(0, "f", "{}")).answer(), (0,), False)
    assert "none was offered" in (one.error or "")
