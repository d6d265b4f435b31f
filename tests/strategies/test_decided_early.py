"""A vote that stops early: the class that wins is the one that would have won with all."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

import pytest
from doubles import FakeBackend
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts_strategies._votes import settled


def winner(votes: dict[int, str]) -> str:
    """By brute force: the most frequent, the earliest of equally frequent ones."""
    counts = {answer: list(votes.values()).count(answer) for answer in votes.values()}
    most = max(counts.values())
    return next(votes[index] for index in sorted(votes) if counts[votes[index]] == most)


def standing(votes: dict[int, str]) -> list[tuple[int, int]]:
    return [
        (list(votes.values()).count(answer), min(index for index in votes if votes[index] == answer))
        for answer in dict.fromkeys(votes[index] for index in sorted(votes))
    ]


@given(st.permutations(range(5)), st.lists(st.sampled_from("abc"), min_size=5, max_size=5), st.integers(0, 4))
def test_settled_is_exactly_what_no_completion_can_change(order: list[int], answers: list[str], seen: int) -> None:
    votes = {index: answers[index] for index in order[:seen]}
    missing = sorted(order[seen:])
    endings = [
        winner({**votes, **{index: answer for index, answer in zip(missing, rest, strict=True) if answer != "-"}})
        for rest in itertools.product("abcxyz-", repeat=len(missing))
        if votes or any(answer != "-" for answer in rest)
    ]
    assert settled(standing(votes), missing, earliest=True) == (bool(votes) and len(set(endings)) == 1)


def test_drawn_ties_are_waited_for() -> None:
    assert settled([(2, 0)], [2, 3], earliest=True)
    assert not settled([(2, 0)], [2, 3], earliest=False)
    assert settled([(3, 0)], [3, 4], earliest=False)
    assert not settled([], [], earliest=True)


class Shuffled(FakeBackend):
    """Its four completions come in the order of their seeds, and say one of two things."""

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        for index in sorted(range(request.n), key=lambda i: request.seeds[i]):
            await asyncio.sleep(0)
            text = f"\\boxed{{{request.seeds[index] % 3 == 0}}}"
            yield tts.Completion(index=index, text=text, summary=text, usage=tts.Usage(calls=1, answer_tokens=1))


@pytest.mark.parametrize("ties", ["earliest", "seeded"])
def test_the_answer_is_that_of_the_whole_vote(ties: str) -> None:
    tts.plugins().register("backend", "shuffled", Shuffled)
    early = tts.strategy("majority", decided_early=True, ties=ties)
    whole = tts.strategy("majority", ties=ties)
    saved = 0
    for seed in range(12):
        stopped = tts.solve("1+2", strategy=early, k=5, model="shuffled:m", seed=seed)
        assert stopped.answer == tts.solve("1+2", strategy=whole, k=5, model="shuffled:m", seed=seed).answer
        assert stopped.decision is not None
        saved += stopped.decision.rates["candidates saved"][0]
    assert saved > 0


def test_early_decisions_count_equal_votes_only() -> None:
    with pytest.raises(tts.ConfigError, match="decided_early=true counts equal votes"):
        tts.strategy("majority", decided_early=True, weights="logprob")
