"""Warnings of what users plug in, where a program turns warnings into errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
from doubles import FakeBackend, sums

import tts

Fake = Callable[..., type[FakeBackend]]


@pytest.mark.parametrize("k", [1, 4])
def test_warnings_that_are_errors_end_a_problem_and_leave_nobody_waiting(fake: Fake, k: int) -> None:
    def picky(text: str) -> str:
        raise KeyError("no")

    def listener(event: tts.Event) -> None:
        if event.kind == "candidate":
            raise KeyError("no")

    fake()
    tts.plugins().register("extractor", "picky", picky)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = tts.run(sums(1), strategy="majority", k=k, model="fake:m", extractor="picky", timeout=5)
        assert run[0].error is not None
        heard = tts.run(sums(1), strategy="majority", k=k, model="fake:m", listeners=[listener], timeout=5)
        assert heard[0].text or heard[0].error
