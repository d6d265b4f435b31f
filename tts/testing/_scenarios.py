"""The catalogue of what services with OpenAI's interface do, each with what a client should make of it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tts.testing._service import (
    PROMPT,
    TEXT,
    Answer,
    Asked,
    Reply,
    choice,
    piece,
    plain_reply,
    refused,
    said,
    streamed,
    usage,
)


class Scenario(NamedTuple):
    """One behaviour: `answer` is the service, the rest is what comes of one request for `PROMPT`.

    `text`, `thinking` and `finish_reason` are the completion's, `error` is a part of the sentence where there is none.
    `requests` bounds how often the prompt may be asked, and `waits` is how many seconds the second request for it may
    not come earlier. `error` is a regular expression. `address` leads to the service, from `{root}`; `options` are
    the `openai:` options that the client needs for it: `stream`, and `first_byte_timeout` in seconds of silence.
    """

    name: str
    summary: str
    answer: Answer
    text: str = TEXT
    thinking: str | None = None
    finish_reason: str = "stop"
    error: str = ""
    requests: int = 1
    waits: float = 0.0
    address: str = "{root}/v1"
    options: Mapping[str, Any] = {}


def scenarios() -> dict[str, Scenario]:
    """All of them, by name."""
    parts = (_forms(), _streams(), _failures(), _addresses(), _parameters(), _contexts(), _probes(), _limits())
    return {one.name: one for part in parts for one in part}


# --- the ways of answering ------------------------------------------------------------------------------------------


def _always(reply: Reply) -> Answer:
    """The prompt is answered so, whatever else is asked is answered plainly."""
    return lambda asked: reply if asked.prompt == PROMPT else plain_reply(asked)


def _first(reply: Reply, times: int = 1) -> Answer:
    """The prompt is answered so at first."""
    return lambda asked: reply if asked.prompt == PROMPT and asked.number < times else plain_reply(asked)


def _refusing(name: str, words: str, status: int = 400, **fields: Any) -> Answer:
    """Every request that has this parameter is refused."""
    return lambda asked: refused(status, words, **fields) if name in asked.body else plain_reply(asked)


def _whole(message: Mapping[str, Any], **further: Any) -> Reply:
    return said({"choices": [choice(message)], "usage": usage(), **further})


def _forms() -> Iterator[Scenario]:
    half = len(TEXT) // 2
    parts = [{"type": "text", "text": TEXT[:half]}, {"type": "text", "text": TEXT[half:]}]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Two."}]}
    yield Scenario("parts", "the content is a list of parts", _always(_whole({"content": parts})))
    yield Scenario(
        "thinking-parts", "the thinking is one of the parts, as Mistral has it",
        _always(_whole({"content": [thought, *parts]})), f"<think>Two.</think>{TEXT}", "Two.",
    )  # fmt: skip
    reasoning: dict[str, dict[str, Any]] = {
        "reasoning-content": {"reasoning_content": "Two."},
        "reasoning": {"reasoning": "Two."},
        "reasoning-object": {"reasoning": {"content": "Two.", "effort": "low"}},
        "reasoning-details": {"reasoning_details": [{"type": "reasoning.text", "text": "Two."}]},
    }
    for name, told in reasoning.items():
        yield Scenario(
            name, f"the reasoning is told apart under {next(iter(told))!r}", _always(_whole({"content": TEXT, **told})),
            f"<think>Two.</think>{TEXT}", "Two.",
        )  # fmt: skip
    nothing = said({"choices": None, "usage": None})
    yield Scenario("null-choices", "an answer once has no choices", _first(nothing), requests=2)
    yield Scenario(
        "stream-unasked", "the answer is streamed though one piece was asked for",
        _always(streamed([piece({"content": TEXT}), piece({}, "stop")])),
    )  # fmt: skip
    yield Scenario("no-usage", "nobody counts tokens", _always(said({"choices": [choice({"content": TEXT})]})))


def _streams() -> Iterator[Scenario]:
    half = len(TEXT) // 2
    first, second, end = piece({"content": TEXT[:half]}), piece({"content": TEXT[half:]}), piece({}, "stop")
    stream = {"stream": True}

    def one(name: str, summary: str, reply: Reply, **further: Any) -> Scenario:
        return Scenario(name, summary, _always(reply), **{"options": stream, **further})

    other = [{"type": "ping"}, {"choices": None}, {"choices": [], "prompt_filter_results": []}]
    yield one("events-without-choices", "some events bring no choice", streamed([*other, first, *other, second, end]))
    yield one("no-finish", "no stream has a finish_reason, only [DONE]", streamed([first, second]), requests=2)
    yield one("no-stream", "the answer comes in one piece though a stream was asked for", _whole({"content": TEXT}))
    halves = [piece({"content": "\ud83d"}), piece({"content": "\ude00"})]
    yield one("halved-character", "a character comes in two halves", streamed([*halves, end]), text="\U0001f600")
    parts = piece({"content": [{"type": "text", "text": TEXT}]})
    yield one("streamed-parts", "the pieces are lists of parts", streamed([parts, end]))
    yield one(
        "streamed-reasoning", "reasoning is streamed as an object",
        streamed([piece({"reasoning": {"text": "Two."}}), first, second, end]), text=f"<think>Two.</think>{TEXT}",
        thinking="Two.",
    )  # fmt: skip
    silent = {"first_byte_timeout": 1.0}
    comments = Reply((b": keep-alive\n\n", 0.3) * 30, headers={"Content-Type": "text/event-stream"})
    yield Scenario(
        "keep-alive-comments", "comments keep a stream open that says nothing", _first(comments), requests=2,
        options={**stream, **silent},
    )  # fmt: skip
    spaces = Reply((b" \n", 0.3) * 30)
    yield Scenario(
        "keep-alive-spaces", "white space keeps an answer open that says nothing", _first(spaces), requests=2,
        options=silent,
    )  # fmt: skip
    told = {"error": {"message": "Provider is overloaded", "code": 503}}
    yield Scenario(
        "error-in-stream", "a stream breaks off with an error in it", _first(streamed([first, told])), requests=2,
        options=stream,
    )  # fmt: skip
    yield Scenario(
        "broken-stream", "a stream breaks off", _first(streamed([first], done=False, whole=False)), requests=2,
        options=stream,
    )  # fmt: skip


def _failures() -> Iterator[Scenario]:
    for status in (408, 424, 429, 499, 500, 502, 503, 520, 521, 523, 524, 529, 530):
        yield Scenario(f"status-{status}", f"HTTP {status} once", _first(refused(status, "Try again.")), requests=2)
    busy = said({"error": {"message": "Rate limit exceeded", "code": 429}})
    yield Scenario("error-in-200", "an error with a code of its own comes with status 200", _first(busy), requests=2)
    wrong = said({"error": {"message": "No such thing", "type": "invalid_request_error"}})
    yield Scenario(
        "error-in-200-for-good", "an error that will not pass comes with status 200", _always(wrong),
        error="refuses the request .HTTP 400.: No such thing",
    )  # fmt: skip
    long = plain_reply(Asked("POST", "/v1/chat/completions", {}, {"messages": [{"content": PROMPT}]}))
    headers = {**long.headers, "Content-Security-Policy": "x" * 2**16}
    yield Scenario("long-headers", "a header has 64 KiB", _always(long._replace(headers=headers)))
    packed = Reply((b"\x0b\x02\x80{}\x03",), headers={"Content-Type": "application/json", "Content-Encoding": "br"})
    yield Scenario(
        "brotli-unasked", "the body is compressed by brotli, which was not asked for", _always(packed),
        error="in an encoding that was not asked for",
    )  # fmt: skip
    page = Reply((b"<!DOCTYPE html><h1>502 Bad Gateway</h1>",), headers={"Content-Type": "text/html"})
    yield Scenario("page", "a page comes once instead of an answer", _first(page), requests=2)
    yield Scenario("cut", "an answer breaks off once", _first(Reply((b'{"choices": [',), whole=False)), requests=2)


def _addresses() -> Iterator[Scenario]:
    def azure(asked: Asked) -> Reply:
        path, _, query = asked.path.partition("?")
        return (
            plain_reply(asked._replace(path=path)) if query == "api-version=2024-10-21" else refused(404, "Not found")
        )

    yield Scenario(
        "query", "every request needs a query, as Azure's api-version", azure,
        address="{root}/openai/deployments/d?api-version=2024-10-21",
    )  # fmt: skip
    yield Scenario("pasted", "the address of a page was pasted", plain_reply, address="{root}/v1/chat/completions")

    def only_v1(asked: Asked) -> Reply:
        return plain_reply(asked) if asked.path.startswith("/v1/") else refused(404, "Not Found")

    yield Scenario("no-v1", "the address lacks its /v1", only_v1, address="{root}", error="write base_url=", requests=0)


def _parameters() -> Iterator[Scenario]:
    for name, words in {
        "temperature": "Unsupported value: 'temperature' does not support 0.6 with this model. Only the default (1) "
        "value is supported.",
        "top_p": "Unsupported parameter: 'top_p' is not supported with this model.",
        "stream_options": "Unrecognized request argument supplied: stream_options",
        "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        "logprobs": "property 'logprobs' is unsupported",
        "n": "'n' : number must be at most 1",
        "seed": "Extra inputs are not permitted: seed",
    }.items():
        options = {"stream": True} if name == "stream_options" else {}

        def answer(asked: Asked, name: str = name, words: str = words) -> Reply:
            default = name == "temperature" and asked.body.get(name) == 1
            return plain_reply(asked) if name not in asked.body or default else refused(400, words, param=name)

        yield Scenario(f"no-{name}", f"{name} is refused", answer, requests=2, options=options)


_TOO_LONG: dict[str, tuple[int, str, dict[str, Any]]] = {
    "openai": (
        400,
        (
            "This model's maximum context length is 2048 tokens. However, you requested 4010 tokens (4000 in the "
            "messages, 10 in the completion)."
        ),
        {"code": "context_length_exceeded"},
    ),
    "openai-no-numbers": (
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        {"code": "context_length_exceeded"},
    ),
    "deepseek": (
        400,
        (
            "This model's maximum context length is 2048 tokens. However, you requested 4010 tokens (4000 in the "
            "messages, 10 in the completion). Please reduce the length of the messages or completion."
        ),
        {},
    ),
    "tgi": (
        422,
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 4000 `inputs` tokens "
            "and 10 `max_new_tokens`"
        ),
        {},
    ),
    "tgi-input": (422, "Input validation error: `inputs` must have less than 2048 tokens. Given: 4000", {}),
    "llama.cpp": (
        400,
        "request (4000 tokens) exceeds the available context size (2048 tokens), try increasing it",
        {"type": "exceed_context_size_error", "n_prompt_tokens": 4000, "n_ctx": 2048},
    ),
    "llama.cpp-early": (
        500,
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        {},
    ),
    "ollama": (400, "the input length exceeds the context length", {}),
    "gemini": (
        400,
        "The input token count (4000) exceeds the maximum number of tokens allowed (2048).",
        {"status": "INVALID_ARGUMENT"},
    ),
    "anthropic": (400, "prompt is too long: 4000 tokens > 2048 maximum", {"type": "invalid_request_error"}),
    "anthropic-sum": (
        400,
        "input length and `max_tokens` exceed context limit: 4000 + 10 > 2048, decrease input length or `max_tokens`",
        {"type": "invalid_request_error"},
    ),
}


def _contexts() -> Iterator[Scenario]:
    for name, (status, words, fields) in _TOO_LONG.items():
        numbers = "the prompt has 4,000 tokens" if "4000" in words else "refuses the request|failed"
        yield Scenario(
            f"too-long-{name}", f"a prompt is too long, in the words of {name}",
            _always(refused(status, words, **fields)), error=numbers, requests=9 if status == 500 else 2,
        )  # fmt: skip


def _probes() -> Iterator[Scenario]:
    def failing(*names: str) -> Answer:
        return lambda asked: refused(500, "Oops") if any(name in asked.body for name in names) else plain_reply(asked)

    yield Scenario("500-for-logprobs", "a request for log-probabilities fails", failing("logprobs"))
    yield Scenario("500-for-n", "a request for several completions fails", failing("n"))

    def closed(asked: Asked) -> Reply:
        return refused(401, "Not for you") if asked.path.endswith("/models") else plain_reply(asked)

    def hanging(asked: Asked) -> Reply:
        return Reply((60.0,)) if asked.path.endswith("/models") else plain_reply(asked)

    def thinks(asked: Asked) -> Reply:
        few = 0 < (asked.body.get("max_tokens") or 0) < 100
        words = "Could not finish the message because max_tokens or model output limit was reached. Please try again."
        return refused(400, words) if few else plain_reply(asked)

    def busy() -> Answer:
        seen: list[int] = []

        def answer(asked: Asked) -> Reply:
            if asked.body.get("seed") in {5, 6, 7}:
                seen.append(asked.body["seed"])
                if len(seen) <= 4:
                    return refused(429, "Slow down", {"Retry-After": "0.2"})
            return plain_reply(asked)

        return answer

    yield Scenario("models-closed", "the list of models is refused, completions are not", closed)
    yield Scenario("models-hang", "the list of models never comes", hanging)
    yield Scenario("400-for-few-tokens", "a reasoning model refuses to stop after a few tokens", thinks)
    yield Scenario("429-for-seeds", "the requests about seeds meet a rate limit", busy())
    same = said({"choices": [choice({"content": "a copy of what was said before, to the letter"})], "usage": usage()})

    def cached(asked: Asked) -> Reply:
        return plain_reply(asked) if asked.path.endswith("/models") or asked.prompt == PROMPT else same

    yield Scenario("cache", "a cache answers in the model's place", cached)


def _limits() -> Iterator[Scenario]:
    delay = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.4s"}]
    ways: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
        ("seconds", {"Retry-After": "0.4"}, {}),
        ("milliseconds", {"retry-after-ms": "400"}, {}),
        ("litellm", {"llm_provider-retry-after": "0.4"}, {}),
        ("gemini", {}, {"details": delay}),
        ("words", {}, {"reason": "Please try again in 400ms."}),
    )
    for name, headers, fields in ways:
        words = str(fields.get("reason") or "Rate limit reached.")
        reply = refused(429, words, headers, **fields)
        yield Scenario(
            f"wait-{name}", f"a rate limit says in {name} how long to wait", _first(reply), requests=2, waits=0.4
        )

    def dated(asked: Asked) -> Reply:
        if asked.prompt == PROMPT and asked.number == 0:
            moment = email.utils.formatdate(time.time() + 1.2, usegmt=True)
            return refused(429, "Rate limit reached.", {"Retry-After": moment})
        return plain_reply(asked)

    yield Scenario("wait-date", "a rate limit says by a date how long to wait", dated, requests=2, waits=0.2)
    words = "You exceeded your current quota of requests per day, please check your plan."
    yield Scenario(
        "daily-quota", "the quota of the day is used up", _always(refused(429, words, code="insufficient_quota")),
        error="quota",
    )  # fmt: skip
