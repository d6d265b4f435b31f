from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tts_trainers.data.decontaminate import HeldOut, normalised, overlapping

LONG = (
    "A box holds seven red marbles and nine blue marbles; two are drawn at random. How likely is it that both are red?"
)


def test_the_same_problem_in_other_spelling_is_found() -> None:
    held_out = [r"Find $\dfrac{1}{2} + \left( 3 - x \right)$."]
    train = [r"find $\frac{1}{2} + 3 - x$", "FIND \\(\\frac{1}{2}+(3-x)\\)", "unrelated"]
    assert overlapping(train, held_out) == {1}


def test_a_run_of_words_inside_another_text_is_found() -> None:
    train = [f"Before lunch: {LONG} Explain.", LONG.replace("seven", "eight").replace("drawn", "taken"), "short"]
    assert overlapping(train, [LONG]) == {0}


def test_short_problems_are_equal_or_different() -> None:
    assert overlapping(["Compute 3-4.", "compute 3 + 4", "Please compute 3+4"], ["Compute 3+4."]) == {1}


def test_a_phrase_of_many_evaluation_problems_is_no_leak() -> None:
    phrase = "can be written as m over n where m and n are relatively prime positive integers find m plus n"
    held_out = [f"The {what} of the first figure {phrase}" for what in ("area", "volume", "perimeter")]
    train = [f"A tetrahedron's height {phrase}", held_out[1].upper()]
    assert overlapping(train, held_out) == {1}
    assert overlapping(train[:1], held_out[:2]) == {0}


SETTING = "A train leaves the station at noon with forty passengers and stops in each of nine towns on its way north"


def test_a_problem_in_three_tasks_is_no_phrase() -> None:
    held_out = HeldOut()
    for note in ("Solve the following. {}", "{} Answer with an integer.", "Problem 7. {}"):
        held_out.add_task([note.format(LONG), f"{SETTING}."])
    assert f"Question: {LONG} Think step by step." in held_out
    assert f"{SETTING}. How many get off?" in held_out


def test_a_problem_that_is_the_beginning_of_others_is_found() -> None:
    """Every run of the first one is shared by three; it is found all the same where it is quoted whole."""
    held_out = [f"{SETTING}{more}" for more in ("", ". How many get off in the last town?", ". When does it arrive?")]
    train = [f"Consider this. {SETTING}. Name a town.", SETTING.replace("stops", "halts")]
    assert overlapping(train, held_out) == {0}


def test_nothing_is_held_out() -> None:
    assert overlapping([LONG, ""], []) == set()
    assert overlapping(["", "?!"], ["...", ""]) == set()


WORDS = st.lists(st.sampled_from("abcd"), max_size=9)


@given(train=st.lists(WORDS, max_size=6), held_out=st.lists(WORDS, max_size=2), ngram=st.integers(1, 5))
def test_against_brute_force(train: list[list[str]], held_out: list[list[str]], ngram: int) -> None:
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1)}

    expected = {
        i
        for i, words in enumerate(train)
        if any(other and (words == other or runs(words) & runs(other)) for other in held_out)
    }
    texts, others = [" ".join(w) for w in train], [", ".join(w) for w in held_out]
    assert overlapping(iter(texts), iter(others), ngram) == expected


@given(task=st.lists(WORDS, max_size=6), around=st.tuples(WORDS, WORDS), ngram=st.integers(1, 5))
def test_a_problem_quoted_from_end_to_end_is_always_found(
    task: list[list[str]], around: tuple[list[str], list[str]], ngram: int
) -> None:
    quotes = [" ".join([*around[0], *words, *around[1]]) for words in task if len(words) >= ngram]
    assert overlapping(quotes, [" ".join(words) for words in task], ngram) == set(range(len(quotes)))


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
