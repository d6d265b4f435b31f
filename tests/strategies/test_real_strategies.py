"""Strategies end to end on the models that ship: policy, reward model, judge and synthesizer.

They are cut short here, so nothing asks what they say: only that every call is made, read, counted and charged.
"""

from __future__ import annotations

import pytest

import tts

pytest.importorskip("torch")

K = 4
SETTINGS = {"sampling": tts.Sampling(max_tokens=40, temperature=1.0, seed=3), "model": "hf:miniature"}
ROLES = {
    "scorer": "hf-reward:miniature/reward",
    "judge": "generic:hf:miniature/judge@max_tokens=8",
    "synthesizer": "hf:miniature/synthesizer",
}


@pytest.fixture(scope="module")
def table() -> tts.eval.Comparison:
    """One comparison on one sampling."""
    rsa = tts.strategy("rsa", loops=2, population=3)
    pairs = [tts.strategy(name, judge_equal=True) for name in ("knockout", "round_robin", "llm_blender")]
    others = ["majority", "adaptive_consistency", "gsr", "cascade", rsa, "synthesizer"]
    others += ["best_of_n", "weighted_majority"]
    return tts.compare("task:sums", strategies=[*others, *pairs], k=K, limit=1, **SETTINGS, **ROLES)


def calls(table: tts.eval.Comparison, strategy: str, role: str) -> list[int]:
    results = (row.outcome.results[strategy] for row in table.rows)
    return [result.usage.get(role, tts.Usage()).calls for result in results]


def test_every_strategy_decides(table: tts.eval.Comparison) -> None:
    assert [result.error for result in table.results] == [None] * 11
    for row in table.rows:
        assert len(row.outcome.candidates) == K
        for result in row.outcome.results.values():
            assert result.decision is not None


def test_calls_of_the_policy_are_as_documented(table: tts.eval.Comparison) -> None:
    assert calls(table, "majority", "policy") == [K]
    assert calls(table, "gsr", "policy") == [K + 1]
    assert calls(table, "rsa", "policy") == [K + 2 * 3]
    passed_on = [row.outcome.results["cascade"].decision.rates["passed on"][0] for row in table.rows]
    assert calls(table, "cascade", "policy") == [K + n for n in passed_on]
    sampled = [row.outcome.results["adaptive_consistency"].decision.trace["sampled"] for row in table.rows]
    assert calls(table, "adaptive_consistency", "policy") == sampled


def test_every_verdict_is_counted(table: tts.eval.Comparison) -> None:
    for name in ("knockout", "round_robin", "llm_blender"):
        invalid, verdicts = table.rates(name)["invalid verdicts"]
        assert verdicts >= sum(calls(table, name, "judge")) > 0, "equal texts are asked about once"
        assert 0 <= invalid <= verdicts
    for row in table.rows:
        pairs = row.outcome.results["round_robin"].decision.trace["matches"]
        assert len(pairs) == K * (K - 1) // 2
        verdicts = row.outcome.results["round_robin"].decision.rates["invalid verdicts"][1]
        assert len(pairs) <= verdicts <= 2 * len(pairs), "one each, and a second try"


def test_the_synthesizer_writes_once(table: tts.eval.Comparison) -> None:
    assert calls(table, "llm_blender", "synthesizer") == calls(table, "synthesizer", "synthesizer") == [1]


def test_shared_calls_are_spent_once(table: tts.eval.Comparison) -> None:
    alone = sum(table.usage(name).calls for name in table.strategies)
    spent = sum(usage.calls for usage in table.spent.values())
    assert spent < alone - K * 7, "eleven strategies share four candidates"
    assert "round_robin: invalid verdicts " in str(table)
