"""The suite of every backend on the sglang backend before a server that speaks SGLang's interface, and its faults."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from sglang_native import NativeServer

import tts
from tts import BackendError, BackendUnavailable, Completion, Message, Request, Sampling, Usage
from tts.testing import BackendContract
from tts_backends.scorers.sglang_reward import SGLangReward
from tts_backends.sglang import SGLangBackend


@functools.cache
def server() -> NativeServer:
    return NativeServer()


@pytest.fixture(scope="module", autouse=True)
def _server_ends() -> Any:
    yield
    server().stop()


def connected(**options: Any) -> SGLangBackend:
    return SGLangBackend("miniature", SGLangBackend.Options(base_url=server().base, **options))


def ask(backend: SGLangBackend, n: int = 2) -> list[Completion]:
    messages = (Message(role="user", content="3*8"),)
    request = Request(messages=messages, n=n, seeds=tuple(range(n)), sampling=Sampling(max_tokens=3))

    async def collect() -> list[Completion]:
        try:
            return [one async for one in backend.generate(request)]
        finally:
            server().answers.clear()

    return asyncio.run(collect())


class TestNative(BackendContract):
    controls = ("<|end|>", "<|assistant|>", "</think>")

    @classmethod
    def make(cls) -> SGLangBackend:
        return connected()

    def running(self) -> int | None:
        return server().running


def test_what_the_server_says_is_what_the_backend_can() -> None:
    can = connected(concurrency=5).capabilities
    assert (can.seed, can.logprobs, can.exact_token_counts) == (True, True, True)
    assert (can.context_length, can.concurrency) == (2042, 5)
    assert can.prompts is not None  # of the model's folder


def told(whole: bool = False, loses: int = 0) -> tuple[Completion, str, list[Usage]]:
    """A completion that was told while it was written, and what that was."""
    pieces, cancelled = list[str](), list[Usage]()
    messages = (Message(role="user", content="3*8"),)
    request = Request(
        messages=messages, seeds=(3,), sampling=Sampling(max_tokens=12, temperature=1.5),
        on_text=lambda _, text: pieces.append(text), on_cancelled=cancelled.append,
    )  # fmt: skip
    server().whole, server().loses = whole, loses

    backend = connected()

    async def collect() -> Completion:
        try:
            (one,) = [one async for one in backend.generate(request)]
            return one
        finally:
            await backend.aclose()

    try:
        return asyncio.run(collect()), "".join(pieces), cancelled
    finally:
        server().whole, server().loses = False, 0


def test_a_stream_of_all_tokens_is_told_as_one_of_new_ones() -> None:
    one, said, _ = told()
    other, same, _ = told(whole=True)
    assert said == same == one.text == other.text
    assert one.usage.answer_tokens == other.usage.answer_tokens


def test_tokens_that_a_stream_leaves_out_are_asked_for_in_one_piece() -> None:
    one, said, cancelled = told(loses=1)
    whole, _, _ = told()
    assert one.text == whole.text == said
    assert [usage.cancelled for usage in cancelled] == [1]


def test_the_prompt_goes_ahead_where_it_has_several_completions() -> None:
    server().asked.clear()
    found = ask(connected(), n=3)
    lengths = [body["sampling_params"]["max_new_tokens"] for body in server().asked]
    assert lengths == [0, 3, 3, 3]
    cached = {one.index: one.usage.cached_tokens for one in found}
    assert cached[0] == 0
    assert cached[1] == cached[2] == found[0].usage.prompt_tokens - 1
    server().asked.clear()
    ask(connected(), n=1)
    assert len(server().asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        (503, '{"error": {"message": "busy"}}'),
        (500, "oops"),
        (200, "<!doctype html>"),
        (200, '{"choices": []}'),
        (200, '{"output_ids": [1], "meta_info": {"finish_reason": {"type": "abort"}}}'),
        (200, '{"output_ids": [1], "meta_info": {"finish_reason": null}}'),
        (200, '{"output_ids": [1], "meta_info": {"finish_reason": "stop"}}'),
    ],
)
def test_what_fails_for_a_while_is_asked_for_again(fault: tuple[int, str]) -> None:
    backend = connected()
    server().answers = [fault] * 3
    assert {one.index for one in ask(backend)} == {0, 1}


def test_what_fails_for_good_is_one_sentence() -> None:
    backend = connected(retries=1)
    server().answers = [(500, "oops")] * 9
    with pytest.raises(BackendUnavailable, match="asked 2 times") as caught:
        ask(backend, n=1)
    assert not caught.value.retryable
    server().answers = [(400, '{"error": {"message": "top_k must be -1"}}')] * 9
    with pytest.raises(BackendError, match="top_k must be -1"):
        ask(backend, n=1)


def test_a_reason_that_nobody_knows_is_no_completion() -> None:
    server().answers = [(200, '{"output_ids": [1, 2], "meta_info": {"finish_reason": {"type": "surprise"}}}')]
    (one,) = ask(connected(), n=1)
    assert (one.finish_reason, one.text, one.usage.generated_tokens) == ("error", "", 2)
    assert "'surprise'" in one.error


def test_a_context_error_of_the_server_has_both_numbers() -> None:
    message = "The input (2050 tokens) is longer than the model's context length (2048 tokens)."
    server().answers = [(400, json.dumps({"error": {"message": message}}))] * 3
    with pytest.raises(tts.ContextLengthError) as caught:
        ask(connected(), n=1)
    assert caught.value.context_length == 2042


def test_a_scorer_asks_classify() -> None:
    scorer = SGLangReward("miniature", SGLangReward.Options(base_url=server().base))
    problem = tts.Problem(id="p", prompt="3*8")
    responses = [tts.Candidate(index=i, text=text) for i, text in enumerate(["24", "25", "24"])]
    first, second, third = asyncio.run(scorer.score(problem, responses))
    assert first == third
    assert first.value != second.value
    assert first.usage.prompt_tokens > 3
    asyncio.run(scorer.aclose())
    with pytest.raises(BackendError, match="closed"):
        asyncio.run(scorer.score(problem, responses))
