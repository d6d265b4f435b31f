"""The checks of servers: a good one passes, each planted fault is found by the check that is there for it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tts.testing import Asked, Reply, Service, check_server, plain_reply, server_checks

Change = Callable[[dict[str, Any], dict[str, Any]], None]


def refused(status: int, message: str) -> Reply:
    return Reply((json.dumps({"error": {"message": message}}).encode(),), status)


def written(body: dict[str, Any], index: int) -> list[str]:
    """Forty words that go by prompt and seed; none is another's part."""
    greedy = body.get("temperature") == 0
    seed = "greedy" if greedy else f"{body['seed']}/{index}" if "seed" in body else str(random.random())
    rng = random.Random(f"{body['messages'][-1]['content']}/{seed}")
    return [f"{rng.getrandbits(24):06x}" for _ in range(40)]


def choice(body: dict[str, Any], index: int) -> dict[str, Any]:
    words, finish = written(body, index), "stop"
    if (most := body.get("max_completion_tokens") or body.get("max_tokens") or 99) < len(words):
        words, finish = words[:most], "length"
    text = " ".join(words)
    for stop in body.get("stop") or ():
        if stop in text:
            text, finish = text.split(stop)[0], "stop"
    found = {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    if body.get("logprobs"):
        found["logprobs"] = {"content": [{"token": word, "logprob": -0.5} for word in text.split()]}
    return found


def good(asked: Asked, change: Change = lambda _found, _body: None) -> Reply:
    """What a server says that does all it should, but for a change of its answer."""
    body = asked.body
    if not asked.path.endswith("/chat/completions"):
        return plain_reply(asked)
    if body.get("model") != "m":
        return refused(404, f"The model {body.get('model')!r} does not exist.")
    if not body.get("messages"):
        return refused(400, "messages is missing.")
    if (length := len(body["messages"][-1]["content"].split())) > 1000:
        return refused(400, f"The prompt has {length} tokens, and the context is 1000.")
    choices = [choice(body, index) for index in range(body.get("n") or 1)]
    tokens = sum(len(one["message"]["content"].split()) for one in choices)
    found = {"choices": choices, "usage": {"prompt_tokens": length, "completion_tokens": max(tokens, 1)}}
    change(found, body)
    if not body.get("stream"):
        return Reply((json.dumps(found).encode(),))
    (one,) = found["choices"]
    events: list[Any] = [
        {"choices": [{"index": 0, "delta": {"content": f"{word} "}}]} for word in one["message"]["content"].split()
    ]
    events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": one["finish_reason"]}]}]
    events += [{"choices": [], "usage": found["usage"]}] if found.get("usage") else []
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    done = [] if found.get("no done") else [b"data: [DONE]\n\n"]
    return Reply((*lines, *done), headers={"Content-Type": "text/event-stream"})


def failing(answer: Callable[[Asked], Reply]) -> list[str]:
    """The names of the checks that do not hold."""
    found = []
    with Service(answer) as service:
        for check in server_checks(service.base, "m", context_length=1000):
            try:
                check()
            except AssertionError:
                found.append(check.name)
    return found


def test_a_good_server_passes() -> None:
    with Service(good) as service:
        check_server(service.base, "m", key="k", context_length=1000)
        assert {one.headers.get("authorization") for one in service.asked} == {"Bearer k"}


def first_only(found: dict[str, Any], _body: dict[str, Any]) -> None:
    found["usage"]["completion_tokens"] = len(found["choices"][0]["message"]["content"].split())


def one_text(found: dict[str, Any], _body: dict[str, Any]) -> None:
    for one in found["choices"]:
        one["message"]["content"] = "always the same few words here " * 4


def uncut(found: dict[str, Any], body: dict[str, Any]) -> None:
    if body.get("max_tokens") == 2:
        found["choices"][0]["finish_reason"] = "stop"


CHANGES: dict[str, tuple[Change, str]] = {
    "no usage": (lambda found, _: found.update(usage=None), "counts_tokens"),
    "the first choice counted": (first_only, "gives_several_choices"),
    "a cache": (one_text, "follows_seeds"),
    "no ending": (lambda found, _: found["choices"][0].pop("finish_reason"), "answers"),
    "a limit that is not told": (uncut, "stops_at_the_limit"),
    "no log-probabilities": (lambda found, _: found["choices"][0].pop("logprobs", None), "gives_log_probabilities"),
    "one choice": (lambda found, _: found.update(choices=found["choices"][:1]), "gives_several_choices"),
    "no end of streams": (lambda found, _: found.update({"no done": True}), "streams"),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_a_planted_fault_is_found(fault: str) -> None:
    def change(found: dict[str, Any], body: dict[str, Any]) -> None:
        CHANGES[fault][0](found, body)
        found["choices"] = [{"finish_reason": None, **one} for one in found["choices"]]

    assert CHANGES[fault][1] in failing(lambda asked: good(asked, change))


ANSWERS: dict[str, tuple[Callable[[Asked], Reply], str]] = {
    "no list": (lambda a: refused(404, "no") if a.path.endswith("models") else good(a), "lists_its_models"),
    "any model": (lambda a: good(a._replace(body=a.body | {"model": "m"})), "refuses_an_unknown_model"),
    "a crash": (
        lambda a: good(a) if a.body.get("messages") or a.method == "GET" else Reply((b"Oops",), 500),
        "refuses_a_request_without_messages",
    ),
    "a prompt that is cut": (
        lambda a: good(a) if len(a.prompt) < 4000 else good(a._replace(body=a.body | {"messages": [{"content": "x"}]})),
        "refuses_what_is_too_long",
    ),
    "seeds without effect": (
        lambda a: good(a._replace(body={k: v for k, v in a.body.items() if k != "seed"})), "follows_seeds",
    ),
    "no stop texts": (
        lambda a: good(a._replace(body={k: v for k, v in a.body.items() if k != "stop"})), "ends_at_a_stop_text",
    ),
    "heat at zero": (
        lambda a: good(a._replace(body={k: v for k, v in a.body.items() if k != "temperature"})),
        "is_greedy_at_temperature_zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", ANSWERS)
def test_another_fault_is_found(fault: str) -> None:
    answer, check = ANSWERS[fault]
    assert check in failing(answer)


def test_what_a_server_is_not_meant_to_do_is_expected() -> None:
    def answer(asked: Asked) -> Reply:
        return good(asked._replace(body={k: v for k, v in asked.body.items() if k != "seed"}))

    with Service(answer) as service:
        with pytest.raises(AssertionError, match="follows_seeds: one seed gave two texts"):
            check_server(service.base, "m")
        check_server(service.base, "m", expected_failures={"follows_seeds": "it draws as it likes"})


def test_a_server_that_is_not_there_is_one_sentence_for_each_check() -> None:
    with pytest.raises(AssertionError, match=r"gives no answer: ConnectionRefusedError"):
        check_server("http://127.0.0.1:9/v1", "m")
