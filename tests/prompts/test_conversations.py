"""A problem of several turns: whoever writes or judges sees all of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import FakeBackend

import tts
from tts.prompts import direct_messages, in_conversation, judge_messages, transcript

Fake = Callable[..., type[FakeBackend]]
TURNS = (
    tts.Message(role="system", content="Answer with one number."),
    tts.Message(role="user", content="Remember that the code is 417."),
    tts.Message(role="assistant", content="I will."),
    tts.Message(role="user", content="What is the code plus one?"),
)
PROBLEM = tts.Problem(id="code", messages=TURNS)
WRITING = ["gsr", "rsa", "synthesizer", "moa", "agglm", "usc", "genselect", "self_refine", "cascade"]


def remembers(request: tts.Request, index: int) -> str:
    """Right wherever the first turn is in sight; candidates are wrong, so that only who writes anew can be right."""
    seen = "\n".join(message.content for message in request.messages)
    code = re.search(r"code is (\d+)", seen)
    written = request.messages[-1].content != TURNS[-1].content
    return f"\\boxed{{{int(code[1]) + 1 if code and written else index}}}"


@pytest.mark.parametrize("strategy", WRITING)
def test_who_writes_sees_the_first_turn_as_it_is(fake: Fake, strategy: str) -> None:
    backend = fake(script=remembers, capabilities=tts.Capabilities(concurrency=8))
    tts.solve(PROBLEM, strategy=strategy, k=4, model="fake:m", synthesizer="fake:m")
    asked = [request.messages for request in backend.requests]
    assert asked[0] == TURNS
    assert len(asked) > 1
    for messages in asked[1:]:
        assert messages[:-1] == TURNS[:-1]
        assert TURNS[-1].content in messages[-1].content


def test_a_refiner_that_needs_the_first_turn_gets_it_on_every_face(fake: Fake, tmp_path: Path) -> None:
    fake(script=remembers)
    assert tts.solve(PROBLEM, model="fake:m").answer == "418"
    example = tts.Example(problem=PROBLEM, answer="418")
    assert [result.answer for result in tts.run([example], model="fake:m").results] == ["418"]
    sampled = tts.sample([example], model="fake:m")
    compared = tts.compare(sampled, strategies=["majority", "gsr"], model="fake:m")
    assert compared.accuracy("gsr").mean > compared.accuracy("majority").mean

    async def main() -> tts.Result:
        async with tts.Engine(model="fake:m") as engine:
            return await engine.solve(PROBLEM)

    assert asyncio.run(main()).answer == "418"
    source = tmp_path / "turns.jsonl"
    turns = [turn.model_dump() for turn in TURNS]
    source.write_text(json.dumps({"id": "code", "messages": turns, "answer": "418"}), encoding="utf-8")
    from tts.cli import main as command

    done = CliRunner().invoke(command, ["run", str(source), "--model", "fake:m", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[0])["answer"] == "418"


def test_a_direct_template_does_not_touch_messages(fake: Fake, tmp_path: Path) -> None:
    template = tmp_path / "mine.jinja"
    template.write_text("Solve: {{ problem }}", encoding="utf-8")
    backend = fake(script=remembers)
    tts.solve(PROBLEM, model="fake:m", direct_template=str(template))
    assert backend.requests[0].messages == TURNS
    assert direct_messages(PROBLEM, str(template)) == TURNS


def test_a_prompt_of_one_text_is_one_message_as_before() -> None:
    problem = tts.Problem(id="x", prompt="1+1?")
    assert in_conversation(problem, "p") == (tts.Message(role="user", content="p"),)
    assert transcript(problem) == "1+1?"
    assert transcript(tts.Problem(id="x", messages=(tts.Message(role="user", content="1+1?"),))) == "1+1?"


def test_turns_after_the_last_user_message_stay() -> None:
    turns = (*TURNS, tts.Message(role="assistant", content="Let me think."))
    assert in_conversation(tts.Problem(id="x", messages=turns), "p") == (*turns, tts.Message(role="user", content="p"))


def test_a_judge_reads_the_whole_conversation() -> None:
    def candidate(text: str) -> tts.Candidate:
        return tts.Candidate(index=0, text=text, summary=text)

    (message,) = judge_messages(PROBLEM, candidate("418"), candidate("1"))
    assert "User: Remember that the code is 417.\n\nAssistant: I will." in message.content
    for name in ("rm-r1", "rrm", "pairjudge"):
        cls: Any = tts.plugins().resolve("judge", name)
        assert "the code is 417" in cls().messages(PROBLEM, candidate("418"), candidate("1"))[-1].content
