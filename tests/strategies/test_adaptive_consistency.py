"""Adaptive-Consistency against its definition: one candidate at a time, and the posterior by exact integration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import comb

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide, sums
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts_strategies.adaptive_consistency import lead_probability

Fake = Callable[..., type[FakeBackend]]


def by_integration(a: int, b: int) -> Fraction:
    """The mass of Beta(a + 1, b + 1) above one half: its density expanded, and integrated term by term."""

    def mass(low: Fraction) -> Fraction:
        terms = (Fraction((-1) ** i * comb(b, i), a + i + 1) * (1 - low ** (a + i + 1)) for i in range(b + 1))
        return sum(terms, Fraction(0))

    return mass(Fraction(1, 2)) / mass(Fraction(0))


@given(st.integers(0, 25), st.integers(0, 25))
def test_the_posterior_is_that_of_the_paper(a: int, b: int) -> None:
    assert lead_probability(a, b) == pytest.approx(float(by_integration(a, b)), abs=1e-12)


def test_the_posterior_by_hand() -> None:
    assert lead_probability(0, 0) == lead_probability(7, 7) == 0.5
    assert [lead_probability(n, 0) for n in (1, 2, 3, 4)] == [3 / 4, 7 / 8, 15 / 16, 31 / 32]
    assert lead_probability(900, 600) == pytest.approx(1.0, abs=1e-9), "large numbers do not overflow"


def one_by_one(answers: list[int | None], threshold: float) -> tuple[int, float, list[int]]:
    """How many candidates are sampled, the posterior then, and who leads."""
    for n in range(1, len(answers) + 1):
        counts = Counter(answer for answer in answers[:n] if answer is not None)
        first, second = [*sorted(counts.values(), reverse=True), 0, 0][:2]
        if lead_probability(first, second) >= threshold:
            break
    return n, lead_probability(first, second), [answer for answer, count in counts.items() if count == first]


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 2, 3, None]), min_size=1, max_size=24),
    st.sampled_from([0.6, 0.8, 0.95, 0.99]),
)
def test_it_stops_where_sampling_one_by_one_would(answers: list[int | None], threshold: float) -> None:
    texts = ["no idea" if answer is None else f"so \\boxed{{{answer}}}" for answer in answers]
    result = decide(candidate_set(*texts), tts.strategy("adaptive_consistency", threshold=threshold))
    sampled, posterior, leaders = one_by_one(answers, threshold)
    decision = result.decision
    assert len(result.candidates) == sampled
    assert decision.rates == {"candidates saved": (len(answers) - sampled, len(answers))}
    if leaders:
        assert decision.confidence == decision.trace["posterior"] == pytest.approx(posterior)
        assert result.answer == str(leaders[0]), "among equals the one that came first"
        assert decision.chosen == answers.index(leaders[0])
    else:
        assert (result.answer, decision.confidence) == (None, 0.0)


def same(_request: tts.Request, _index: int) -> str:
    return "so \\boxed{3}"


def test_what_is_not_needed_is_not_sampled(fake: Fake) -> None:
    backend = fake(script=same)
    result = tts.run(sums(1), strategy="adaptive_consistency", k=40, model="fake:m")[0]
    assert backend.completions() == 4, "31/32 is above 0.95"
    assert [request.n for request in backend.requests] == [4], "asked for at once"
    assert result.usage["policy"].calls == 4
    assert (result.answer, result.decision.trace["sampled"]) == ("3", 4)


def test_a_dissenter_costs_a_few_more(fake: Fake) -> None:
    first = True

    def script(_request: tts.Request, index: int) -> str:
        nonlocal first
        found, first = ("so \\boxed{7}" if first else "so \\boxed{3}"), False
        return found

    backend = fake(script=script)
    result = tts.run(sums(1), strategy="adaptive_consistency", k=40, model="fake:m")[0]
    assert (result.answer, backend.completions()) == ("3", 7), "six of three against one of seven: 247/256"


def test_beside_a_vote_over_all_it_is_charged_for_its_own_part_only(fake: Fake) -> None:
    backend = fake(script=same)
    table = tts.compare(sums(2), strategies=["adaptive_consistency", "majority"], k=10, model="fake:m")
    assert backend.completions() == 20
    assert [table.usage(name).calls for name in table.strategies] == [8, 20]
    assert table.rates("adaptive_consistency") == {"candidates saved": (12, 20)}
    assert "adaptive_consistency: candidates saved 12 of 20 (60.0 %)" in str(table)
    assert table.to_dict()["strategies"]["adaptive_consistency"]["rates"] == {"candidates saved": (12, 20)}


def test_failed_candidates_do_not_vote(fake: Fake) -> None:
    def script(_request: tts.Request, index: int) -> str:
        return "" if index == 0 else "so \\boxed{3}"

    fake(script=script)
    result = tts.run(sums(1), strategy="adaptive_consistency", k=5, model="fake:m")[0]
    assert (result.answer, len(result.candidates), result.decision.confidence) == ("3", 5, 15 / 16)


@pytest.mark.parametrize("threshold", [0.5, 1, 1.2, -1, float("nan"), "high"])
def test_a_threshold_that_means_nothing_is_refused(threshold: object) -> None:
    with pytest.raises(tts.ConfigError, match="strategy 'adaptive_consistency': parameter threshold="):
        tts.strategy("adaptive_consistency", threshold=threshold)


def test_nothing_usable_is_said() -> None:
    assert "NoCandidatesError: none of the 3 candidates of problem 'p' can be used" in (
        decide(candidate_set("", "", ""), "adaptive_consistency").error or ""
    )
    assert decide(boxed(1), "adaptive_consistency").decision.confidence == 3 / 4
