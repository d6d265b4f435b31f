"""Recursive self-aggregation with a policy whose every output is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts
from tts.prompts import Prompts

Fake = Callable[..., type[FakeBackend]]
several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def shown(request: tts.Request) -> list[int]:
    """The answers of the solutions in a refine prompt, in order."""
    prompt = request.messages[-1].content.split("Candidate Response 1:")[1]
    return [int(answer) for answer in re.findall(r"\\boxed\{(\d+)\}", prompt)]


def largest(request: tts.Request, _: int) -> str:
    return f"so \\boxed{{{max(shown(request))}}}"


def rsa(found: tts.CandidateSet, seed: int = 0, **parameters: object) -> tts.Result:
    return decide(found, tts.strategy("rsa", **parameters), "fake:m", seed=seed)


@several
@given(
    k=st.integers(1, 9),
    subset=st.integers(1, 6),
    population=st.none() | st.integers(1, 7),
    loops=st.integers(1, 4),
    seed=st.integers(0, 3),
)
def test_calls_subsets_and_populations(
    fake: Fake, k: int, subset: int, population: int | None, loops: int, seed: int
) -> None:
    backend = fake(script=largest)
    result = rsa(boxed(*range(10, 10 + k)), seed, subset=subset, population=population, loops=loops)
    size = population or k
    assert result.usage["policy"].calls == loops * size == backend.completions()
    trace = result.decision.trace
    assert [len(answers) for answers in trace["answers"]] == [size] * loops
    orders = [prompt["order"] for prompt in trace["prompts"]]
    assert len(orders) == loops * size
    for place, order in enumerate(orders):
        before = k if place < size else size
        assert len(order) == len(set(order)) == min(subset, before), "without replacement"
        assert set(order) <= set(range(before))


@several
@given(k=st.integers(1, 8), seed=st.integers(0, 5))
def test_with_subsets_of_all_a_policy_that_keeps_the_largest_finds_it(fake: Fake, k: int, seed: int) -> None:
    fake(script=largest)
    result = rsa(boxed(*range(k)), seed, subset=8, loops=1)
    assert (result.answer, result.decision.confidence) == (str(k - 1), 1.0)


def test_a_solution_spreads_loop_by_loop(fake: Fake) -> None:
    fake(script=largest)
    shares = []
    for seed in range(12):
        answers = rsa(boxed(9, *[1] * 15), seed, subset=4, loops=4).decision.trace["answers"]
        shares.append([sum(answer == "9" for answer in population) / 16 for population in answers])
    mean = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
    assert 0.15 < mean[0] < 0.35, "a subset of 4 has a certain one of 16 with probability 1/4"
    assert mean == sorted(mean)
    assert mean[-1] > 0.9


def test_subsets_are_uniform(fake: Fake) -> None:
    fake(script=largest)
    seen: Counter[int] = Counter()
    for seed in range(40):
        trace = rsa(boxed(*range(6)), seed, subset=2, loops=1, population=5).decision.trace
        seen.update(i for prompt in trace["prompts"] for i in prompt["order"])
    assert sum(seen.values()) == 400
    assert all(40 <= seen[i] <= 95 for i in range(6)), seen


@several
@given(order=st.permutations(range(6)), seed=st.integers(0, 2))
def test_the_order_of_the_candidates_does_not_matter(fake: Fake, order: list[int], seed: int) -> None:
    fake(script=lambda request, i: f"so \\boxed{{{sum(shown(request)) + request.seeds[i] % 3}}}")
    parameters = {"subset": 2, "loops": 2}
    assert rsa(boxed(*order), seed, **parameters).answer == rsa(boxed(*range(6)), seed, **parameters).answer


def test_equal_prompts_are_independent_draws(fake: Fake) -> None:
    backend = fake(script=lambda request, i: f"so \\boxed{{{request.seeds[i] % 1000}}}")
    found = candidate_set(*["so \\boxed{1}"] * 3)
    answers = rsa(found, subset=1, loops=1, population=6).decision.trace["answers"][0]
    assert len({request.messages for request in backend.requests}) == 1
    assert len(set(answers)) > 3

    backend = fake(script=lambda *_: "so \\boxed{1}", fingerprint="other")
    result = rsa(found, subset=1, loops=3, population=2)
    assert backend.completions() == result.usage["policy"].calls == 6, "the same prompt again, loop after loop"


def test_the_final_vote_or_one_at_random(fake: Fake) -> None:
    fake(script=lambda request, i: f"<think>x</think>so \\boxed{{{request.seeds[i] % 2}}}")
    found = boxed(*range(9))
    answers = rsa(found, loops=1).decision.trace["answers"][0]
    (top, count), *_ = Counter(answers).most_common()
    voted = rsa(found, loops=1)
    assert (voted.answer, voted.decision.confidence) == (top, pytest.approx(count / 9))
    assert voted.text == f"so \\boxed{{{top}}}"
    drawn = [rsa(found, seed, loops=1, final="random") for seed in range(12)]
    assert {one.answer for one in drawn} == {"0", "1"}
    assert all(sorted([one.answer, *one.alternatives]) == sorted(one.decision.trace["answers"][0]) for one in drawn)


def test_unfinished_solutions_are_not_shown_and_failed_ones_are_left_out(fake: Fake) -> None:
    backend = fake(script=lambda _request, i: "<think>no end" if i % 2 else "so \\boxed{3}")
    result = rsa(boxed(1, 1, 1, 1), subset=4, loops=2)
    assert result.answer == "3"
    assert all("no end" not in request.messages[-1].content for request in backend.requests)

    def script(*_: object) -> str:
        raise RuntimeError("out of paper")

    fake(script=script, fingerprint="broken")
    assert "no refinement of problem 'p' succeeded: 'fake:m' raised RuntimeError: out of paper" in (
        rsa(boxed(1, 2)).error or ""
    )


def test_nobody_has_an_answer(fake: Fake) -> None:
    fake(script=lambda *_: "I cannot tell")
    result = rsa(boxed(1, 2, 3), loops=1)
    assert (result.answer, result.text, result.decision.confidence) == (None, "I cannot tell", 0.0)


@pytest.mark.parametrize(
    ("parameters", "k", "advice"),
    [
        ({}, 16, None),
        ({"subset": 4}, 4, None),
        ({"subset": 3}, 16, "rsa shows 3 candidates and it was trained on 4 (give subset=4)"),
        ({}, 3, "rsa shows 3 candidates and it was trained on 4 (give k=4 or more, subset=4)"),
    ],
)
def test_mismatches(parameters: dict[str, int], k: int, advice: str | None) -> None:
    trained = Prompts(
        direct_template="{{ problem }}", refine_template="{{ problem }} {{ candidates }}", candidate_tokens=9, k=4
    )
    assert tts.strategy("rsa", **parameters).mismatches(trained, k) == ([advice] if advice else [])


@pytest.mark.parametrize("parameters", [{"subset": 0}, {"loops": 0}, {"population": 0}, {"final": "best"}, {"t": 3}])
def test_wrong_parameters_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(tts.ConfigError, match="strategy 'rsa'"):
        tts.strategy("rsa", **parameters)
