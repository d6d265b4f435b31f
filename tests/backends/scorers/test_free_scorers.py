"""Scorers that call no model: length, and the log-probabilities that came with the candidates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide, sums

import tts


def with_usage(found: tts.CandidateSet, *rows: tuple[float | None, int]) -> tts.CandidateSet:
    candidates = tuple(
        c.model_copy(update={"logprob": logprob, "usage": tts.Usage(calls=1, answer_tokens=tokens)})
        for c, (logprob, tokens) in zip(found, rows, strict=True)
    )
    return found.model_copy(update={"candidates": candidates})


FOUND = with_usage(
    candidate_set("aaa \\boxed{1}", "a \\boxed{2}", "<think>long thoughts</think>\\boxed{3}"),
    (-6.0, 3), (-1.0, 1), (-5.0, 4),
)  # fmt: skip


@pytest.mark.parametrize(
    ("scorer", "answer", "scores"),
    [
        ("length:shorter", "2", [-13.0, -11.0, -37.0]),
        ("length:longer", "3", [13.0, 11.0, 37.0]),
        ("length:shorter@unit=tokens", "2", [-3.0, -1.0, -4.0]),
        ("length:longer@unit=tokens", "3", [3.0, 1.0, 4.0]),
        ("logprob:mean", "2", [-2.0, -1.0, -1.25]),
        ("logprob:sum", "2", [-6.0, -1.0, -5.0]),
    ],
)
def test_scores_by_hand(scorer: str, answer: str, scores: list[float]) -> None:
    result = decide(FOUND, "best_of_n", scorer=scorer)
    assert result.answer == answer
    assert [value for _, value in result.decision.trace["scores"]] == scores
    assert result.usage.get("scorer", tts.Usage()).total_tokens == 0


def test_a_stored_score_is_not_that_of_another_policys_candidate(tmp_path: Path) -> None:
    """Two models may write the same text at the same place, with other probabilities."""
    other = with_usage(FOUND, (-1.0, 3), (-9.0, 1), (-5.0, 4))
    for found, answer in ((FOUND, "2"), (other, "1")):
        assert decide(found, "best_of_n", scorer="logprob:sum", store=tmp_path / "s.db").answer == answer


@pytest.mark.parametrize(
    ("scorer", "rows", "sentence"),
    [
        ("logprob:mean", [(None, 3), (-1.0, 3)], r"candidate 0 of problem 'p' has no log-probability; sample with"),
        ("logprob:mean", [(-1.0, 0)], r"candidate 0 of problem 'p' has no count of tokens; sample with"),
        ("length:longer@unit=tokens", [(None, 0)], r"candidate 0 of problem 'p' has no count of tokens; use @unit="),
    ],
)
def test_what_a_candidate_lacks_is_one_sentence(scorer: str, rows: list, sentence: str) -> None:
    found = with_usage(boxed(*range(len(rows))), *rows)
    assert re.search(sentence, decide(found, "best_of_n", scorer=scorer).error or "")


def test_stored_candidates_without_log_probabilities_are_refused_before_anything_is_spent(fake) -> None:
    backend = fake(capabilities=tts.Capabilities(seed=True, logprobs=True))
    sentence = r"scorer 'logprob:mean' needs log-probabilities and the stored candidates have none; sample them with"
    with pytest.raises(tts.MissingCapabilityError, match=sentence):
        tts.compare([boxed(1, 2)], strategies=["gsr", "best_of_n"], k=2, model="fake:m", scorer="logprob:mean")
    with pytest.raises(tts.MissingCapabilityError, match=sentence):
        tts.compare([boxed(1, 2)], strategies=["majority", "best_of_n"], k=2, scorer="logprob:mean")
    assert backend.requests == []
    table = tts.compare([boxed(1, 2)], strategies=["majority"], k=2, scorer="logprob:mean")
    assert table.failed == [], "nobody asked for the scores"


@pytest.mark.parametrize("scorer", ["length:short", "logprob:median"])
def test_a_wrong_name_is_said_before_anything_is_sampled(fake, scorer: str) -> None:
    backend = fake()
    with pytest.raises(tts.ConfigError, match=rf"there is no '{scorer}'; give '\w+:\w+' or '\w+:\w+'"):
        tts.run(sums(1), strategy="best_of_n", k=2, model="fake:m", scorer=scorer)
    assert backend.requests == []


def test_log_probabilities_are_asked_for_when_sampling(fake) -> None:
    def generating(cls: type[FakeBackend]):
        plain = FakeBackend.generate

        async def generate(self, request: tts.Request):
            async for completion in plain(self, request):
                logprob = -float(completion.index) - 1 if request.sampling.logprobs else None
                yield completion.model_copy(update={"logprob": logprob})

        return generate

    backend = fake(capabilities=tts.Capabilities(seed=True, logprobs=True))
    backend.generate = generating(backend)
    run = tts.run(sums(2), strategy="best_of_n", k=3, model="fake:m", scorer="logprob:sum")
    assert [result.error for result in run.results] == [None, None]
    assert all(request.sampling.logprobs for request in backend.requests)
    assert {result.decision.chosen for result in run.results} == {0}
    plain = tts.run(sums(2), strategy="best_of_n", k=3, model="fake:m", scorer="length:shorter")
    assert not backend.requests[-1].sampling.logprobs and plain.results[0].error is None


def test_a_policy_without_log_probabilities_is_refused_before_anything_is_sampled(fake) -> None:
    backend = fake()
    with pytest.raises(tts.MissingCapabilityError, match=r"scorer 'logprob:mean' needs log-probabilities and 'fake:m'"):
        tts.run(sums(1), strategy="best_of_n", k=2, model="fake:m", scorer="logprob:mean")
    assert backend.requests == []
