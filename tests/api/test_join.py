"""Sets of several models become one set per problem, in turns, and nothing that is known of a candidate is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import FakeBackend, boxed, recorded, sums
from hypothesis import given
from hypothesis import strategies as st

import tts

Fake = Callable[..., type[FakeBackend]]


def made_by(policy: str, *answers: object, answer: str | None = None, **lists: list[object]) -> list[tts.Sampled]:
    found = recorded(boxed(*answers), **lists) if lists else boxed(*answers)
    return [tts.Sampled(found.model_copy(update={"policy": policy}), answer)]


def answers(found: tts.CandidateSet) -> list[str | None]:
    return [candidate.answer for candidate in found]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_nobody_is_lost_and_everybody_takes_turns(sizes: list[int]) -> None:
    sources = [made_by(f"m{s}", *(100 * s + i for i in range(n))) for s, n in enumerate(sizes)]
    (found,) = tts.join_candidates(*sources)
    assert [c.index for c in found] == list(range(sum(sizes)))
    places = [divmod(int(answer or ""), 100) for answer in answers(found)]
    assert places == sorted(((s, i) for s, n in enumerate(sizes) for i in range(n)), key=lambda p: (p[1], p[0]))
    assert found.problem.metadata["recorded"]["policy"] == [f"m{s}" for s, _ in places]


def test_what_was_recorded_follows_its_candidate() -> None:
    first = made_by("a", 1, 2, 3, reward=[0.1, 0.2, 0.3])
    second = made_by("b", 4, 5, reward=[0.4, 0.5], correct=[True, False])
    (found,) = tts.join_candidates(first, second)
    assert answers(found) == ["1", "4", "2", "5", "3"]
    assert found.problem.metadata["recorded"] == {
        "reward": [0.1, 0.4, 0.2, 0.5, 0.3],
        "correct": [None, True, None, False, None],
        "policy": ["a", "b", "a", "b", "a"],
    }
    (again,) = tts.join_candidates([found], made_by("c", 6))
    assert again.problem.metadata["recorded"]["policy"] == ["a", "c", "b", "a", "b", "a"]


def test_a_group_of_k_has_its_share_of_each_model() -> None:
    joined = tts.join_candidates(made_by("a", 1, 1, 1, 1, reward=[9, 0, 0, 0]), made_by("b", 2, 2, 2, 2))
    results = tts.compare(joined, strategies=["majority"], k=4).results
    assert [[c.answer for c in r.candidates] for r in results] == [["1", "2", "1", "2"]] * 2
    assert results[0].problem.metadata["recorded"]["policy"] == ["a", "b", "a", "b"]
    assert results[1].problem.metadata["recorded"]["reward"] == [0, None, 0, None]


def test_samples_of_two_models_stores_and_files_are_joined(fake: Fake, tmp_path: Path) -> None:
    fake()
    one = tts.sample(sums(3), k=2, model="fake:one", store=tmp_path / "one.db")
    fake(fingerprint="other", script=lambda *_: "\\boxed{9}")
    two = tts.sample(sums(3), k=2, model="fake:two")
    two.save(tmp_path / "two.jsonl")
    joined = tts.join_candidates(one, two)
    assert [found.problem.id for found in joined] == ["p0", "p1", "p2"]
    assert joined.answers == one.answers
    assert joined.spent["policy"].calls == 12
    assert [c.text for c in joined[0]][1::2] == ["\\boxed{9}"] * 2
    for sources in ((tmp_path / "one.db", str(tmp_path / "two.jsonl")), (one, tmp_path / "two.jsonl")):
        texts = {found.problem.id: [c.text for c in found] for found in tts.join_candidates(*sources)}
        assert texts == {found.problem.id: [c.text for c in found] for found in joined}
    path = joined.save(tmp_path / "joined.jsonl")
    assert json.loads(path.read_text().splitlines()[0])["metadata"]["recorded"]["policy"] == ["fake", "other"] * 2
    results = tts.compare(str(path), strategies=["majority"], k=4).results
    assert [len(r.candidates) for r in results] == [4] * 3


def test_a_problem_that_occurs_twice_is_two_problems() -> None:
    twice = [*made_by("a", 1), *made_by("a", 2)]
    twice[1] = tts.Sampled(twice[1].candidates.model_copy(update={"problem": tts.Problem(id="q", prompt="1+2")}), None)
    assert [answers(found) for found in tts.join_candidates(twice, twice)] == [["1", "1"], ["2", "2"]]


@pytest.mark.parametrize(
    ("sources", "error", "sentence"),
    [
        ((made_by("a", 1),), tts.ConfigError, "joins the candidates of two sources or more"),
        ((made_by("a", 1), "1+1?"), tts.ConfigError, "source 2 of join_candidates holds no candidates; sample"),
        ((made_by("a", 1), []), tts.ConfigError, "source 2 of join_candidates holds no candidates"),
        (
            (made_by("a", 1, answer="1"), made_by("b", 1, answer="2")),
            tts.TaskError,
            "problem 'p' has the gold answers '1' and '2' in different sources",
        ),
    ],
)
def test_what_cannot_be_joined_is_one_sentence(sources: tuple, error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        tts.join_candidates(*sources)


def test_sources_hold_the_same_problems() -> None:
    other = boxed(1).model_copy(update={"problem": tts.Problem(id="x", prompt="else?")})
    with pytest.raises(tts.TaskError, match="problem 'x' of source 2 is not in source 1"):
        tts.join_candidates(made_by("a", 1), [*made_by("b", 1), tts.Sampled(other)])
    with pytest.raises(tts.TaskError, match="problem 'x' of source 1 is not in source 2"):
        tts.join_candidates([*made_by("b", 1), tts.Sampled(other)], made_by("a", 1))


def test_gold_answers_known_to_one_source_are_kept() -> None:
    joined = tts.join_candidates(made_by("a", 1), made_by("b", 1, answer="3"))
    assert joined.answers == {"p": "3"}
