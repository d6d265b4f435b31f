from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.answers import fast_equal
from tts.tasks.knights_knaves import assignments, canonical

DATA = Path(__file__).parent / "data"
GOLD = "knave Ada; knave Cleo; knave Dan; knight Ben"


def examples(name: str, **parameters: object) -> list[tts.Example]:
    return list(tts.task(name, data_dir=DATA, check=False, **parameters).examples())


def verdict(gold: str, answer: str | None) -> bool:
    judge = tts.plugins().resolve("grader", "assignments")()

    async def work() -> list[bool]:
        return list(await judge.grade([(gold, answer)]))

    return tts.run_sync(work)[0]


def test_free_form_asks_for_every_name_and_knows_the_answer() -> None:
    [example] = examples("knights_knaves")
    assert example.answer == GOLD
    assert r"\boxed{NAME is a knight; NAME is a knave}" in example.problem.text


@pytest.mark.parametrize(
    "text",
    [
        r"So \boxed{Ada is a knave; Ben is a knight; Cleo is a knave; Dan is a knave}.",
        r"\boxed{\text{Ben: knight, Dan: knave, Cleo: knave, Ada: knave}}",
        "If Ada is a knight, Ben lies. So:\nAda is a knave\n(2) Ben is a knight\n(3) Cleo is a knave\nDan is a knave",
        "**Ada** = knave, **Ben** = knight, **Cleo** = knave, **Dan** = knave",
        "Ada (knave), Ben (knight), Cleo (knave), Dan (knave)",
    ],
)
def test_an_assignment_in_many_words_is_one_answer(text: str) -> None:
    assert assignments(text) == GOLD
    assert verdict(GOLD, assignments(text))


@pytest.mark.parametrize("text", ["", "I do not know.", "Somebody is not a knight.", r"\boxed{4}"])
def test_no_assignment_is_no_answer(text: str) -> None:
    assert assignments(text) is None


def test_a_missing_added_or_wrong_name_is_wrong() -> None:
    assert not verdict(GOLD, "knave Ada; knave Cleo; knight Ben")
    assert not verdict(GOLD, f"{GOLD}; knave Eve")
    assert not verdict(GOLD, "knave Ada; knave Cleo; knave Dan; knave Ben")
    assert not verdict(GOLD, None)


NAMES = st.sampled_from(["Ada", "Ben", "Cleo", "Dan", "Al", "Jo"])
KINDS = st.dictionaries(NAMES, st.sampled_from(["knight", "knave"]), min_size=1)


@settings(max_examples=100, deadline=None)
@given(left=KINDS, right=KINDS)
def test_votes_see_the_same_equality_as_grades(left: dict[str, str], right: dict[str, str]) -> None:
    assert verdict(canonical(left), canonical(right)) is (left == right)
    assert fast_equal(canonical(left), canonical(right)) is (left == right)


def test_as_multiple_choice_exactly_one_option_is_right() -> None:
    [example] = examples("knights_knaves_choice")
    lines = [line for line in example.problem.text.splitlines() if line.startswith("(")]
    options = {line[1]: assignments(line[4:]) for line in lines}
    assert list(options) == list("ABCD")
    assert [letter for letter, one in options.items() if one == GOLD] == [example.answer]
    assert len(set(options.values())) == 4


def test_options_do_not_depend_on_the_global_seed_and_can_be_more() -> None:
    before = examples("knights_knaves_choice", options=8)
    random.seed(1)
    assert examples("knights_knaves_choice", options=8) == before
    assert "(H)" in before[0].problem.text


def test_lists_of_different_length_are_named(tmp_path: Path) -> None:
    path = tmp_path / "kk.jsonl"
    path.write_text('{"quiz": "Who?", "names": ["Ada", "Ben"], "solution": [true]}\n')
    with pytest.raises(tts.TaskError, match=r"kk.jsonl, line 1: 'names' and 'solution' must be lists of one length"):
        list(tts.task("knights_knaves", data_dir=path).examples())
