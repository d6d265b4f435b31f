"""Models that are objects: whoever made them owns them, and they may change between two runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend, FirstJudge, LengthScorer, sums

import tts


class Live(FakeBackend):
    """A policy of the user's; its `fingerprint` may change."""

    name = "my:policy"


@pytest.fixture
def live() -> Any:
    Live.requests, Live.instances = [], []
    return Live("", None)


def test_an_object_plays_the_policy_and_is_not_closed(live: Any) -> None:
    run = tts.run(sums(3), strategy="gsr", k=2, model=live)
    assert run.accuracy("gsr").mean == 1.0  # type: ignore[union-attr]  # there are gold answers
    assert len(Live.requests) == 6
    assert not live.closed
    assert run.results[0].provenance.models == {"policy": "fake"}


def test_the_engine_does_not_close_it_either(live: Any) -> None:
    async def use() -> tts.Result:
        async with tts.Engine(model=live) as engine:
            assert engine.model is live
            return await engine.solve("1+2", "majority", k=3)

    assert asyncio.run(use()).answer == "3"
    assert not live.closed


def test_two_roles_of_one_object_share_its_limit(live: Any) -> None:
    async def use() -> bool:
        async with tts.Engine(model=live, synthesizer=live, concurrency=3) as engine:
            both = await asyncio.gather(*(engine.solve(f"{i}+1", Synthesize(), k=2) for i in range(2)))
            loaded = engine._roles.loaded
            return loaded["policy"].limiter is loaded["synthesizer"].limiter and all(one.error is None for one in both)

    assert asyncio.run(use())


class Synthesize(tts.Strategy):
    """Asks the synthesizer once."""

    name = "synthesize"
    needs = tts.Needs(synthesizer=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        prompt = tts.Message(role="user", content=f"Problem:\n{ctx.problem.text}\nCandidate Response")
        (found,) = await ctx.synthesize([prompt])
        return tts.Decision(text=found.text)


class Ask(tts.Strategy):
    """Takes the longest candidate, unless the judge objects."""

    name = "ask"
    needs = tts.Needs(scorer=True, judge=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        scores = await ctx.score(found.candidates)
        best = max(found, key=lambda candidate: scores[candidate.index].value)
        await ctx.judge(best, found[0])
        return tts.Decision(text=best.text, chosen=best.index)


def test_scorer_and_judge_may_be_objects(live: Any) -> None:
    FirstJudge.calls, LengthScorer.batches = [], []
    result = tts.solve(
        "1+2", strategy=Ask(), k=2, model=live, scorer=LengthScorer("", None), judge=FirstJudge("", None)
    )
    assert (LengthScorer.batches, len(FirstJudge.calls)) == ([2], 1)
    assert result.provenance.models == {"policy": "fake", "scorer": "length", "judge": "first"}


def test_stored_samples_are_found_by_what_the_model_is_now(live: Any, tmp_path: Path) -> None:
    paid = []
    for fingerprint in ("fake", "fake", "after a step"):
        live.fingerprint = fingerprint
        tts.sample(sums(2), k=2, model=live, store=tmp_path / "s.db")
        paid.append(Live.completions())
    assert paid == [4, 4, 8]


def test_samples_keep_the_model_for_a_later_comparison(live: Any) -> None:
    samples = tts.sample(sums(2), k=2, model=live)
    assert "candidates of my:policy" in repr(samples)
    table = tts.compare(samples, strategies=["majority", "gsr"], k=2)
    assert table.accuracy("gsr").mean == 1.0  # type: ignore[union-attr]  # there are gold answers


def test_messages_call_it_by_its_name(live: Any) -> None:
    seen: list[tts.Event] = []
    tts.solve("1+2", strategy="first", model=live, listeners=[seen.append])
    assert [event.message for event in seen if event.kind in ("loading", "loaded")] == ["my:policy", "my:policy"]


@pytest.mark.parametrize(
    ("role", "given", "sentence"),
    [
        (
            "model",
            3,
            "an object of type int is no backend: .*'hf:folder', or an object with generate, count_tokens",
        ),
        ("model", Live, "the class Live is no backend"),
        ("scorer", Live("", None), "an object of type Live is no scorer: .* object with score"),
        ("judge", object(), "an object of type object is no judge: .* object with compare"),
    ],
)
def test_anything_else_is_one_sentence(role: str, given: object, sentence: str, live: Any) -> None:
    models = {"model": live, "scorer": LengthScorer("", None), "judge": FirstJudge("", None)}
    Live.requests = []
    with pytest.raises(tts.ConfigError, match=sentence):
        tts.solve("1+2", strategy=Ask(), **(models | {role: given}))
    assert not Live.requests
