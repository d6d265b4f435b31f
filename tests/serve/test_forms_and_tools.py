"""Structured answers and calls of tools through the gateway, over a server that spells equal values differently."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, chunks, served

import tts

sys.path.append(str(Path(__file__).parents[1] / "backends"))

from openai_process import ServerProcess, running

Fake = Callable[..., type[FakeBackend]]
ASK = [{"role": "user", "content": "How is the weather?"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "sum", "schema": {"type": "object"}, "strict": True}}


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    with running() as one:
        yield one


def behind(server: ServerProcess, **recipe: Any) -> dict[str, Any]:
    server.behave()
    return {"model": f"openai:m@base_url={server.base}", **recipe}


def winners(said: dict[str, Any]) -> Counter[int]:
    [choice] = said["tts"]["choices"]
    return Counter(one["class"] for one in choice["candidates"])


def test_a_vote_on_a_format_is_a_vote_on_values(process: ServerProcess) -> None:
    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        body = {"model": "majority@k=12,decided_early=false", "response_format": SCHEMA, "seed": 1}
        return await client.chat("What is 1+2?", **body)

    status, said = served(use, **behind(process))
    assert status == 200, said
    assert json.loads(said["choices"][0]["message"]["content"]) == {"sum": 3, "of": [1, 2]}
    assert set(winners(said)) == {0, 1}
    assert max(winners(said).values()) > 6
    assert process.stats()["bodies"][-1]["response_format"] == SCHEMA


def test_calls_are_voted_on_and_returned_as_calls(process: ServerProcess) -> None:
    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        body = {"model": "majority@k=12,decided_early=false", "tools": [TOOL], "tool_choice": "auto", "seed": 1}
        return await client.chat(messages=ASK, **body)

    status, said = served(use, **behind(process))
    assert status == 200, said
    [choice] = said["choices"]
    [call] = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], choice["message"]["content"], call["type"]) == ("tool_calls", None, "function")
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo", "days": 2}
    assert max(winners(said).values()) > 6
    assert process.stats()["bodies"][-1]["tools"] == [TOOL]


@pytest.mark.parametrize("model", ["majority", "m"])
def test_calls_are_streamed(process: ServerProcess, model: str) -> None:
    async def use(client: Client) -> list[str]:
        body = {"model": model, "messages": ASK, "tools": [TOOL], "seed": 1}
        return (await client.stream("/v1/chat/completions", body))[1]

    told = [one["choices"][0] for one in chunks(served(use, **behind(process)))]
    [call] = [call for one in told for call in one["delta"].get("tool_calls", ())]
    assert (call["index"], call["function"]["name"]) == (0, "weather")
    assert json.loads(call["function"]["arguments"])["city"] in {"Oslo", "Rome"}
    assert "".join(one["delta"].get("content") or "" for one in told) == ""
    assert told[-1]["finish_reason"] == "tool_calls"


def test_what_a_conversation_has_beside_text_goes_to_the_policy_unchanged(process: ServerProcess) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":  "Oslo"}'}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Here?"}, image], "name": "Bo"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "4 degrees", "tool_call_id": "c1"},
        {"role": "user", "content": "And there?"},
    ]

    async def both(client: Client) -> list[Any]:
        first = await client.chat(messages=turns, model="m", seed=1)
        then = await client.chat(messages=turns, model="gsr@k=2", seed=1)
        return [first, then]

    (status, _), (refined, said) = served(both, **behind(process))
    assert (status, refined) == (200, 200), said
    bodies = process.stats()["bodies"]
    assert bodies[-4]["messages"] == [{"role": "system", "content": "Be brief."}, *turns[1:]]
    assert bodies[-1]["messages"][1:4] == turns[1:4]
    assert "Candidate Response" in bodies[-1]["messages"][4]["content"]


def test_the_refiner_sees_what_was_agreed_in_the_first_turn(fake: Fake) -> None:
    def script(request: tts.Request, _: int) -> str:
        agreed = next(turn.content for turn in request.messages if turn.role == "user")
        refining = "Candidate Response" in request.messages[-1].content
        return f"{'refined' if refining else 'said'}: {agreed}"

    fake(script=script)
    turns = [
        {"role": "system", "content": "Answer with the word."},
        {"role": "user", "content": "Our word is heron."},
        {"role": "assistant", "content": "Good."},
        {"role": "user", "content": "Which word is ours?"},
    ]

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(messages=turns, model="gsr")

    status, said = served(use)
    assert status == 200
    assert said["choices"][0]["message"]["content"] == "refined: Our word is heron."


@pytest.mark.parametrize("model", ["gsr", "self_refine", "cascade"])
def test_tools_under_a_strategy_that_writes_are_refused(process: ServerProcess, model: str) -> None:
    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(messages=ASK, model=model, tools=[TOOL])

    status, said = served(use, **behind(process))
    assert status == 400
    assert f"tools: strategy '{model}' writes its answer" in said["error"]["message"]
    assert "'majority'" in said["error"]["message"]


@pytest.mark.parametrize(
    "change", [{"tools": [TOOL]}, {"response_format": SCHEMA}, {"messages": [{**ASK[0], "name": "Bo"}]}]
)
def test_a_policy_that_cannot_says_so(fake: Fake, change: dict[str, Any]) -> None:
    fake()

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(**{"messages": ASK, "model": "majority", **change})

    status, said = served(use)
    assert status == 400
    assert "'fake:m' does not" in said["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param", "sentence"),
    [
        ({"tools": [{"type": "function"}]}, "tools.0.function", "Field required"),
        ({"tools": [{"type": "custom", "function": {"name": "x"}}]}, "tools.0.type", "custom"),
        ({"tool_choice": "required"}, "tool_choice", "there are no tools to choose from"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice", "sometimes"),
        ({"functions": [{}]}, "functions", "give tools instead"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "xml"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema", "Field required"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0", "content: Field required"),
    ],
)
def test_what_is_wrong_about_them_is_said(fake: Fake, change: dict[str, Any], param: str, sentence: str) -> None:
    fake()

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(**{"messages": ASK, **change})

    status, said = served(use)
    assert (status, said["error"]["param"]) == (400, param)
    assert sentence in said["error"]["message"]


def test_responses_take_a_format_and_no_tools(process: ServerProcess) -> None:
    form = {"type": "json_schema", "name": "sum", "schema": {"type": "object"}, "strict": True}

    async def use(client: Client) -> list[tuple[int, dict[str, Any], dict[str, str]]]:
        body = {"model": "majority", "input": "What is 1+2?", "seed": 1}
        changes: list[dict[str, Any]] = [{"text": {"format": form}}, {"tools": [TOOL]}]
        return [await client.post("/v1/responses", {**body, **change}) for change in changes]

    (status, said, _), (refused, why, _) = served(use, **behind(process))
    assert status == 200, said
    assert json.loads(said["output"][0]["content"][0]["text"])["sum"] in {3, 4}
    assert process.stats()["bodies"][-1]["response_format"] == SCHEMA
    assert (refused, why["error"]["param"]) == (400, "tools")


def test_at_the_deadline_a_straggler_is_cancelled_at_the_server_and_charged_as_cancelled(
    process: ServerProcess,
) -> None:
    recipe = behind(process)

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        assert (await client.chat(ASK[0]["content"], "m"))[0] == 200  # what the server can do is known now
        process.behave(fault="hang", times=1)
        own = {"k": 4, "deadline": 2.0}
        return await client.chat("How is it?", "majority@decided_early=false", response_format=SCHEMA, tts=own)

    status, said = served(use, **recipe)
    assert status == 200, said
    [choice] = said["tts"]["choices"]
    assert len(choice["candidates"]) == 3
    assert list(choice["not_waited_for"].values()) == [1]
    assert choice["usage"]["policy"]["cancelled"] == 1
    assert said["tts"]["seconds"] < 2.5
    stats = process.stats()
    assert (stats["cancelled"], stats["running"]) == (1, 0)
