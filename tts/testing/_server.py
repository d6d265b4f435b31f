"""Checks that a server with OpenAI's interface must pass, each of which asks it over HTTP."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tts.testing._kit import Check, bound, run_all

_QUESTION = "Write 40 random letters and digits, nothing else."
_MOST = 24  # new tokens of a check
_SECONDS = 120.0  # for one answer
_AT_ONCE = 8


class Answered(NamedTuple):
    """An answer as it came, and its JSON where it has one."""

    status: int
    kind: str
    raw: bytes

    @property
    def told(self) -> Any:
        """The JSON; raises `AssertionError` where there is none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            raise AssertionError(f"the answer (HTTP {self.status}) is not JSON: {self.raw[:80]!r}") from None


class Served(NamedTuple):
    """A server under test: its address up to `/v1`, the model to ask, the key where it wants one."""

    base: str
    model: str
    key: str = ""

    def ask(self, path: str, body: Any = None) -> Answered:
        """The answer to a request, which is a GET where nothing is sent."""
        parts = urlsplit(self.base)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            sent = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", parts.path.rstrip("/") + path, sent, headers)
            response = connection.getresponse()
            return Answered(response.status, response.headers.get("Content-Type") or "", response.read())
        except (OSError, http.client.HTTPException) as error:
            raise AssertionError(f"{self.base}{path} gives no answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def chat(self, prompt: str = _QUESTION, **further: Any) -> Answered:
        """The answer to a chat completion."""
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "max_tokens": _MOST}
        return self.ask("/chat/completions", body | further)

    def choices(self, prompt: str = _QUESTION, **further: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The choices of a chat completion, in their order, and what was counted."""
        answered = self.chat(prompt, **further)
        what = further or "a plain request"
        assert answered.status == 200, f"HTTP {answered.status} for {what}: {answered.raw[:200]!r}"
        told = answered.told
        found = sorted(told.get("choices") or [], key=lambda one: one.get("index", 0))
        assert found, f"no choices in {answered.raw[:200]!r}"
        return found, told.get("usage") or {}


def server_checks(base_url: str, model: str, *, key: str = "", context_length: int | None = None) -> list[Check]:
    """The checks of a server, to be run one by one; the arguments are those of `check_server`."""
    served = Served(base_url.rstrip("/"), model, key)
    checks = bound(_CHECKS, base_url, served)
    if context_length is not None:
        checks += bound([refuses_what_is_too_long], base_url, served, context_length)
    return checks


def check_server(
    base_url: str,
    model: str,
    *,
    key: str = "",
    context_length: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Ask a server that runs all that runs of this library ask of one; one `AssertionError` tells what does not hold.

    `base_url` is its address up to `/v1`. With a `context_length` it is asked for a longer prompt, too. What it is not
    meant to do, such as seeds, stands in `expected_failures`: the name of a check with the reason.
    """
    checks = server_checks(base_url, model, key=key, context_length=context_length)
    run_all(checks, expected_failures)


# --- the checks ------------------------------------------------------------------------------------------------------


def lists_its_models(served: Served) -> None:
    """`/models` has the model's name."""
    answered = served.ask("/models")
    assert answered.status == 200, f"HTTP {answered.status}; clients look here whether a server is there"
    names = [card.get("id") for card in answered.told.get("data", [])]
    assert served.model in names, f"the list has {names}, not {served.model!r}"


def answers(served: Served) -> None:
    """A plain request has one choice with a text and a known ending."""
    (one, *more), _ = served.choices()
    assert not more, f"{len(more) + 1} choices for one"
    message = one.get("message") or {}
    text = message.get("content") or message.get("reasoning_content") or message.get("reasoning")
    assert isinstance(text, str), f"the content is {text!r}, not a text"
    assert text, "the text is empty"
    assert one.get("finish_reason") in ("stop", "length"), (
        f"finish_reason is {one.get('finish_reason')!r}; it is 'stop' or 'length' for a whole completion, and without "
        "it a client must take it for broken off"
    )


def counts_tokens(served: Served) -> None:
    """`usage` counts prompt and completion, and a longer prompt has more."""
    _, usage = served.choices()
    _, longer = served.choices(" ".join([_QUESTION] * 20))
    for name in ("prompt_tokens", "completion_tokens"):
        value = usage.get(name)
        assert isinstance(value, int) and value > 0, f"usage has {name}={value!r}; costs would be an estimate"  # noqa: PT018 - one thing
    assert usage["completion_tokens"] <= _MOST, f"{usage['completion_tokens']} tokens where max_tokens is {_MOST}"
    cached = [(one.get("prompt_tokens_details") or {}).get("cached_tokens") or 0 for one in (usage, longer)]
    assert longer["prompt_tokens"] > usage["prompt_tokens"] and cached[1] <= longer["prompt_tokens"], (  # noqa: PT018 - one thing
        f"{longer['prompt_tokens']} prompt tokens, {cached[1]} of them cached, for twenty times a prompt of "
        f"{usage['prompt_tokens']}: count all of the prompt, cached or not"
    )


def stops_at_the_limit(served: Served) -> None:
    """`max_tokens` ends a completion, and `finish_reason` says so."""
    (one,), usage = served.choices(max_tokens=2)
    assert one.get("finish_reason") == "length", (
        f"finish_reason is {one.get('finish_reason')!r} at max_tokens=2; it is 'length' where the limit ended it"
    )
    assert usage.get("completion_tokens", 0) <= 2, f"{usage.get('completion_tokens')} tokens where max_tokens is 2"


def takes_the_newer_name_of_the_limit(served: Served) -> None:
    """`max_completion_tokens` is the same limit; who refuses it says so by HTTP 400 with its name."""
    body = {"model": served.model, "messages": [{"role": "user", "content": _QUESTION}], "max_completion_tokens": 2}
    answered = served.ask("/chat/completions", body)
    if answered.status == 200:
        assert answered.told["choices"][0].get("finish_reason") == "length", "it is taken and has no effect"
    else:
        assert answered.status in (400, 422), f"HTTP {answered.status}; say by 400 that it is not taken"
        assert b"max_completion_tokens" in answered.raw, f"the refusal does not name it: {answered.raw[:200]!r}"


def gives_several_choices(served: Served) -> None:
    """`n` gives so many choices with indices of their own, and usage counts all of them."""
    found, usage = served.choices(n=3)
    indices = [one.get("index") for one in found]
    assert indices == [0, 1, 2], f"n=3 gave the indices {indices}"
    assert len({_text(one) for one in found}) > 1, "the three are the same to the letter"
    cut = sum(one.get("finish_reason") == "length" for one in found)
    assert usage.get("completion_tokens", 0) >= max(cut * _MOST, 3), (
        f"usage counts {usage.get('completion_tokens')} tokens for three choices, of which {cut} were cut at {_MOST}: "
        "count all of them"
    )


def follows_seeds(served: Served) -> None:
    """One seed gives one text, another seed another, at temperature 1."""
    one, again, other = (_text(served.choices(seed=seed, temperature=1.0)[0][0]) for seed in (5, 5, 6))
    assert one == again, "one seed gave two texts"
    assert one != other, "two seeds gave one text: the seed, or the temperature, has no effect"


def is_greedy_at_temperature_zero(served: Served) -> None:
    """Temperature 0 gives one text."""
    one, again = (_text(served.choices(temperature=0)[0][0]) for _ in range(2))
    assert one == again, "two texts at temperature 0"


def gives_log_probabilities(served: Served) -> None:
    """`logprobs` gives one number, at most 0, for each token."""
    (one,), usage = served.choices(logprobs=True)
    told = (one.get("logprobs") or {}).get("content")
    assert told, "logprobs are asked for and there are none"
    values = [token.get("logprob") for token in told]
    good = all(isinstance(value, int | float) and value <= 0 for value in values)
    assert good, f"not log-probabilities: {values[:5]}"
    counted = usage.get("completion_tokens", len(values))
    assert abs(len(values) - counted) <= 1, f"{len(values)} log-probabilities for {counted} tokens"


def ends_at_a_stop_text(served: Served) -> None:
    """`stop` ends a completion before that text, which is left out."""
    text = _text(served.choices(seed=1, temperature=0)[0][0])
    middle = text[len(text) // 2 : len(text) // 2 + 2]
    assert middle, f"the text is too short to try: {text!r}"
    (one,), _ = served.choices(seed=1, temperature=0, stop=[middle])
    assert middle not in _text(one), f"{middle!r} was to end it and is in {_text(one)!r}"
    assert one.get("finish_reason") == "stop", f"finish_reason is {one.get('finish_reason')!r} where a text ended it"


def streams(served: Served) -> None:
    """A stream has pieces, an ending, usage where it is asked for, and `[DONE]`."""
    answered = served.chat(stream=True, stream_options={"include_usage": True})
    assert answered.status == 200, f"HTTP {answered.status}: {answered.raw[:200]!r}"
    assert answered.kind.startswith("text/event-stream"), f"Content-Type is {answered.kind!r}, not text/event-stream"
    lines = [line[5:].strip() for line in answered.raw.splitlines() if line.startswith(b"data:")]
    assert lines, f"no line begins with 'data:': {answered.raw[:80]!r}"
    assert lines[-1] == b"[DONE]", "the last event is not [DONE], so a stream that is broken off looks whole"
    events = [json.loads(line) for line in lines[:-1]]
    choices = [choice for event in events for choice in event.get("choices") or ()]
    assert any(_piece(choice) for choice in choices), "no event brings a piece of text"
    endings = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    assert len(endings) == 1, f"the endings are {endings}; one event has a finish_reason"
    counted = [event["usage"] for event in events if event.get("usage")]
    assert counted, "no event has usage, which stream_options asked for"
    assert counted[-1].get("completion_tokens"), f"usage is {counted[-1]}"


def answers_side_by_side(served: Served) -> None:
    """Eight requests at once are all answered, each with its own."""
    prompts = [f"{_QUESTION} Begin with {number}." for number in range(_AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(served.chat, prompts))
    wrong = [one.status for one in found if one.status not in (200, 429)]
    assert not wrong, f"of {_AT_ONCE} at once some failed: HTTP {wrong}; who has no room says so by 429"


def refuses_an_unknown_model(served: Served) -> None:
    """A model that it does not have is HTTP 404 or 400, with a sentence."""
    answered = served.chat(model="no-such-model-anywhere")
    assert answered.status in (400, 404), f"HTTP {answered.status} for a model that is not there; say so by 404"
    _says_why(answered)


def refuses_a_request_without_messages(served: Served) -> None:
    """A request that lacks its messages is HTTP 400 or 422, with a sentence."""
    answered = served.ask("/chat/completions", {"model": served.model})
    assert answered.status in (400, 422), f"HTTP {answered.status} for a request without messages; say so by 400"
    _says_why(answered)


def refuses_what_is_too_long(served: Served, context_length: int) -> None:
    """A prompt that is longer than the context is HTTP 400 (or 413, 422), with a sentence that has a number."""
    answered = served.chat(" ".join(["one"] * (2 * context_length)))
    assert answered.status in (400, 413, 422), (
        f"HTTP {answered.status} for {2 * context_length} words in a context of {context_length} tokens; a prompt that "
        "is cut without a word is answered wrongly"
    )
    assert any(sign.isdigit() for sign in _says_why(answered)), f"the lengths are not told: {answered.raw[:200]!r}"


_CHECKS = (
    lists_its_models, answers, counts_tokens, stops_at_the_limit, takes_the_newer_name_of_the_limit,
    gives_several_choices, follows_seeds, is_greedy_at_temperature_zero, gives_log_probabilities, ends_at_a_stop_text,
    streams, answers_side_by_side, refuses_an_unknown_model, refuses_a_request_without_messages,
)  # fmt: skip


def _says_why(answered: Answered) -> str:
    told = answered.told
    error = told.get("error", told) if isinstance(told, dict) else told
    message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    assert message, f"the refusal has no error.message: {answered.raw[:200]!r}"
    return str(message)


def _text(choice: dict[str, Any]) -> str:
    return "".join(_texts(choice.get("message") or {}))


def _piece(choice: dict[str, Any]) -> str:
    return "".join(_texts(choice.get("delta") or {}))


def _texts(message: dict[str, Any]) -> Iterator[str]:
    for name in ("reasoning_content", "reasoning", "content"):
        if isinstance(value := message.get(name), str):
            yield value
