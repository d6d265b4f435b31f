"""The kit bites: every planted fault is caught, by the check it is meant for, with a word of what to do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from bad_models import (
    FORMAT_FAULTS,
    JUDGE_FAULTS,
    SAID,
    SCORER_FAULTS,
    GoodFormat,
    GoodJudge,
    GoodScorer,
)
from bad_strategies import FAULTS, Good
from bad_tasks import DIFFERENT, GRADER_FAULTS, SAME, TASK_FAULTS, GoodGrader, GoodTask

import tts
from tts.testing import (
    _answering,
    check_grader,
    check_judge,
    check_scorer,
    check_strategy,
    check_task,
    grader_checks,
    judge_checks,
    parametrize,
    scorer_checks,
    strategy_checks,
    task_checks,
)


@pytest.fixture(autouse=True)
def _faults_may_warn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_answering, "PATIENCE", 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a coroutine that is never awaited warns wherever it is collected
        yield


def caught(checks: list[tts.testing.Check], name: str) -> str:
    """What the check says of the plugin; the others may say what they like."""
    (check,) = [check for check in checks if check.name == name]
    with pytest.raises(AssertionError) as found:
        check()
    return str(found.value)


@pytest.mark.parametrize(("cls", "own", "name", "advice"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_strategy_is_caught(cls: type[tts.Strategy], own: dict[str, Any], name: str, advice: str) -> None:
    assert advice in caught(strategy_checks(cls(**own)), name)


@pytest.mark.parametrize(("cls", "name", "advice"), SCORER_FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_scorer_is_caught(cls: Any, name: str, advice: str) -> None:
    assert advice in caught(scorer_checks(cls), name)


@pytest.mark.parametrize(("cls", "name", "advice"), FORMAT_FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_judge_format_is_caught(cls: Any, name: str, advice: str) -> None:
    assert advice in caught(judge_checks(cls(), said=SAID), name)


@pytest.mark.parametrize(("cls", "name", "advice"), JUDGE_FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_judge_is_caught(cls: Any, name: str, advice: str) -> None:
    assert advice in caught(judge_checks(cls), name)


@pytest.mark.parametrize(("cls", "name", "advice"), GRADER_FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_grader_is_caught(cls: Any, name: str, advice: str) -> None:
    assert advice in caught(grader_checks(cls, same=SAME, different=DIFFERENT), name)


@pytest.mark.parametrize(("cls", "name", "advice"), TASK_FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_task_is_caught(cls: type[tts.Task], name: str, advice: str) -> None:
    assert advice in caught(task_checks(cls()), name)


def test_good_ones_pass() -> None:
    check_strategy(Good())
    check_scorer(GoodScorer)
    check_judge(GoodFormat(), said=SAID)
    check_judge(GoodJudge)
    check_grader(GoodGrader, same=SAME, different=DIFFERENT)
    check_task(GoodTask())


def test_every_check_has_a_fault_that_it_catches() -> None:
    missing = {
        *(check.name for check in strategy_checks(Good())),
        *(check.name for check in scorer_checks(GoodScorer)),
        *(check.name for check in judge_checks(GoodFormat())),
        *(check.name for check in judge_checks(GoodJudge)),
        *(check.name for check in grader_checks(GoodGrader, same=SAME, different=DIFFERENT)),
        *(check.name for check in task_checks(GoodTask())),
    } - {name for faults in (FAULTS, SCORER_FAULTS, FORMAT_FAULTS, JUDGE_FAULTS, GRADER_FAULTS, TASK_FAULTS)
         for name in (fault[-2] for fault in faults)}  # fmt: skip
    same_code_as_the_scorers = {
        "check_judge_two_loops", "check_judge_closes", "check_grader_two_loops", "check_grader_closes",
    }  # fmt: skip
    assert missing == same_code_as_the_scorers


def test_all_failures_are_told_at_once_and_some_may_be_expected() -> None:
    task = TASK_FAULTS[-1][0](size=0)
    with pytest.raises(AssertionError) as found:
        check_task(task, expected_failures={"check_grading": "its grader comes with another plugin"})
    assert str(found.value).splitlines() == [
        "1 of 9 checks on doubles failed",
        "check_examples: it yields no example",
    ]
    reasons = {"check_grading": "its grader comes with another plugin", "check_examples": "it has none yet"}
    check_task(task, expected_failures=reasons)


def test_an_expected_failure_that_holds_is_told_and_an_unknown_check_is_refused() -> None:
    with pytest.raises(AssertionError, match="check_ids: it holds; take it out of expected_failures"):
        check_task(GoodTask(), expected_failures={"check_ids": "no reason"})
    with pytest.raises(tts.ConfigError, match="'check_id'; did you mean 'check_ids'"):
        check_task(GoodTask(), expected_failures={"check_id": "misspelt"})


@parametrize(task_checks(TASK_FAULTS[-1][0]()), expected_failures={"check_grading": "its grader is elsewhere"})
def test_as_a_stranger_would_with_pytest(check: tts.testing.Check) -> None:
    check()
