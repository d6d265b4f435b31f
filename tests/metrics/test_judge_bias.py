"""What who chooses goes by: position, length, authorship; what cannot be known is said."""

from __future__ import annotations

import random
from typing import Any

import pytest

import tts


def rows(count: int = 30, **beside: Any) -> list[dict[str, Any]]:
    """Four wrong candidates of as many answers each, of different lengths in random order."""
    rng, made = random.Random(0), []
    for i in range(count):
        texts = [f"{'so ' * (1 + 3 * j)}\\boxed{{{i + j + 2}}}" for j in range(4)]
        made.append({"problem": f"{i}+1?", "answer": f"{i + 1}", "candidates": rng.sample(texts, 4), **beside})
    return made


def the_first(problem: str, a: str, b: str) -> str:
    return "a"


def the_longer(problem: str, a: str, b: str) -> str:
    return "a" if len(a) > len(b) else "b"


def bias(judge: Any, given: Any = None, **parameters: Any) -> Any:
    strategy = tts.strategy("knockout", **parameters)
    found = tts.compare(rows() if given is None else given, strategies=["majority", strategy], k=4, judge=judge)
    return found, found.judge_bias("knockout")


def test_a_judge_who_takes_what_comes_first_is_found() -> None:
    found, one = bias(the_first)
    assert one.first.mean == 0.5
    assert one.first.low > 0.3
    assert one.longer.low < 0 < one.longer.high
    assert one.flips is None
    assert "flips: no pair was asked for in both orders (both_orders=true)" in one.unknown
    assert any("prefers what it is shown first more often than is even" in line for line in found.judge_bias_lines())
    assert found.judge_bias("majority") is None, "nobody chooses for a vote"
    assert found.to_dict()["judge_bias"]["knockout"]["first"]["mean"] == 0.5


def test_a_judge_who_takes_the_longer_is_found_and_flips_never() -> None:
    found, one = bias(the_longer, both_orders=True)
    assert one.longer.mean == 0.5
    assert one.longer.low > 0.3
    assert (one.first.mean, one.flips[0]) == (0.0, 0)
    assert "Bias of who chooses" in str(found)
    assert "unknown" in str(found), "authors are not told"


def test_length_counts_only_among_candidates_that_are_equally_right() -> None:
    given = rows()
    for i, row in enumerate(given):
        row["candidates"] = [
            f"{'long ' * 20}\\boxed{{{i + 1}}}",
            f"\\boxed{{{i}}}",
            f"\\boxed{{{i + 2}}}",
            "\\boxed{-1}",
        ]
    _, one = bias(the_longer, given)
    assert one.longer is None, "the right answer is the only one that is right"
    assert any(line.startswith("longer: no group") for line in one.unknown)


@pytest.mark.parametrize("theirs", ["hf:m", "m"])
def test_preferring_ones_own_is_told_where_authors_are(theirs: str) -> None:
    """The scorer named like an author, with scores that favour it; and one that is no author."""
    given = rows()
    for row in given:
        row["model"] = ["other", theirs, "other", theirs]
        row["own"] = [0.1, 0.9, 0.2, 0.8]
    found = tts.compare(given, strategies=["majority", "best_of_n"], k=4, scorer="recorded:own")
    one = found.judge_bias("best_of_n")
    assert one.by.startswith("scorer recorded:own")
    assert one.own is None
    assert any(line.startswith("own: recorded:own") for line in one.unknown), "no candidate is by it"
    for row in given:
        row["model"] = ["other", "own", "other", "own"]
    own = tts.compare(given, strategies=["best_of_n"], k=4, scorer="recorded:own").judge_bias("best_of_n").own
    assert own.mean == 0.5
    assert own.low > 0.3
