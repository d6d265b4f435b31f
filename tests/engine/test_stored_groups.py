"""Strategies on candidates that are there already: what they see, and which groups there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, boxed, candidate_set, recorded, sums

import tts

Fake = Callable[..., type[FakeBackend]]


def test_a_strategy_cannot_see_recorded_verdicts() -> None:
    seen: list[dict] = []

    class Nosy(tts.Strategy):
        name: ClassVar[str] = "nosy"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            found = await ctx.candidates()
            seen.extend([ctx.problem.metadata, found.problem.metadata])
            return tts.Decision(text=found[0].text, chosen=0)

    found = candidate_set("\\boxed{3}")
    problem = tts.Problem(id="p", prompt="1+2", metadata={"recorded": {"correct": [True]}})
    comparison = tts.compare([found.model_copy(update={"problem": problem})], strategies=[Nosy()], k=1)
    assert seen == [{}, {}]
    assert comparison.results[0].problem.metadata == problem.metadata


def test_stored_candidates_need_no_model() -> None:
    sampled = tts.Sampled(candidate_set(*[f"\\boxed{{{n}}}" for n in (3, 3, 4, 4, 4, 3, 3, 3)]), "3")

    async def main() -> list[tts.Outcome]:
        async with tts.Engine() as engine:
            return [outcome async for outcome in engine.compare([sampled], ["majority"], 4)]

    outcomes = sorted(asyncio.run(main()), key=lambda o: o.group)
    assert [o.group for o in outcomes] == [0, 1]
    assert [[c.index for c in o.candidates] for o in outcomes] == [[0, 1, 2, 3]] * 2
    assert [o.results["majority"].answer for o in outcomes] == ["3", "3"]


def test_more_than_stored_without_the_model_is_refused() -> None:
    async def main() -> None:
        async with tts.Engine() as engine:
            async for _ in engine.compare([tts.Sampled(candidate_set("\\boxed{3}"))], ["majority"], 4):
                pass

    with pytest.raises(tts.ConfigError, match=r"k=4, but problem 'p' has 1 stored candidates"):
        asyncio.run(main())


def test_a_smaller_set_is_completed_by_the_model_that_made_it(fake: Fake) -> None:
    backend = fake()

    async def main() -> tuple[list[str], list[str]]:
        async with tts.Engine(model="fake:m") as engine:
            two = [s async for s in engine.sample(sums(1), 2)]
            four = [s async for s in engine.sample(sums(1), 4)]
            grown = [o async for o in engine.compare(two, ["majority"], 4)]
            return [c.text for c in four[0].candidates], [c.text for c in grown[0].candidates]

    four, grown = asyncio.run(main())
    assert four == grown
    assert [request.n for request in backend.requests] == [2, 4, 2]


class ByLevel:
    """A scorer that goes by what is known about the problem; counts calls."""

    Options = tts.NoOptions
    fingerprint, by_content = "level", False
    calls = 0

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        type(self).calls += 1
        return [tts.Score(value=problem.metadata["level"] * (-1) ** one.index) for one in responses]

    async def aclose(self) -> None: ...


def test_a_score_that_goes_by_metadata_is_stored_under_it(tmp_path: Path) -> None:
    scorer, chosen = ByLevel(), []
    for level in (1, -1, 1, -1):
        problem = tts.Problem(id="p", prompt="1+2", metadata={"level": level})
        found = boxed(5, 6).model_copy(update={"problem": problem})
        table = tts.compare([found], strategies=["best_of_n"], k=2, scorer=scorer, store=tmp_path / "s.db")
        chosen.append(table.results[0].decision.chosen)  # type: ignore[union-attr]  # nothing failed
    assert chosen == [0, 1, 0, 1]
    assert ByLevel.calls == 2


def test_a_group_has_its_own_recorded_values_and_none_where_the_list_ends() -> None:
    found = recorded(boxed(1, 2, 3, 4), reward=[1, 2, 3], source="file")
    seen: list[Any] = []

    class Watching(ByLevel):
        async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
            seen.append(problem.metadata["recorded"])
            return [tts.Score(value=0.0) for _ in responses]

    tts.compare([found], strategies=["best_of_n"], k=2, scorer=Watching())
    assert sorted(seen, key=str) == [{"reward": [1, 2], "source": "file"}, {"reward": [3, None], "source": "file"}]
