"""LLM-Blender: all pairs under a judge whose taste is known, and a fuser that says what it was shown."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts

Fake = Callable[..., type[FakeBackend]]
several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def shown(request: tts.Request) -> list[int]:
    return [int(answer) for answer in re.findall(r"so \\boxed\{(\d+)\}", request.messages[-1].content)]


def judging(request: tts.Request) -> bool:
    return "impartial judge" in request.messages[0].content


def script(request: tts.Request, _: int) -> str:
    """As judge it prefers the larger number; as fuser it repeats, in order, what it was shown."""
    seen = shown(request)
    if judging(request):
        return "<answer>[[A]]</answer>" if seen[0] >= seen[1] else "<answer>[[B]]</answer>"
    return f"The answer is \\boxed{{{'.'.join(map(str, sorted(seen)))}}}"


def blend(found: tts.CandidateSet, seed: int = 0, **parameters: object) -> tts.Result:
    roles = {"judge": "generic:fake:j", "synthesizer": "fake:m"}
    return decide(found, tts.strategy("llm_blender", **parameters), seed=seed, **roles)


@several
@given(answers=st.lists(st.integers(0, 30), min_size=1, max_size=7, unique=True), top=st.integers(1, 4))
def test_the_best_are_fused(fake: Fake, answers: list[int], top: int) -> None:
    backend = fake(script=script)
    result = blend(boxed(*answers), top=top)
    best = sorted(answers, reverse=True)[:top]
    assert result.text == f"The answer is \\boxed{{{'.'.join(map(str, sorted(best)))}}}"
    k = len(answers)
    verdicts = k * (k - 1) if k > top else 0
    assert sum(judging(request) * request.n for request in backend.requests) == verdicts
    assert backend.completions() == verdicts + 1
    assert result.decision.rates == {"invalid verdicts": (0, verdicts), "flips": (0, verdicts // 2)}
    if verdicts:
        wins = sorted(range(k), reverse=True)
        ranking = [[answers.index(a), won] for a, won in zip(sorted(answers, reverse=True), wins, strict=True)]
        assert result.decision.trace["ranking"] == ranking


def test_half_a_win_for_equal_answers_and_for_contradictions(fake: Fake) -> None:
    backend = fake(script=lambda request, i: "[[A]]" if judging(request) else "4")
    result = blend(candidate_set("a so \\boxed{1}", "b so \\boxed{1}", "c so \\boxed{2}"), top=1)
    assert {won for _, won in result.decision.trace["ranking"]} == {1.0}
    assert sum(judging(request) for request in backend.requests) == 4, "two pairs in both orders, one of equal answers"
    assert result.decision.rates == {"invalid verdicts": (0, 4), "flips": (2, 2)}


@several
@given(order=st.permutations(range(5)), seed=st.integers(0, 2))
def test_the_order_of_the_candidates_does_not_matter(fake: Fake, order: list[int], seed: int) -> None:
    def noisy(request: tts.Request, i: int) -> str:
        return ("[[A]]", "[[B]]", "?")[request.seeds[0] % 3] if judging(request) else script(request, i)

    fake(script=noisy)
    assert blend(boxed(*order), seed, top=2).text == blend(boxed(*range(5)), seed, top=2).text


def test_outputs_are_alternatives_and_roles_are_charged_apart(fake: Fake) -> None:
    fake(script=script)
    result = blend(boxed(1, 2, 3, 4), outputs=3, both_orders=False)
    assert len(result.alternatives) == 2
    assert (result.usage["judge"].calls, result.usage["synthesizer"].calls) == (6, 3)


def test_both_roles_are_asked_for() -> None:
    with pytest.raises(tts.MissingRoleError, match="'llm_blender' needs a judge"):
        decide(boxed(1, 2), "llm_blender", synthesizer="hf:miniature")
    with pytest.raises(tts.MissingRoleError, match="'llm_blender' needs a synthesizer"):
        decide(boxed(1, 2), "llm_blender", judge="generic:hf:miniature")


@pytest.mark.parametrize("parameters", [{"top": 0}, {"outputs": 0}, {"template": "none"}, {"n": 3}])
def test_wrong_parameters_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(tts.ConfigError):
        tts.strategy("llm_blender", **parameters)
