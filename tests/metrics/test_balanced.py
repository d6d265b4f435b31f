"""Groups that use all candidates where k does not divide them: each is in equally many, and nothing is biased."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations
from math import gcd
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import boxed, sums

import tts
from tts.cli import main
from tts.engine.work import circle
from tts.eval import evaluate


@pytest.mark.parametrize(("n", "k"), [(5, 4), (6, 4), (7, 3), (8, 4), (50, 4), (64, 10), (3, 3), (4, 1)])
def test_every_candidate_is_in_equally_many_groups_and_in_none_twice(n: int, k: int) -> None:
    groups = circle(range(n), k)
    assert all(len(set(group)) == k for group in groups)
    assert set(Counter(place for group in groups for place in group).values()) == {k // gcd(n, k)}
    assert len(groups) == n // gcd(n, k)


def voted(group: tuple[int, ...], right: tuple[bool, ...]) -> Fraction:
    """A majority that needs more than half of the group, as a strategy that is no mean of its candidates."""
    return Fraction(sum(right[i] for i in group) * 2 > len(group))


@pytest.mark.parametrize(("n", "k"), [(5, 2), (5, 3), (5, 4), (6, 4), (4, 3)])
def test_the_mean_over_groups_is_unbiased_for_that_over_all_subsets(n: int, k: int) -> None:
    """Exactly, over every order that the lot may draw."""
    for hits in range(n + 1):
        right = tuple(i < hits for i in range(n))
        every = [voted(group, right) for group in combinations(range(n), k)]
        means = []
        for order in permutations(range(n)):
            groups = circle(order, k)
            means.append(sum(voted(tuple(group), right) for group in groups) / Fraction(len(groups)))
        assert sum(means) / len(means) == Fraction(sum(every), len(every))


def sets(count: int, n: int) -> list[tts.Sampled]:
    made = []
    for i in range(count):
        found = boxed(*[3 if (i * j) % 3 else j for j in range(n)])
        made.append(tts.Sampled(found.model_copy(update={"problem": tts.Problem(id=str(i), prompt=f"{i}+1?")}), "3"))
    return made


def test_all_candidates_are_in_the_numbers_and_each_counts_once() -> None:
    found = sets(6, 6)
    balanced = tts.compare(found, strategies=["majority", "first"], k=4, balanced=True)
    every = tts.compare(found, strategies=["majority"], k=6)
    assert len(balanced.rows) == 6 * 3, "six candidates are in three groups of four, each in two"
    assert balanced.pass_at_1.mean == pytest.approx(every.pass_at_1.mean)
    assert balanced.missing.candidates == 36
    assert sum(balanced.outcome_classes().values()) == 36
    points = balanced.curves()["pass@k"].points
    assert {k: one.mean for k, one in points.items()} == pytest.approx(
        {k: one.mean for k, one in every.curves()["pass@k"].points.items()}
    ), "the curves are of all six, each once"
    used = Counter((row.outcome.problem.id, c.text, c.usage) for row in balanced.rows for c in row.outcome.candidates)
    assert sum(used.values()) == 72
    assert "18 balanced groups overlap: each of 36 candidates is in equally many" in str(balanced)
    assert "in no group" not in str(balanced)


def test_groups_follow_the_seed_and_do_not_overlap_where_they_need_not() -> None:
    def texts(seed: int, k: int) -> list[list[str]]:
        compared = tts.compare(sets(3, 6), strategies=["first"], k=k, balanced=True, seed=seed)
        assert (k == 4) == any(row.outcome.new is not None for row in compared.rows)
        return [[c.text for c in row.outcome.candidates] for row in compared.rows]

    assert texts(1, 4) == texts(1, 4) != texts(2, 4)
    assert len(texts(1, 3)) == 6


def test_without_it_what_is_left_out_is_said() -> None:
    shown = str(tts.compare(sets(5, 6), strategies=["majority"], k=4))
    assert "10 more candidates of 5 problems are in no group of 4, nor in any number: 20 are" in shown
    assert "and so do balanced groups" in shown


def test_a_protocol_and_the_command_line_have_it(fake: Any, tmp_path: Path) -> None:
    fake()
    found = evaluate(sums(3), tmp_path / "a", model="fake:m", n=6, k=4, balanced=True, strategies=["majority"])
    assert len(found.comparison.rows) == 9
    assert "balanced group, with every candidate in equally many," in str(found)
    assert found.comparison.missing.candidates == 18
    with pytest.raises(tts.ConfigError, match="balanced=True, not False"):
        evaluate(sums(3), tmp_path / "a", model="fake:m", n=6, k=4, strategies=["majority"])
    again = evaluate(sums(3), tmp_path / "a", model="fake:m", n=6, k=4, balanced=True, strategies=["majority"])
    assert again.report() == found.report()
    tts.sample(sums(3), k=6, model="fake:m").save(tmp_path / "sets.jsonl")
    arguments = ["compare", str(tmp_path / "sets.jsonl"), "-s", "majority", "-k", "4", "--balanced"]
    done = CliRunner().invoke(main, arguments, prog_name="tts")
    assert "9 balanced groups overlap: each of 18 candidates" in done.stdout, done.output


def test_a_problem_that_fails_is_missing_once_in_each_group(fake: Any) -> None:
    backend = fake()

    def fails(request: tts.Request) -> None:
        if "4+5" in request.messages[-1].content:
            raise tts.BackendError("out of order")

    backend.before = staticmethod(fails)
    found = tts.compare(sums(6), strategies=["majority"], k=4, n=6, balanced=True, model="fake:m")
    assert found.missing.candidates == 36 and found.missing.candidates_missing == 6
    assert found.missing.decisions_missing == 3
