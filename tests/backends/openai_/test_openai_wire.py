"""What is written and how answers and errors are read, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("aiohttp")

import tts
from tts_backends.openai.errors import refusal
from tts_backends.openai.events import Events
from tts_backends.openai.overflow import Overflow, overflow_in
from tts_backends.openai.waiting import pause, span
from tts_backends.openai.wire import Dialect, Wire

CHAT = Wire("m", "chat", stream=False, markers=("<think>", "</think>"))
TEXT = CHAT._replace(api="completions")


def answer(*messages: dict[str, Any], finish: str = "stop", **usage: Any) -> dict[str, Any]:
    choices = [{"index": i, "message": m, "finish_reason": finish} for i, m in enumerate(messages)]
    return {"choices": choices, "usage": usage or None}


def request(**sampling: Any) -> tts.Request:
    said = (tts.Message(role="system", content="s"), tts.Message(role="user", content="u"))
    return tts.Request(messages=said, sampling=tts.Sampling(**sampling))


MESSAGES = {
    "This model's maximum context length is 2048 tokens. However, you requested 4010 tokens (4000 in the messages, "
    "10 in the completion). Please reduce the length of the messages or completion.": (4000, 2048),
    "'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context length is 2048 tokens "
    "and your request has 20 input tokens (32768 > 2048 - 20).": (20, 2048),
    "This model's maximum context length is 2048 tokens. However, you requested 16 output tokens and your prompt "
    "contains at least 2033 input tokens, for a total of at least 2049 tokens.": (2033, 2048),
    "The input (250000 tokens) is longer than the model's context length (200000 tokens).": (250000, 200000),
    "Requested token count exceeds the model's maximum context length of 2048 tokens. You requested a total of 4000 "
    "tokens: 3984 tokens from the input messages and 16 tokens for the completion.": (3984, 2048),
    "request (3984 tokens) exceeds the available context size (2048 tokens), try increasing it": (3984, 2048),
    '{"type":"exceed_context_size_error","n_prompt_tokens":3984,"n_ctx":2048}': (3984, 2048),
    "Prompt contains 9000 tokens, too large for model with 8192 maximum context length": (9000, 8192),
    "prompt is too long: 210000 tokens > 200000 maximum": (210000, 200000),
    "maximum context length is 4,097 tokens. However, your messages resulted in 6,164 tokens.": (6164, 4097),
}  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES)
def test_context_errors_of_many_servers_are_read(message: str) -> None:
    assert overflow_in(message) == Overflow(*MESSAGES[message])
    trouble = refusal(400, {}, json.dumps({"error": {"message": message}}).encode(), "here")
    assert trouble.overflow == Overflow(*MESSAGES[message])


def test_other_refusals_are_not_about_the_context() -> None:
    trouble = refusal(400, {}, b'{"error": {"message": "temperature must be at most 2"}}', "here")
    assert trouble.overflow is None
    assert str(trouble) == "here refuses the request (HTTP 400): temperature must be at most 2"
    assert not trouble.error.retryable


WAITED: list[tuple[str, float | None]] = [
    ("7", 7), ("0.5", 0.5), ("2s", 2), ("", None), ("soon", None), ("nan", None), ("inf", None),
    ("0", None), ("-5", None), ("Thu, 01 Jan 1970 00:00:00 GMT", None),  # at once: refused again at once
]  # fmt: skip


@pytest.mark.parametrize(("value", "seconds"), WAITED)
def test_retry_after(value: str, seconds: float | None) -> None:
    for name in ("Retry-After", "llm_provider-retry-after"):
        assert pause({name: value}) == seconds


def test_a_date_to_wait_for_goes_by_the_clock_of_the_server() -> None:
    headers = {"Retry-After": "Thu, 01 Jan 1970 00:00:12 GMT", "Date": "Thu, 01 Jan 1970 00:00:02 GMT"}
    assert pause(headers) == 10
    assert pause(headers | {"Date": "today"}) is None


WAITS: list[tuple[dict[str, str], str, float | None]] = [
    ({"retry-after-ms": "1500", "Retry-After": "2"}, "", 1.5),
    ({}, '{"error": {"details": [{"retryDelay": "34.5s"}]}}', 34.5),
    ({}, "Rate limit reached for gpt-4o. Please try again in 6m0s. Visit", 360.0),
    ({}, "Limit 30000, Used 29000. Please try again in 1.242s.", 1.242),
    ({}, "Please retry after 17 seconds.", 17.0),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, "", 0.12),
    ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "120ms"}, "", None),
    ({}, "Rate limit reached.", None),
]


@pytest.mark.parametrize(("headers", "body", "seconds"), WAITS)
def test_pauses_of_many_services_are_read(headers: dict[str, str], body: str, seconds: float | None) -> None:
    assert pause(headers, body) == seconds


def test_lengths_of_time() -> None:
    assert [span(one) for one in ("1h2m3s", "90", "250ms", "soon", "1d")] == [3723, 90, 0.25, None, 86400]


QUOTAS = {
    "You exceeded your current quota, please check your plan. code: insufficient_quota": True,
    "Quota exceeded for metric GenerateRequestsPerDayPerProjectPerModel": True,
    "Rate limit reached on tokens per day (TPD). Please try again in 7m12s.": True,
    "Rate limit reached on tokens per minute (TPM). Please try again in 7s.": False,
    "You exceeded your current quota: GenerateRequestsPerMinutePerProject": False,
}


@pytest.mark.parametrize("words", QUOTAS)
def test_a_quota_of_the_day_is_told_from_a_limit_of_the_minute(words: str) -> None:
    trouble = refusal(429, {}, json.dumps({"error": {"message": words}}).encode(), "here")
    assert trouble.over == QUOTAS[words]
    assert trouble.error.retryable != QUOTAS[words]


def test_a_request_says_what_the_sampling_says() -> None:
    body = CHAT.body(request(top_k=5, stop=("x",), logprobs=True, thinking=False, max_tokens=9), Dialect(context=100))
    assert body == {
        "model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "temperature": 0.6, "top_p": 0.95, "top_k": 5, "stop": ["x"], "logprobs": True, "max_tokens": 9,
        "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip
    body = TEXT.body(request(logprobs=True), Dialect())
    assert (body["prompt"], body["logprobs"]) == ("System: s\n\nUser: u\n\nAssistant:", 1)
    assert "top_k" not in body


@pytest.mark.parametrize(
    ("wire", "most", "context", "sent"),
    [
        (CHAT, None, None, None),  # the server's own rule is what the context leaves
        (CHAT, None, 2048, None),
        (CHAT, None, 131_072, 32_768),
        (CHAT, 4096, 2048, None),
        (CHAT, 10, 2048, 10),
        (TEXT, None, None, 32_768),  # where the rule is 16
        (TEXT, None, 1000, 992),
    ],
)
def test_most_new_tokens(wire: Wire, most: int | None, context: int | None, sent: int | None) -> None:
    assert wire.body(request(max_tokens=most), Dialect(context=context)).get("max_tokens") == sent


def test_reasoning_that_is_told_apart_is_put_together_as_the_hf_backend_has_it() -> None:
    for name in ("reasoning_content", "reasoning"):
        (one,) = CHAT.read(answer({"content": "\n\nIt is 4.", name: "2+2\n"}), (3,), False)
        assert (one.index, one.thinking, one.summary) == (3, "2+2", "It is 4.")
        assert tts.split_thinking(one.text) == (one.thinking, one.summary)
    (one,) = CHAT.read(answer({"content": None, "reasoning_content": "2+"}, finish="length"), (0,), False)
    assert (one.thinking, one.summary, one.finish_reason) == ("2+", None, "length")
    assert tts.split_thinking(one.text) == ("2+", None)
    assert (one.usage.thinking_tokens, one.usage.answer_tokens) == (3, 0)
    (one,) = CHAT.read(answer({"content": "<think>a</think>b", "reasoning_content": None}), (0,), False)
    assert (one.thinking, one.summary) == ("a", "b")


def test_choices_come_in_any_order_and_too_many_are_left_out() -> None:
    found = answer({"content": "a"}, {"content": "b"}, {"content": "c"})
    found["choices"].reverse()
    assert [(one.index, one.text) for one in CHAT.read(found, (4, 7), False)] == [(4, "a"), (7, "b")]


def test_logprobs_are_summed() -> None:
    chat = answer({"content": "a"})
    chat["choices"][0]["logprobs"] = {"content": [{"logprob": -1.0}, {"logprob": -0.5}]}
    assert CHAT.read(chat, (0,), True)[0].logprob == -1.5
    assert CHAT.read(chat, (0,), False)[0].logprob is None
    text = {"choices": [{"text": "a", "finish_reason": "stop", "logprobs": {"token_logprobs": [None, -2.0]}}]}
    assert TEXT.read(text, (0,), True)[0].logprob == -2.0


ENDINGS = {
    "stop": ("stop", ""),
    "eos_token": ("stop", ""),
    "length": ("length", ""),
    "content_filter": ("refused", "stopped by a content filter"),
    "tool_calls": ("error", "called a tool"),
    "function_call": ("error", "called a tool"),
    "repetition": ("error", "unknown finish_reason 'repetition'"),
}


@pytest.mark.parametrize("wire", [CHAT, TEXT], ids=lambda wire: wire.api)
@pytest.mark.parametrize("finish", ENDINGS)
def test_only_a_model_that_came_to_its_end_gives_a_completion(wire: Wire, finish: str) -> None:
    choice = {"finish_reason": finish, "message": {"content": "half a th"}, "text": "half a th"}
    (one,) = wire.read({"choices": [choice], "usage": {"completion_tokens": 3}}, (5,), False)
    reason, why = ENDINGS[finish]
    assert (one.index, one.finish_reason, one.whole) == (5, reason, not why)
    assert one.usage.generated_tokens == 3, "it was paid, whatever came of it"
    assert (one.text, one.summary) == (("", None) if why else ("half a th", "half a th"))
    assert why in (one.error or "")


@pytest.mark.parametrize("finish", [None, "abort", "error"])
def test_what_was_broken_off_is_left_out_and_paid(finish: str | None) -> None:
    broken = {
        "index": 0,
        "finish_reason": finish,
        "message": {"content": "brok "},
        "error": {"message": "out of\nroom"},
    }
    good = {"index": 1, "finish_reason": "stop", "message": {"content": "whole"}}
    lost: list[tts.Usage] = []
    found = CHAT.read({"choices": [good, broken], "usage": {"completion_tokens": 4}}, (6, 7), False, lost=lost.append)
    assert [(one.index, one.text) for one in found] == [(7, "whole")]
    assert [(one.generated_tokens, one.cancelled) for one in lost] == [(2, 1)]
    with pytest.raises(tts.BackendError, match="broke the completion off .*: out of room") as caught:
        CHAT.read({"choices": [broken]}, (6,), False)
    assert caught.value.retryable


def test_a_refusal_is_in_the_message_or_in_its_stream() -> None:
    (one,) = CHAT.read(answer({"content": None, "refusal": "I cannot\nhelp."}), (0,), False)
    assert (one.finish_reason, one.error) == ("refused", "the model refused: I cannot help.")
    events = Events("chat")
    for piece in ("I ", "won't."):
        events.feed(b"data: " + json.dumps({"choices": [{"delta": {"refusal": piece}}]}).encode())
    events.feed(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}')
    (one,) = CHAT.read(events.answer(), (0,), False)
    assert one.error == "the model refused: I won't."


def test_a_prompt_that_a_filter_declines_is_told_from_other_bad_requests() -> None:
    said = {"error": {"message": "The response was filtered", "type": None, "code": "content_filter", "status": 400}}
    assert refusal(400, {}, json.dumps(said).encode(), "here").filtered
    assert not refusal(400, {}, b'{"error": {"message": "no content_filter here", "code": "bad"}}', "here").filtered


def test_a_stream_is_the_answer_in_one_piece() -> None:
    events = Events("chat")
    for part in ({"role": "assistant"}, {"reasoning_content": "2+"}, {"reasoning_content": "2"}, {"content": "4"}):
        events.feed(b"data: " + json.dumps({"choices": [{"index": 0, "delta": part}]}).encode() + b"\r")
    assert (events.tokens(), events.complete) == (3, False)
    events.feed(b": a comment")
    events.feed(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}')
    events.feed(b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}')
    events.feed(b"data: [DONE]")
    assert events.complete
    assert events.done
    (one,) = CHAT.read(events.answer(), (0,), False)
    assert (one.thinking, one.summary, one.finish_reason, one.usage.generated_tokens) == ("2+2", "4", "length", 5)
    with pytest.raises(ValueError, match="overloaded"):
        events.feed(b'data: {"error": {"message": "overloaded"}}')


def test_an_event_over_several_lines_is_one_event() -> None:
    event = {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}
    for end in (b"\n", b"\r\n"):
        events = Events("chat")
        for line in json.dumps(event, indent=2).encode().splitlines():
            events.feed(b"data: " + line + end.strip(b"\n"))
        events.feed(end.strip(b"\n"))
        events.feed(b"data: [DONE]")
        assert (events.texts, events.complete, events.done) == ({"content": ["4"]}, True, True)


@pytest.mark.parametrize("rest", [b"", None])
def test_an_event_that_breaks_off_is_damaged(rest: bytes | None) -> None:
    events = Events("chat")
    events.feed(b'data: {"choices": [{"index": 0, "del')
    with pytest.raises(ValueError, match="Unterminated string"):
        events.end() if rest is None else events.feed(rest)
