"""Second opinions, from real workers."""

from __future__ import annotations

import asyncio

from tts.answers import second_opinions

PAIRS = [
    (r"\frac{1}{2}", "0.5"),
    ("5", "$5$"),
    ("1/2004!", "1/2006!"),
    ("x+1", "1+x"),
    ("3", "4"),
]


def test_graders_are_asked_separately() -> None:
    half, same, tiny, symbols, wrong = asyncio.run(second_opinions(PAIRS, time_limit=60.0))  # for busy machines
    assert half == (True, False, True, True)
    assert same == (True, True, True, True)
    assert symbols == (True, False, True, None), "an expression in x has no value"
    assert wrong == (False, False, False, False)
    assert (tiny.service, tiny.math_verify) == (False, True), "Math-Verify compares these absolutely"
    assert [one.disagree for one in (half, same, tiny, symbols, wrong)] == [False, False, True, False, False]


def test_who_is_stopped_has_no_opinion() -> None:
    (endless,) = asyncio.run(second_opinions([("2", r"\binom{10000000000}{100000}")], time_limit=1.0))
    assert (endless.math_verify, endless.disagree) == (None, False)


def test_nothing_to_ask() -> None:
    assert asyncio.run(second_opinions([])) == []
