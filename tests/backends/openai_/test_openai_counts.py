"""Tokens that a server counts, that it counts in part, and that nobody counts."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.testing import Asked, Reply, Service, plain_reply
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import pool as openai_pool
from tts_backends.openai.counts import (
    Counting,
    Written,
    counts_first_only,
    estimate,
    shared_out,
    split_usage,
    told_prompt,
    uncounted,
)

PROBLEM = [tts.Example(problem=tts.Problem(id="p", prompt="What is 2 + 2?"), answer="4")]
ANSWER = "Two and two are four, as everybody knows who has two hands. \\boxed{4}"


@given(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1, max_size=9))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[int]) -> None:
    shares = shared_out(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 0
    if sum(weights):
        assert all(abs(s - total * w / sum(weights)) <= 1 for s, w in zip(shares, weights, strict=True))


def test_usage_of_a_group_is_exact_in_sum_and_counts_every_prompt() -> None:
    texts = [Written("", "x" * 40), Written("t" * 20, "x" * 80)]
    usage = {"prompt_tokens": 50, "completion_tokens": 31, "prompt_tokens_details": {"cached_tokens": 48},
             "completion_tokens_details": {"reasoning_tokens": 7}}  # fmt: skip
    first, second = split_usage(usage, texts)
    assert first.generated_tokens + second.generated_tokens == 31
    assert (first.thinking_tokens, second.thinking_tokens) == (0, 7)
    assert [(u.prompt_tokens, u.cached_tokens) for u in (first, second)] == [(50, 48), (50, 50)]
    assert not any(u.estimated_tokens for u in (first, second))
    assert split_usage({"prompt_tokens": 5, "completion_tokens": 9, "prompt_tokens_details": None}, texts[:1])


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(0, 300)), st.one_of(st.none(), st.integers(0, 300)), st.booleans(),
)  # fmt: skip
def test_what_is_told_is_never_marked_and_what_is_guessed_always(
    parts: list[tuple[str, str]], prompt: int | None, completion: int | None, first_only: bool
) -> None:
    written = [Written(thinking, thinking + text) for thinking, text in parts]
    told = {"prompt_tokens": prompt, "completion_tokens": completion}
    usages = split_usage(told, written, Counting(prompt=17, first_only=first_only))
    sure = sum(one.total_tokens - one.estimated_tokens for one in usages)
    known = len(written) * (prompt or 0) + (completion or 0)
    assert sure == known
    assert all(0 <= one.estimated_tokens <= one.total_tokens for one in usages)
    assert all(one.prompt_tokens == (prompt or 17) for one in usages)


@pytest.mark.parametrize(
    ("told", "written", "most", "low"),
    [
        (10, [Written("", "x" * 40)] * 4, None, True),  # of the first, four bytes a token
        (40, [Written("", "x" * 40)] * 4, None, False),
        (32, [Written("", "x" * 40)] * 4, None, False),  # five bytes a token, as prose has
        (24, [Written("", "x" * 30, cut=True)] * 2, 24, True),  # two that were cut at 24 have 48
        (48, [Written("", "x" * 30, cut=True)] * 2, 24, False),
        (10, [Written("", "x" * 400)], None, False),  # one choice is the first
        (None, [Written("", "x" * 40)] * 4, None, False),
    ],
)
def test_a_count_of_the_first_choice_is_told_from_one_of_all(
    told: int | None, written: list[Written], most: int | None, low: bool
) -> None:
    assert counts_first_only({"completion_tokens": told}, written, most) == low


def test_a_prompt_without_its_cached_tokens_has_them_added() -> None:
    assert told_prompt({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 40}}) == 43
    assert told_prompt({"prompt_tokens": 43, "prompt_tokens_details": {"cached_tokens": 40}}) == 43
    assert told_prompt({"prompt_tokens": "many"}) == told_prompt(None) == 0


NO_COUNTS: list[Any] = [
    [1, 2], "12", 7, {}, {"prompt_tokens": -3, "completion_tokens": -4},
    {"prompt_tokens": 12.5, "completion_tokens": "9"}, {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    {"prompt_tokens": True, "completion_tokens": False},
    {"prompt_tokens_details": [3], "completion_tokens_details": "none"},
]  # fmt: skip


@pytest.mark.parametrize("usage", NO_COUNTS)
def test_what_is_no_count_is_a_missing_one(usage: Any) -> None:
    assert uncounted(usage)
    (one,) = split_usage(usage, [Written("", "x" * 40)], Counting(prompt=5))
    assert (one.prompt_tokens, one.answer_tokens, one.cached_tokens, one.estimated_tokens) == (5, 10, 0, 15)


# --- over real connections ------------------------------------------------------------------------------------------


def unlike() -> str:
    """An answer of one length and of as many words, unlike the others."""
    return f"{ANSWER} {random.randrange(100, 1000)}"


def changed(asked: Asked, change: Any) -> Reply:
    """The plain reply with its JSON changed."""
    reply = plain_reply(asked)
    if not asked.path.endswith("/chat/completions") or asked.body.get("stream"):
        return reply
    found = json.loads(b"".join(one for one in reply.chunks if isinstance(one, bytes)))
    for choice in found["choices"]:
        choice["message"]["content"] = unlike() if "2 + 2" in asked.prompt else choice["message"]["content"]
    change(found, asked)
    return reply._replace(chunks=(json.dumps(found).encode(),))


def ran(service: Service, **options: Any) -> tts.Run:
    backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base, **options))
    return tts.run(PROBLEM, strategy="majority", k=4, model=backend)


def test_what_nobody_counts_is_estimated_and_marked_wherever_it_is_shown(tmp_path: Path) -> None:
    with Service(lambda asked: changed(asked, lambda found, _: found.pop("usage"))) as service:
        found = ran(service)
        again = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base))
        for _ in range(2):  # asked, and from the store
            kept = tts.run(PROBLEM, strategy="majority", k=4, model=again, store=tmp_path / "s.db")
            assert kept.usage("majority").estimated_tokens == found.usage("majority").estimated_tokens > 0
    usage = found.usage("majority")
    assert usage.estimated_tokens == usage.total_tokens
    assert usage.generated_tokens == 4 * estimate(unlike())
    line = next(line for line in str(found).splitlines() if line.startswith("majority"))
    assert f"≈{usage.generated_tokens}" in line
    assert f"≈: tokens that no server has counted, and that are estimated: majority {usage.total_tokens:,}" in str(
        found
    )
    assert found.to_dict()["strategies"]["majority"]["usage"]["estimated_tokens"] == usage.total_tokens
    assert next(iter(found.records()))["estimated_tokens"] == usage.total_tokens
    assert next(iter(found.results)).usage["policy"].estimated_tokens == usage.total_tokens
    page = found.report(tmp_path / "r.md").read_text("utf-8")
    assert f"≈{usage.generated_tokens}" in page


def test_a_server_that_counts_shows_no_mark() -> None:
    with Service() as service:
        found = ran(service)
    assert "≈" not in str(found)


def test_the_servers_tokenizer_counts_what_the_server_does_not() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/tokenize"):
            return Reply((json.dumps({"tokens": asked.body["content"].split()}).encode(),))
        return changed(asked, lambda found, _: found.pop("usage"))

    with Service(answer) as service:
        usage = ran(service).usage("majority")
    assert usage.generated_tokens == 4 * len(unlike().split())
    assert usage.estimated_tokens == usage.total_tokens


def test_a_count_of_the_first_choice_alone_is_noticed_and_the_others_are_estimated() -> None:
    def first_only(found: dict[str, Any], asked: Asked) -> None:
        found["usage"]["completion_tokens"] = 20

    with Service(lambda asked: changed(asked, first_only)) as service:
        with pytest.warns(UserWarning, match="counts the tokens of the first completion only"):
            found = ran(service, grouping="always")
        assert any(one.body.get("n") == 4 for one in service.asked)
    usage = found.usage("majority")
    assert (usage.generated_tokens, usage.estimated_tokens) == (80, 60)


def test_what_is_asked_beside_requests_is_really_spent_and_no_strategys() -> None:
    with Service(lambda asked: changed(asked, lambda found, _: None)) as service:
        found = ran(service)
        asked = [one for one in service.asked if one.path.endswith("/chat/completions")]
    assert found.usage("majority").calls == 4
    assert found.spent["policy"].calls == sum(one.body.get("n", 1) for one in asked) > 4


@pytest.mark.parametrize("stream", [True, False])
def test_an_attempt_that_is_broken_off_is_really_spent(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    broken = []

    def answer(asked: Asked) -> Reply:
        reply = plain_reply(asked)
        if "2 + 2" in asked.prompt and not broken:
            broken.append(asked)
            return reply._replace(chunks=reply.chunks[:2], whole=False)
        return reply

    with Service(answer) as service, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base, stream=stream))
        before = backend.take_aside()
        found = tts.run(PROBLEM, strategy="majority", k=2, model=backend)
    assert before.calls > 0
    spent = found.spent["policy"]
    assert (spent.calls, spent.cancelled) == (3, 1)
    assert spent.estimated_tokens > 0
    assert found.usage("majority").estimated_tokens == 0


def test_an_answer_whose_usage_is_none_is_an_answer() -> None:
    with Service(lambda asked: changed(asked, lambda found, _: found.update(usage=[-1, "many"]))) as service:
        found = ran(service)
    assert found.usage("majority").generated_tokens == 4 * estimate(unlike())
