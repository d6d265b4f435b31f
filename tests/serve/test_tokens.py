"""Real streaming: what is being written goes out while it is, without its thinking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from doubles import FakeBackend
from hypothesis import given
from hypothesis import strategies as st
from serving import Client, chunks, served

import tts
from tts.output.visible import Visible
from tts.serve.before_calls import BeforeCalls
from tts.serve.marks import says_where_thinking_begins

HI = [{"role": "user", "content": "1+2"}]
REFINED = "<think>they agree</think>So the answer is \\boxed{3}, as they say."


class Writes(FakeBackend):
    """Tells its words one by one; the next only when the test has `let` it, where it writes an answer."""

    capabilities = tts.Capabilities(seed=True, concurrency=64, streams=True)
    text = REFINED
    told: list[str] = []
    go: asyncio.Event

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        for index in range(request.n):
            words = [word + " " for word in type(self).text.split(" ")]
            words[-1] = words[-1].rstrip()
            for place, word in enumerate(words):
                if request.on_text is not None:
                    if place == len(words) - 1:
                        await type(self).go.wait()
                    request.on_text(index, word)
            text = "".join(words)
            thinking, summary = tts.split_thinking(text)
            usage = tts.Usage(calls=1, answer_tokens=len(words))
            yield tts.Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)


def writing(text: str = REFINED) -> type[Writes]:
    made = type("Here", (Writes,), {"text": text, "go": asyncio.Event()})
    tts.plugins().register("backend", "fake", made)
    return made


async def streamed(client: Client, go: asyncio.Event, path: str, body: dict[str, Any]) -> tuple[int, list[str]]:
    """How many lines came before the last word was written, and all of them."""
    early, lines = 0, list[str]()
    async with client.session.post(path, json={**body, "stream": True}) as response:
        async for raw in response.content:
            if line := raw.decode().rstrip("\n"):
                lines.append(line)
                if "they" in line and not go.is_set():
                    early = len(lines)
                    go.set()
    return early, lines


@pytest.mark.parametrize("model", ["gsr", "m"])
def test_the_answer_goes_out_while_it_is_written(model: str) -> None:
    made = writing()

    async def use(client: Client) -> tuple[int, list[str]]:
        await client.chat(model="m")  # which shows how the policy marks its thinking
        body = {"model": model, "messages": HI}
        return await asyncio.wait_for(streamed(client, made.go, "/v1/chat/completions", body), 30)

    early, lines = served(use)
    assert 0 < early < len(lines)
    texts = [one["choices"][0]["delta"].get("content") for one in chunks(lines)]
    pieces = [text for text in texts if text]
    assert len(pieces) > 4
    assert "".join(pieces) == "So the answer is \\boxed{3}, as they say."
    assert "agree" not in "".join(lines)


def test_responses_stream_the_same_words() -> None:
    made = writing()

    async def use(client: Client) -> tuple[int, list[str]]:
        await client.chat(model="m")
        return await asyncio.wait_for(streamed(client, made.go, "/v1/responses", {"model": "gsr", "input": "1+2"}), 30)

    _, lines = served(use)
    assert sum('"response.output_text.delta"' in line for line in lines if line.startswith("data: ")) > 4
    assert sum('"response.created"' in line for line in lines if line.startswith("data: ")) == 1


def test_before_it_is_known_how_a_policy_thinks_the_answer_comes_in_one_piece() -> None:
    made = writing("they agree</think>So \\boxed{3}")

    async def use(client: Client) -> list[list[str]]:
        made.go.set()
        body = {"model": "gsr", "messages": HI}
        return [(await client.stream("/v1/chat/completions", body))[1] for _ in range(2)]

    for lines in served(use):
        texts = [one["choices"][0]["delta"].get("content") for one in chunks(lines)]
        assert [text for text in texts if text] == ["So \\boxed{3}"]


def test_an_answer_that_becomes_another_one_is_an_error_in_the_stream() -> None:
    made = writing("The answer is \\boxed{3}")
    made.go.set()

    async def generate(self: Any, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        if request.on_text is not None:
            request.on_text(0, "Something else")
        async for one in Writes.generate(self, request.model_copy(update={"on_text": None})):
            yield one

    async def use(client: Client) -> list[str]:
        await client.chat(model="m")
        made.generate = generate  # type: ignore[method-assign]
        return (await client.stream("/v1/chat/completions", {"model": "m", "messages": HI}))[1]

    *_, last = chunks(served(use))
    assert last["error"]["code"] == "answer_changed"


@given(
    st.sampled_from(
        ["", "<think>a b</think>", " <think>a</think>\n\n", "<think>no", "[THINK]x[/THINK]", "<thi", "ana"]
    ),
    st.text("ab <>\n", max_size=12),
    st.lists(st.integers(1, 4), min_size=30, max_size=30),
)
def test_what_is_shown_is_always_the_beginning_of_what_a_reader_sees(start: str, rest: str, cuts: list[int]) -> None:
    text, shown, place = start + rest, list[str](), 0
    visible = Visible(shown.append)
    for cut in cuts:
        visible(text[place : place + cut])
        place += cut
    summary = tts.split_thinking(text).summary
    assert (summary or text).startswith("".join(shown))


def test_thinking_with_a_closing_tag_only_is_noticed() -> None:
    def candidate(text: str) -> tts.Candidate:
        thinking, summary = tts.split_thinking(text)
        return tts.Candidate(index=0, text=text, thinking=thinking, summary=summary)

    assert says_where_thinking_begins([candidate("<think>a</think>b"), candidate("c")]) is True
    assert says_where_thinking_begins([candidate("a</think>b"), candidate("c")]) is False
    assert says_where_thinking_begins([]) is None


CALL = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'


@given(
    st.lists(st.sampled_from(["So ", "\n", "<tool", "_call>", "<", CALL, CALL[:20], "3 "]), max_size=6).map("".join),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_of_an_answer_with_calls_only_what_stands_before_them_is_read(text: str, sizes: list[int]) -> None:
    told: list[str] = []
    reading, place = BeforeCalls(told.append), 0
    while place < len(text):
        size = sizes[place % len(sizes)]
        reading(text[place : place + size])
        place += size
    assert tts.split_tool_calls(text).text.startswith("".join(told))


def test_words_before_a_call_go_out_while_they_are_written() -> None:
    made = writing("I will look.\n\n" + CALL)
    made.capabilities = tts.Capabilities(seed=True, concurrency=64, streams=True, tools=True)
    made.go.set()
    tool = {"type": "function", "function": {"name": "f"}}

    async def use(client: Client) -> list[str]:
        await client.chat(model="m")
        return (await client.stream("/v1/chat/completions", {"model": "m", "messages": HI, "tools": [tool]}))[1]

    told = [one["choices"][0]["delta"] for one in chunks(served(use))]
    assert [delta["content"] for delta in told if delta.get("content")] == ["I", " will", " look."]
    assert [call["function"]["name"] for delta in told for call in delta.get("tool_calls", ())] == ["f"]
