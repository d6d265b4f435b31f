"""Every installed strategy passes the conformance kit, with the lines that a stranger would write."""

from __future__ import annotations

import pytest

import tts
from tts.testing import Check, answers_by_order, parametrize, strategy_checks

SETTINGS = {  # besides its defaults
    "majority": [{"ties": "seeded"}, {"weights": "logprob"}],
    "weighted_majority": [{"reduce": "mean"}, {"reduce": "max"}, {"softmax": True}],
    "knockout": [{"votes": 3}, {"both_orders": True}, {"judge_equal": True}],
    "synthesizer": [{"outputs": 2}, {"group_size": 2}, {"group_size": None}],
    "genselect": [{"group_size": 2}, {"runs": 3}],
    "agglm": [{"outputs": 2}],
    "moa": [{"layers": 2}, {"outputs": 2}],
    "self_refine": [{"rounds": 1}],
    "adaptive_consistency": [{"threshold": 0.7}],
    "cascade": [{"threshold": 0.2}, {"cheap": {"name": "majority", "ties": "seeded"}, "dear": "knockout"}],
    "rsa": [{"loops": 1}, {"population": 3, "subset": 2}, {"final": "random"}],
    "llm_blender": [{"top": 1}, {"both_orders": False}],
    "gsr": [{"outputs": 2}, {"group_size": 2}, {"skip_unanimous": True}],
}


def installed() -> list[tts.Strategy]:
    names = tts.plugins().names("strategy")
    return [tts.strategy(name, **own) for name in names for own in [{}, *SETTINGS.get(name, [])]]


def label(strategy: tts.Strategy) -> str:
    changed = strategy.model_dump(exclude_defaults=True, mode="json")
    return "-".join([strategy.name, *(f"{key}={value}" for key, value in changed.items())])


def checks() -> list[Check]:
    """All checks of all settings; what needs another process is tried with the defaults only."""
    every = [(one, check._replace(subject=label(one))) for one in installed() for check in strategy_checks(one)]
    return [check for one, check in every if check.name != "check_process" or check.subject == one.name]


@parametrize(checks())
def test_it_conforms(check: Check) -> None:
    check()


@pytest.mark.parametrize("strategy", [one for one in installed() if not one.order_invariant], ids=label)
def test_it_does_not_declare_in_vain_that_it_minds_the_order(strategy: tts.Strategy) -> None:
    sets = [[f"{word} {i} \\boxed{{{digit}}}" for i, digit in enumerate((1, 2, 2, 1, 3, 3))] for word in "abcdefgh"]
    assert any(len(set(answers_by_order(strategy, texts))) > 1 for texts in sets)
