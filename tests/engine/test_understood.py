"""Forms of answers, tools, turns with more than text: who understands them gets them, the others refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend

import tts
from tts.engine.draws import draw_key
from tts.prompts import in_conversation, transcript
from tts.vocabulary.record import digest

Fake = Callable[..., type[FakeBackend]]
FORMAT = {"type": "json_object"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
ALL = tts.Capabilities(seed=True, concurrency=8, response_format=True, tools=True, raw=True)
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
LOOKED_UP = (
    tts.Message(role="user", content="1+2"),
    tts.Message(role="assistant", content="", raw={"role": "assistant", "content": None, "tool_calls": [CALL]}),
    tts.Message(role="tool", content="3", raw={"role": "tool", "content": "3", "tool_call_id": "c1"}),
)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SHOWN = tts.Message(
    role="user", content="1+2", raw={"role": "user", "content": [{"type": "text", "text": "1+2"}, IMAGE]}
)


def solved(sampling: tts.Sampling, strategy: str | tts.Strategy = "majority", *messages: tts.Message) -> tts.Result:
    problem = tts.Problem(id="p", messages=messages or (tts.Message(role="user", content="1+2"),))
    return tts.solve(problem, strategy=strategy, model="fake:m", synthesizer="fake:s", sampling=sampling)


def test_keys_of_what_early_versions_stored_are_what_they_were() -> None:
    said = (tts.Message(role="system", content="Be brief."), tts.Message(role="user", content="1+2"))
    problem = tts.Problem(id="p", messages=said)
    assert problem.digest == "0965709ddead8dce8534c870ce0d3941"
    assert digest(tts.Sampling(temperature=0.5, seed=3)) == "ec9df7aa3dd28e35ffaa4c140c3fd4a0"
    key = draw_key(problem, "sample", "fake", tts.Sampling(seed=3), said)
    assert key == "4131c2ffcb9d1ca9f5bb87ff77cddedb"


def test_what_is_asked_beyond_text_is_another_draw() -> None:
    said = (SHOWN,)
    other = (SHOWN.model_copy(update={"raw": {"role": "user", "content": "1+2", "name": "Bo"}}),)
    plain = (tts.Message(role="user", content="1+2"),)
    samplings = [tts.Sampling(), tts.Sampling(response_format=FORMAT), tts.Sampling(tools=(TOOL,))]
    problems = [tts.Problem(id="p", messages=messages) for messages in (said, other, plain)]
    keys = {draw_key(one, "sample", "fake", how, one.messages or ()) for one in problems for how in samplings}
    assert len(keys) == 9


@pytest.mark.parametrize(
    ("sampling", "messages", "capability"),
    [
        ({"response_format": FORMAT}, (), "response_format"),
        ({"tools": (TOOL,)}, (), "tools"),
        ({}, LOOKED_UP, "raw"),
        ({}, (SHOWN,), "raw"),
    ],
)
def test_a_model_that_does_not_understand_it_is_asked_nothing(
    fake: Fake, sampling: dict[str, Any], messages: tuple[tts.Message, ...], capability: str
) -> None:
    backend = fake()
    with pytest.raises(tts.MissingCapabilityError, match=rf"'fake:m' does not .*Capabilities\.{capability}"):
        solved(tts.Sampling(**sampling), "majority", *messages)
    assert backend.requests == []


def test_in_a_run_only_the_problem_that_cannot_be_asked_fails(fake: Fake) -> None:
    fake()
    problems = [tts.Problem(id="a", prompt="1+2"), tts.Problem(id="b", messages=(SHOWN,))]
    run = tts.run([tts.Example(problem=one, answer="3") for one in problems], strategy="first", k=1, model="fake:m")
    errors = {result.problem.id: result.error for result in run.results}
    assert errors["a"] is None
    assert "does not take turns with more than text" in (errors["b"] or "")


@pytest.mark.parametrize("strategy", ["gsr", "synthesizer", "rsa", "self_refine", "agglm", "moa", "cascade"])
def test_tools_under_a_strategy_that_writes_are_refused_before_anything_is_spent(fake: Fake, strategy: str) -> None:
    backend = fake(capabilities=ALL)
    with pytest.raises(tts.ConfigError, match=f"strategy '{strategy}' writes its answer"):
        solved(tts.Sampling(tools=(TOOL,)), strategy)
    assert backend.requests == []


class Says(tts.Strategy):
    """Its own words. No paper."""

    name: ClassVar[str] = "says"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        return tts.Decision(text="mine")


def test_a_strategy_that_writes_without_saying_so_is_an_error(fake: Fake) -> None:
    fake(capabilities=ALL)
    assert solved(tts.Sampling(), Says()).text == "mine"
    with pytest.raises(tts.StrategyError, match="wrote its answer where tools are offered"):
        solved(tts.Sampling(tools=(TOOL,)), Says())


def test_tools_are_offered_to_candidates_only_and_a_verdict_has_no_format(fake: Fake) -> None:
    backend = fake(capabilities=ALL, script=lambda _request, _index: "3")
    solved(tts.Sampling(tools=(TOOL,), tool_choice="auto", response_format=FORMAT), "usc")
    for request in backend.requests:
        candidate = request.messages[-1].content == "1+2"
        assert request.sampling.tools == ((TOOL,) if candidate else None)
        assert request.sampling.tool_choice == ("auto" if candidate else None)
        assert request.sampling.response_format == (FORMAT if candidate else None)
    assert len(backend.requests) > 1


@pytest.mark.parametrize("strategy", ["gsr", "synthesizer", "agglm", "moa"])
def test_what_is_written_as_the_answer_has_the_format(fake: Fake, strategy: str) -> None:
    backend = fake(capabilities=ALL, script=lambda _request, _index: '{"sum": 3}')
    solved(tts.Sampling(response_format=FORMAT), strategy)
    assert {bool(request.sampling.response_format) for request in backend.requests} == {True}


def test_the_whole_conversation_is_kept_under_a_prompt_over_it() -> None:
    problem = tts.Problem(id="p", messages=LOOKED_UP)
    assert in_conversation(problem, "Refine.")[:-1] == LOOKED_UP
    shown = in_conversation(tts.Problem(id="p", messages=(SHOWN,)), "Refine.")
    assert shown[0].raw == {"role": "user", "content": [IMAGE, {"type": "text", "text": "Refine."}]}
    assert transcript(problem) == (
        'User: 1+2\n\nAssistant: <tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n\nTool: 3'
    )


def test_a_store_has_turns_and_samplings_as_they_were(fake: Fake, tmp_path: Path) -> None:
    backend = fake(capabilities=ALL)
    problem = tts.Problem(id="p", messages=(*LOOKED_UP, SHOWN))
    how = tts.Sampling(tools=(TOOL,), response_format=FORMAT)

    async def draw() -> None:
        async with tts.Engine(model="fake:m", store=tmp_path / "s.db", sampling=how) as engine:
            await engine.solve(problem, "majority", 2)

    asyncio.run(draw())
    asked = backend.completions()
    asyncio.run(draw())
    assert backend.completions() == asked
    with tts.Store(tmp_path / "s.db") as store:
        (found,) = store.sets()
        assert store.messages(found.key) == problem.messages
        assert (found.problem.messages, found.sampling) == (problem.messages, how)
