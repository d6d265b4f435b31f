"""Log-probabilities change no sample: they are asked for only where they are missing, whatever the store is like."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

import pytest
from doubles import FakeBackend, sums

import tts
from tts.prompts import direct_messages
from tts.vocabulary.record import digest

SAMPLING = tts.Sampling(max_tokens=50)
MEASURED = SAMPLING.model_copy(update={"logprobs": True})


class Measures(FakeBackend):
    """Says log-probabilities where they are asked for; its words depend on the seed alone."""

    capabilities = tts.Capabilities(seed=True, logprobs=True, concurrency=8, context_length=1000)

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        async for one in super().generate(request):
            logprob = -1.0 if request.sampling.logprobs else None
            yield one.model_copy(update={"text": f"{one.text} {request.seeds[one.index]}", "logprob": logprob})


@pytest.fixture
def backend() -> type[Measures]:
    cls = type("Fake", (Measures,), {})
    tts.plugins().register("backend", "fake", cls)
    return cls


def sample(store: Path, k: int, sampling: tts.Sampling) -> list[tts.Candidate]:
    (found,) = tts.sample(sums(1), k=k, model="fake:m", store=store, sampling=sampling)
    return list(found.candidates)


def early_key(sampling: tts.Sampling) -> str:
    """The key of a draw in stores up to now."""
    problem = sums(1)[0].problem
    messages = [[m.role, m.content] for m in direct_messages(problem)]
    return digest(problem.digest, "sample", "fake", sampling, messages)


def early_store(path: Path, *draws: tuple[tts.Sampling, int]) -> None:
    """A store as it was written before: each sampling has its own draw, those with log-probabilities have theirs."""
    problem = sums(1)[0].problem
    with tts.Store(path) as store:
        store.put_problem(problem, "1")
        for sampling, count in draws:
            key = early_key(sampling)
            store.put_draw(key, problem, "sample", "fake", sampling, direct_messages(problem))
            for index in range(count):
                text, logprob = f"early {sampling.logprobs} {index}", -2.0 if sampling.logprobs else None
                usage = tts.Usage(calls=1, prompt_tokens=1, answer_tokens=3)
                made = tts.Completion(index=index, text=text, summary=text, usage=usage, logprob=logprob)
                store.put_completion(key, index, made)


def rows(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM completions").fetchone()[0])


def test_what_was_sampled_with_them_is_found_without(backend: type[Measures], tmp_path: Path) -> None:
    first = sample(tmp_path / "s.db", 3, MEASURED)
    again = sample(tmp_path / "s.db", 3, SAMPLING)
    assert backend.completions() == 3
    assert [one.text for one in again] == [one.text for one in first]


def test_with_them_only_what_lacks_them_is_asked_for_again_and_replaced(
    backend: type[Measures], tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    plain = sample(store, 2, SAMPLING)
    sample(store, 4, MEASURED)
    assert backend.completions() == 2 + 4
    assert rows(store) == 4
    measured = sample(store, 4, MEASURED)
    assert backend.completions() == 6, "now all have them"
    assert [one.logprob for one in measured] == [-1.0] * 4
    assert [one.text for one in measured[:2]] == [one.text for one in plain], "a seed gives one text"
    assert [one.text for one in sample(store, 4, SAMPLING)] == [one.text for one in measured]
    assert backend.completions() == 6


def test_a_strategy_that_needs_them_gets_them(backend: type[Measures], tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    tts.run(sums(3), strategy="majority", k=4, model="fake:m", store=store)
    assert backend.completions() == 12
    best = tts.run(sums(3), strategy="best_of_n", scorer="logprob:mean", k=4, model="fake:m", store=store)
    assert [result.error for result in best] == [None] * 3
    assert backend.completions() == 24
    assert rows(store) == 12
    tts.compare(sums(3), strategies=["majority", "best_of_n"], k=4, scorer="logprob:mean", model="fake:m", store=store)
    assert backend.completions() == 24


class Mixed(tts.Strategy):
    """Asks one prompt without log-probabilities and with them, at once."""

    name: ClassVar[str] = "mixed"
    needs: ClassVar[tts.Needs] = tts.Needs(policy=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        prompt = [tts.Message(role="user", content="1+2")]
        (plain,) = await ctx.generate(prompt, sampling=SAMPLING)
        (measured,) = await ctx.generate(prompt, sampling=MEASURED)
        return tts.Decision(text=plain.text, trace={"logprobs": [plain.logprob, measured.logprob]})


@pytest.mark.parametrize("stored", [False, True])
def test_one_prompt_asked_both_ways_gets_both(backend: type[Measures], tmp_path: Path, stored: bool) -> None:
    store = tmp_path / "s.db" if stored else None
    run = tts.run(sums(1), strategy=Mixed(), k=1, model="fake:m", store=store)
    assert run[0].error is None
    assert run[0].decision.trace["logprobs"] == [None, -1.0]


def test_a_set_is_completed_with_them_where_a_strategy_needs_them(backend: type[Measures], tmp_path: Path) -> None:
    measured = tts.sample(sums(1), k=2, model="fake:m", sampling=MEASURED)
    (found,) = measured
    short = found.model_copy(update={"sampling": SAMPLING})
    table = tts.compare([tts.Sampled(short, "1")], strategies=["best_of_n"], k=4, scorer="logprob:mean", model="fake:m")
    assert table.results[0].error is None
    assert all(one.logprob == -1.0 for one in table.results[0].candidates)


@pytest.mark.parametrize("asked", [SAMPLING, MEASURED], ids=["without", "with"])
@pytest.mark.parametrize("had", [SAMPLING, MEASURED], ids=["plain store", "measured store"])
def test_an_early_store_is_gone_on_with(
    backend: type[Measures], tmp_path: Path, had: tts.Sampling, asked: tts.Sampling
) -> None:
    store = tmp_path / "s.db"
    early_store(store, (had, 3))
    found = sample(store, 4, asked)
    lacking = 3 if asked.logprobs and not had.logprobs else 0
    assert backend.completions() == lacking + 1
    if not lacking:
        assert [one.text for one in found[:3]] == [f"early {had.logprobs} {index}" for index in range(3)]
    with tts.Store(store) as opened:
        (draw,) = opened.sets()
        assert (draw.key, draw.stored) == (early_key(had), 4)
    sample(store, 4, asked)
    assert backend.completions() == lacking + 1


def test_an_early_store_with_both_gives_each_its_own(backend: type[Measures], tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    early_store(store, (SAMPLING, 2), (MEASURED, 3))
    assert [one.text for one in sample(store, 2, SAMPLING)] == ["early False 0", "early False 1"]
    assert [one.text for one in sample(store, 3, MEASURED)] == [f"early True {index}" for index in range(3)]
    assert backend.completions() == 0
    with pytest.raises(tts.ConfigError, match="2 different models or samplings"):
        tts.compare(store, strategies=["majority"], k=2)


def test_a_store_sampled_both_ways_is_one_table(backend: type[Measures], tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    tts.sample(sums(2), k=2, model="fake:m", store=store, sampling=SAMPLING)
    tts.sample(sums(2, start=2), k=2, model="fake:m", store=store, sampling=MEASURED)
    assert len(tts.compare(store, strategies=["majority"], k=2).results) == 4


def test_the_seed_of_a_completion_is_what_it_was(backend: type[Measures], tmp_path: Path) -> None:
    """The key without log-probabilities is the one of early stores, so runs that are repeated say the same."""
    sample(tmp_path / "s.db", 1, SAMPLING)
    with tts.Store(tmp_path / "s.db") as store:
        (draw,) = store.sets()
        assert draw.key == early_key(SAMPLING)
