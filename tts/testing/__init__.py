"""Checks that every plugin of a kind must pass, for its author to run: plain functions, no test runner needed.

    def test_mine():
        tts.testing.check_strategy(MyStrategy())

    class TestMyBackend(tts.testing.BackendContract):  # a class of tests, for pytest
        @classmethod
        def make(cls):
            return MyBackend("model", MyBackend.Options())

A check raises `AssertionError` that says what does not hold and on which candidates.
"""

from __future__ import annotations

from tts.testing._backend import BackendContract
from tts.testing._models import InstantJudge, InstantModel, InstantScorer
from tts.testing._strategy import STRATEGY_CHECKS, answers_by_order, check_strategy

__all__ = [
    "STRATEGY_CHECKS",
    "BackendContract",
    "InstantJudge",
    "InstantModel",
    "InstantScorer",
    "answers_by_order",
    "check_strategy",
]
