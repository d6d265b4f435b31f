"""Checks that every plugin of a kind must pass, for its author to run.

They are plain functions that need no test runner:

    def test_mine():
        tts.testing.check_strategy(MyStrategy())

    class TestMyBackend(tts.testing.BackendContract):  # a class of tests, for pytest
        @classmethod
        def make(cls):
            return MyBackend("model", MyBackend.Options())

`check_strategy`, `check_scorer`, `check_judge`, `check_grader` and `check_task` raise one `AssertionError` that says
all that does not hold and what to do; `strategy_checks` and so on give the checks one by one, `parametrize` makes a
pytest of each. `docs/plugins.md` has examples.
"""

from __future__ import annotations

from tts.testing._backend import BackendContract
from tts.testing._client import check_client, client_checks
from tts.testing._clock import VirtualClock
from tts.testing._grader import check_grader, grader_checks
from tts.testing._judge import check_judge, judge_checks
from tts.testing._kit import Check, parametrize
from tts.testing._models import InstantJudge, InstantModel, InstantScorer
from tts.testing._scenarios import Scenario, scenarios
from tts.testing._scorer import check_scorer, scorer_checks
from tts.testing._scripted import FaultyModel, ScriptedJudge, ScriptedModel, ScriptedScorer
from tts.testing._server import check_server, server_checks
from tts.testing._service import Asked, Reply, Service, plain_reply
from tts.testing._sets import candidate_set
from tts.testing._strategy import answers_by_order, check_strategy, strategy_checks
from tts.testing._task import check_task, task_checks
from tts.testing._trial import decide

__all__ = [
    "Asked",
    "BackendContract",
    "Check",
    "FaultyModel",
    "InstantJudge",
    "InstantModel",
    "InstantScorer",
    "Reply",
    "Scenario",
    "ScriptedJudge",
    "ScriptedModel",
    "ScriptedScorer",
    "Service",
    "VirtualClock",
    "answers_by_order",
    "candidate_set",
    "check_client",
    "check_grader",
    "check_judge",
    "check_scorer",
    "check_server",
    "check_strategy",
    "check_task",
    "client_checks",
    "decide",
    "grader_checks",
    "judge_checks",
    "parametrize",
    "plain_reply",
    "scenarios",
    "scorer_checks",
    "server_checks",
    "strategy_checks",
    "task_checks",
]
