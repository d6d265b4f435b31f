"""Chat completions: what is answered, with what beside it, whole or in a stream."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, chunks, served, slow

import tts

Fake = Callable[..., type[FakeBackend]]
HI = [{"role": "user", "content": "1+2"}]


def test_a_vote_is_answered_as_a_chat_completion(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> tuple[int, dict[str, Any], dict[str, str]]:
        return await client.post("/v1/chat/completions", {"model": "majority", "messages": HI, "seed": 7})

    status, said, headers = served(use)
    assert status == 200
    assert said["object"] == "chat.completion"
    assert (said["model"], said["choices"][0]["finish_reason"]) == ("majority", "stop")
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "So it is \\boxed{3}", "refusal": None}
    assert headers["x-tts-strategy"] == "majority"
    assert said["id"] == f"chatcmpl-{headers['x-tts-request-id']}"
    assert said["usage"]["total_tokens"] == said["usage"]["prompt_tokens"] + said["usage"]["completion_tokens"]
    told = said["tts"]
    assert (told["strategy"], told["k"], told["seed"], told["request_id"]) == (
        "majority",
        4,
        7,
        headers["x-tts-request-id"],
    )
    [choice] = told["choices"]
    assert choice["written"] is False
    assert {one["answer"] for one in choice["candidates"] if one["class"] == 0} == {choice["candidates"][0]["answer"]}
    assert choice["usage"]["policy"]["calls"] == backend.completions()


def test_the_refiner_writes_and_the_plain_policy_answers_under_its_own_name(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> list[dict[str, Any]]:
        return [(await client.chat(model=model, seed=1))[1] for model in ("gsr", "m", "default")]

    refined, plain, default = served(use)
    assert refined["tts"]["choices"][0]["written"] is True
    assert refined["tts"]["choices"][0]["usage"]["policy"]["calls"] == 5
    assert plain["tts"]["strategy"] is None
    assert plain["tts"]["k"] == 1
    assert default["choices"] == refined["choices"]
    assert backend.completions() == 4 + 1 + 1 + 4 + 1


def test_what_a_request_says_of_sampling_reaches_the_policy(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> None:
        await client.chat(temperature=0.3, top_p=0.5, max_tokens=9, stop="END", seed=1)
        await client.chat(max_completion_tokens=8, max_tokens=9, stop=["a", "b"], user="u", metadata={"a": "b"})

    served(use, sampling={"temperature": 0.9, "top_k": 5})
    first, second = (request.sampling for request in backend.requests)
    assert (first.temperature, first.top_p, first.max_tokens, first.stop, first.top_k) == (0.3, 0.5, 9, ("END",), 5)
    assert (second.temperature, second.max_tokens, second.stop) == (0.9, 8, ("a", "b"))


def test_the_same_seed_gives_the_same_answer_and_none_another(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> list[int]:
        return [(await client.chat(model="m", **own))[1]["tts"]["seed"] for own in ({"seed": 5}, {"seed": 5}, {}, {})]

    seeds = served(use)
    asked = [request.seeds for request in backend.requests]
    assert seeds[:2] == [5, 5]
    assert asked[0] == asked[1]
    assert len(set(asked)) == 3


def test_several_choices_are_independent_decisions(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> dict[str, Any]:
        return (await client.chat(n=3, seed=1))[1]

    said = served(use)
    assert [choice["index"] for choice in said["choices"]] == [0, 1, 2]
    assert len({request.seeds for request in backend.requests}) == 3
    assert said["usage"]["completion_tokens"] == sum(
        one["usage"]["policy"]["completion_tokens"] for one in said["tts"]["choices"]
    )


def test_a_conversation_with_a_system_prompt_reaches_policy_and_refiner(fake: Fake) -> None:
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "The number is 5."},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "it?"}]},
    ]
    backend = fake(script=lambda request, index: f"\\boxed{{{len(request.messages)}}}")

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(model="gsr", messages=turns)

    status, _ = served(use)
    assert status == 200
    drawn, refined = (request.messages for request in backend.requests)
    assert [(m.role, m.content) for m in drawn][:1] == [("system", "Be brief.")]
    assert drawn[-1].content == "What is it?"
    assert refined[:-1] == drawn[:-1]
    assert "What is it?" in refined[-1].content


def test_a_stream_has_the_answer_its_end_and_its_usage(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> tuple[int, list[str]]:
        body = {"model": "gsr", "messages": HI, "stream_options": {"include_usage": True}, "seed": 1}
        return await client.stream("/v1/chat/completions", body)

    status, lines = served(use)
    assert status == 200
    *text, end, usage = chunks(lines)
    assert "".join(one["choices"][0]["delta"]["content"] for one in text) == "So it is \\boxed{3}"
    assert text[0]["choices"][0]["delta"]["role"] == "assistant"
    assert end["choices"][0]["finish_reason"] == "stop"
    assert end["tts"]["strategy"] == "gsr"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 0
    assert len({one["id"] for one in (*text, end, usage)}) == 1


def test_progress_is_told_as_reasoning_where_it_is_wanted(fake: Fake) -> None:
    slow(seconds=0.05, last=0.2)

    async def use(client: Client) -> list[list[str]]:
        body = {"model": "gsr", "messages": HI}
        return [
            (await client.stream("/v1/chat/completions", {**body, **own}))[1]
            for own in ({"tts": {"progress": True}}, {})
        ]

    told, silent = (chunks(lines) for lines in served(use))
    reasoning = [one["choices"][0]["delta"].get("reasoning_content") for one in told if one["choices"]]
    assert [text for text in reasoning if text][:4] == [f"candidate {n} is there\n" for n in (1, 2, 3, 4)]
    assert any("policy has written" in text for text in reasoning if text)
    assert not any("reasoning_content" in one["choices"][0]["delta"] for one in silent)


def test_a_stream_that_fails_late_says_so_in_the_stream_and_early_in_the_status(fake: Fake) -> None:
    def broken(request: tts.Request, index: int) -> str:
        if "Candidate Response" in request.messages[-1].content:
            raise tts.BackendError("the policy has gone")
        return "\\boxed{1}"

    slow(script=broken, seconds=0.05, last=0.1)

    async def use(client: Client) -> list[tuple[int, list[str]]]:
        body = {"model": "gsr", "messages": HI}
        late = await client.stream("/v1/chat/completions", {**body, "tts": {"progress": True}})
        early = await client.stream("/v1/chat/completions", body)
        return [late, early, ([line["status"] for line in client.log], [line["error"] for line in client.log])]  # type: ignore[list-item]

    (status, lines), (refused, body), (statuses, errors) = served(use)
    assert status == 200
    assert "the policy has gone" in chunks(lines)[-1]["error"]["message"]
    assert refused == 502
    assert json.loads("".join(body))["error"]["code"] == "policy_failed"
    assert statuses == [200, 502]  # type: ignore[comparison-overlap]
    assert all("the policy has gone" in error for error in errors)


def test_a_comment_keeps_the_connection_while_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from tts.serve import stream

    monkeypatch.setattr(stream, "_PATIENCE", 0.05)
    slow(seconds=0.4, last=0.4)

    async def use(client: Client) -> list[str]:
        return (await client.stream("/v1/chat/completions", {"model": "m", "messages": HI}))[1]

    lines = served(use)
    assert lines[0] == ": still at work"
    assert chunks(lines)[0]["choices"][0]["delta"]["content"]


def test_models_are_listed_with_what_they_need(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> tuple[Any, Any, Any]:
        listed = (await client.get("/v1/models"))[1]
        one = await client.get("/v1/models/gsr@outputs=2")
        none = await client.get("/v1/models/grs")
        return listed, one, none

    listed, (found, one), (missing, none) = served(use, k=3)
    cards = {card["id"]: card["tts"] for card in listed["data"]}
    assert cards["m"] == {"strategy": None, "k": 1, "needs": ["policy"], "deadline": None}
    assert cards["gsr"] == {"strategy": "gsr", "k": 3, "needs": ["policy"], "deadline": None}
    assert {"majority", "usc", "default"} < cards.keys()
    assert "best_of_n" not in cards, "there is no scorer"
    assert (found, one["id"], missing) == (200, "gsr@outputs=2", 404)
    assert re.search(r"did you mean .*'gsr'", none["error"]["message"])


def test_votes_stop_when_they_are_decided_and_deadlines_are_kept(fake: Fake) -> None:
    backend = slow(script=lambda request, index: f"\\boxed{{{3 if index < 3 else 4}}}", seconds=0.05, last=30.0)

    async def use(client: Client) -> list[dict[str, Any]]:
        vote = (await client.chat(model="majority"))[1]
        cut = (await client.chat(model="gsr@k=8", tts={"deadline": 0.8}))[1]
        return [vote, cut]

    vote, cut = served(use)
    assert vote["tts"]["seconds"] < 5
    assert vote["tts"]["choices"][0]["usage"]["policy"]["cancelled"] >= 1
    assert cut["tts"]["seconds"] < 5
    assert cut["tts"]["choices"][0]["instead"] or cut["tts"]["choices"][0]["not_waited_for"]
    assert backend.live == 0


def test_a_store_answers_the_same_request_with_the_same_seed(fake: Fake, tmp_path: Any) -> None:
    backend = fake()

    async def use(client: Client) -> list[dict[str, Any]]:
        return [(await client.chat(seed=3))[1] for _ in range(2)]

    first, second = served(use, store=str(tmp_path / "kept.db"))
    assert first["choices"] == second["choices"]
    assert backend.completions() == 4
    assert "1 group of k=4" in repr(tts.compare(str(tmp_path / "kept.db"), strategies=["majority"]))


def test_a_shadow_answers_plainly_and_decides_beside(fake: Fake, tmp_path: Any) -> None:
    backend = fake()

    async def use(client: Client) -> dict[str, Any]:
        said = (await client.chat(model="majority", seed=3))[1]
        while client.gateway._shadows:
            await asyncio.sleep(0.01)
        return said

    said = served(use, store=str(tmp_path / "kept.db"), shadow=1.0)
    assert said["tts"]["strategy"] is None
    assert backend.completions() == 4, "the candidate that was answered is one of the vote's"
