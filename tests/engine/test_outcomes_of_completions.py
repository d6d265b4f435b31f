"""A completion that is none is a failed candidate with its reason, never a stored sample."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from doubles import FakeBackend, sums

import tts

FAILED = {
    "refused": ({"finish_reason": "refused", "error": "the model refused: no"}, "refused", "the model refused: no"),
    "error": ({"finish_reason": "error", "error": "it called a tool"}, "error", "it called a tool"),
    "error without a word": ({"finish_reason": "error"}, "error", "'fake:m' ended a completion with 'error'"),
    "a stop with an error": ({"error": "half of it"}, "error", "half of it"),
    "nothing at all": (
        {"usage": tts.Usage(calls=1, prompt_tokens=10)},
        "error",
        "'fake:m' gave an empty completion of no tokens",
    ),
}


class Declining(FakeBackend):
    """Fails on the completions `bad`, as `how` says; the others are whole."""

    bad: tuple[int, ...] = (1,)
    how = "refused"

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        async for one in super().generate(request):
            if one.index in self.bad:
                changes = {"text": "", "thinking": None, "summary": None, **FAILED[self.how][0]}
                yield one.model_copy(update=changes)
            else:
                yield one


@pytest.fixture
def declining(fake: Callable[..., type[FakeBackend]]) -> type[Declining]:
    cls = type("Declines", (Declining,), {})
    tts.plugins().register("backend", "fake", cls)
    return cls


@pytest.mark.parametrize("how", FAILED)
def test_it_is_a_failed_candidate_and_the_next_run_asks_again(
    declining: type[Declining], tmp_path: Path, how: str
) -> None:
    declining.how = how
    (found,) = tts.sample(sums(1), k=3, model="fake:m", store=tmp_path / "s.db")
    _, reason, why = FAILED[how]
    assert [(one.finish_reason, one.error, one.ok) for one in found.candidates] == [
        ("stop", None, True), (reason, why, False), ("stop", None, True),
    ]  # fmt: skip
    assert declining.completions() == 3, "it is final for this run"
    with tts.Store(tmp_path / "s.db") as store:
        (draw,) = store.sets()
        assert list(store.completions(draw.key)) == [0, 2]
    declining.bad = ()
    (again,) = tts.sample(sums(1), k=3, model="fake:m", store=tmp_path / "s.db")
    assert declining.completions() == 4
    assert all(one.ok for one in again.candidates)
    assert again.candidates[0] == found.candidates[0]


def test_tables_count_refusals_apart(declining: type[Declining]) -> None:
    table = tts.compare(sums(4), strategies=["majority"], k=4, model="fake:m")
    assert {name: rate.mean for name, rate in table.response_rates().items()} == {
        "truncated": 0.0, "answerless": 0.0, "refused": 0.25, "failed": 0.0,
    }  # fmt: skip
    assert table.to_dict()["responses"]["refused"]["mean"] == 0.25


def test_a_problem_that_is_refused_altogether_says_so(declining: type[Declining]) -> None:
    declining.bad = (0, 1, 2, 3)
    run = tts.run(sums(1), strategy="majority", k=4, model="fake:m")
    assert "none of the 4 candidates of problem 'p0' can be used: the model refused: no" in run[0].error


def test_sets_with_refusals_survive_a_file(declining: type[Declining], tmp_path: Path) -> None:
    tts.sample(sums(1), k=3, model="fake:m").save(tmp_path / "sets.jsonl")
    table = tts.compare(tmp_path / "sets.jsonl", strategies=["majority"], k=3)
    assert [one.finish_reason for one in table.rows[0].outcome.candidates] == ["stop", "refused", "stop"]


def test_a_row_of_an_early_store_that_says_error_is_no_sample(
    fake: Callable[..., type[FakeBackend]], tmp_path: Path
) -> None:
    backend = fake()
    tts.sample(sums(1), k=2, model="fake:m", store=tmp_path / "s.db")
    with tts.Store(tmp_path / "s.db") as store:
        (draw,) = store.sets()
        store._put("completion", draw.key, 2, '{"text":"","finish_reason":"error","usage":[1,9,0,0,0,0,0]}')
    (found,) = tts.sample(sums(1), k=3, model="fake:m", store=tmp_path / "s.db")
    assert backend.completions() == 3
    assert all(one.ok for one in found.candidates)
