"""Accuracies and gaps by a column of the problems, by difficulty; verdicts that came with a file."""

from __future__ import annotations

import random
from typing import Any

import pytest
from doubles import candidate_set

import tts
from tts.eval import Comparison


def sets(problems: int, groups: int = 1, k: int = 2, chance: float = 0.5, **columns: Any) -> list[tts.Sampled]:
    """Candidates that are right or not by chance; each column is a function of the problem's number."""
    rng, made = random.Random(0), []
    for i in range(problems):
        found = candidate_set(*[f"\\boxed{{{1 + (rng.random() > chance) * (j + 1)}}}" for j in range(groups * k)])
        metadata = {name: value(i) for name, value in columns.items()}
        problem = tts.Problem(id=str(i), prompt=f"{i}?", metadata=metadata)
        made.append(tts.Sampled(found.model_copy(update={"problem": problem}), "1"))
    return made


def compared(given: list[tts.Sampled], k: int = 2) -> Comparison:
    return tts.compare(given, strategies=["majority", "first"], k=k)


@pytest.mark.parametrize("estimator", ["groups", "subsets"])
def test_a_stratum_has_the_numbers_of_its_problems_alone(estimator: Any) -> None:
    given = sets(40, groups=2, level=lambda i: f"Level {i % 3}")
    found = compared(given)
    found.estimator = estimator
    strata = found.strata("level")
    assert [one.name for one in strata.strata] == ["Level 0", "Level 1", "Level 2"]
    for place, one in enumerate(strata.strata):
        alone = compared([each for i, each in enumerate(given) if i % 3 == place])
        alone.estimator = estimator
        accuracy = alone.unbiased("majority") if estimator == "subsets" else alone.accuracy("majority")
        assert one.accuracy["majority"] == accuracy
        assert one.pass_at_1.mean == pytest.approx(alone.pass_at_1.mean)
        assert one.gaps["first"].difference == alone.gap("first", "majority")
        assert one.gaps["first"].among.half_width > one.gaps["first"].difference.half_width, "of three at once"
    assert strata.compared == 3


def test_equally_hard_problems_are_equally_hard_in_every_band_of_difficulty() -> None:
    """The candidates of one band are not those that it was made of, so there is no regression to the mean."""
    found = compared(sets(400, groups=2)).strata("difficulty")
    assert not found.circular
    assert [one.name for one in found.strata] == ["under 25 %", "50 to 75 %", "75 % and up"]
    assert sum(one.groups for one in found.strata) == 800
    for one in found.strata:
        assert one.pass_at_1.low < 0.5 < one.pass_at_1.high
    circular = compared(sets(400)).strata("difficulty")
    assert circular.circular
    assert circular.strata[0].pass_at_1.mean == 0.0, "of the same candidates it is nothing but their luck"
    assert "partly regression to the mean" in circular.notes[0]


def test_difficulty_is_that_of_the_other_groups() -> None:
    right, wrong = ["\\boxed{1}"] * 2, ["\\boxed{2}"] * 2
    one = candidate_set(*right, *wrong)
    found = compared([tts.Sampled(one, "1")]).strata("difficulty")
    assert [(each.name, each.pass_at_1.mean) for each in found.strata] == [("under 25 %", 1.0), ("75 % and up", 0.0)]


def test_small_strata_are_named_and_bound_little() -> None:
    found = compared(sets(30, level=lambda i: "rare" if i < 3 else "usual"))
    found.by = ["level"]
    rare, usual = found.strata("level").strata
    assert rare.small
    assert not usual.small
    assert rare.accuracy["first"].half_width > usual.accuracy["first"].half_width
    assert "too few for intervals that were tried: rare (3)" in str(found)
    assert found.to_dict()["strata"]["level"]["strata"][0]["problems"] == 3


def test_columns_are_numbers_texts_and_what_stands_beside_candidates() -> None:
    given = sets(
        60,
        year=lambda i: 2000 + i % 3,
        length=lambda i: i * 1.5,
        subject=lambda i: f"subject {i // 4}",
        hard=lambda i: i % 2 == 0,
        source=lambda i: None if i % 2 else "web",
        recorded=lambda i: {"model": ["a", "a"] if i < 20 else ["a", "b"], "scores": [0.1, 0.2]},
    )
    found = compared(given)
    names = {column: [one.name for one in found.strata(column).strata] for column in found.columns}
    assert names.pop("subject")[-1] == "others"
    assert names == {
        "year": ["2000", "2001", "2002"],
        "length": ["0 … 21", "22.5 … 43.5", "45 … 66", "67.5 … 88.5"],
        "hard": ["False", "True"],
        "source": ["web", "(none)"],
        "model": ["a", "mixed"],
    }
    assert [one.groups for one in found.strata("length").strata] == [15] * 4
    assert found.strata("subject").notes == ("others: 4 values of subject with the fewest groups",)
    assert found.strata("source").notes == ("30 groups have no source",)


def test_a_column_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    found = compared(sets(4, level=lambda _: "1"))
    with pytest.raises(tts.ConfigError, match="no problem has a column 'lvel'; did you mean 'level'"):
        found.strata("lvel")
    found.by = ["lvel"]
    assert "no problem has a column 'lvel'" in str(found), "what was paid for is shown all the same"
    with pytest.raises(tts.ConfigError):
        found.check_by()


def test_the_verdicts_of_a_file_are_compared_where_they_differ() -> None:
    rows = [
        {"problem": "1+1?", "answer": "2", "candidates": ["\\boxed{2}", "\\boxed{3}"], "score": [1.0, 1.0]},
        {"problem": "1+2?", "answer": "3", "candidates": ["\\boxed{3}", "\\boxed{3}"], "score": [0.0, 1.0]},
    ]
    found = tts.compare(rows, strategies=["majority"], k=2)
    own = found.own_verdicts
    assert own[:5] == ("score", 2, 4, 1, 1)
    assert own.agreement.mean == 0.5
    told = (
        "the file's own verdicts (score) agree with ours in 50 % of 4; 1 right by the file alone, 1 right by us alone"
    )
    assert told in str(found)
    assert found.to_dict()["own_verdicts"]["agreement"]["mean"] == 0.5
    rows[0]["score"] = [0.7, 1.0]
    assert tts.compare(rows, strategies=["majority"], k=2).own_verdicts is None, "a reward is no verdict"
