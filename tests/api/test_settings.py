"""What verbs take beside their own arguments is told to type checkers and consoles, and refused in a sentence."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

import tts

VERBS = [tts.solve, tts.run, tts.sample, tts.compare, tts.eval.evaluate, tts.eval.controls]
ENGINE = set(inspect.signature(tts.Engine).parameters) - {"models"}
OWN = [
    {"problem": "What is 2+2?", "answer": "4", "candidates": [r"\boxed{4}", r"\boxed{5}"]},
    {"problem": "What is 3+3?", "answer": "6", "candidates": [r"\boxed{6}", r"\boxed{7}"]},
]


def same(gold: str, answer: str) -> bool:
    return gold == answer


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    file = tmp_path / "sets.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in OWN))
    return file


def test_the_settings_are_those_of_the_engine_and_progress() -> None:
    assert set(typing.get_type_hints(tts.Settings)) == ENGINE | {"progress"}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_help_shows_every_setting_of_a_verb(verb: Callable[..., object]) -> None:
    assert set(inspect.signature(verb).parameters) >= ENGINE | {"progress"}


def test_a_function_grades_and_a_function_finds_the_answers(sets: Path) -> None:
    def last(text: str) -> str | None:
        return text[-2]

    table = tts.compare(
        sets, strategies=["first"], k=2, grader=lambda gold, answer: int(answer) == int(gold) + 1, extractor=last
    )
    assert table.accuracy("first").mean == 0.0  # type: ignore[union-attr]  # there are gold answers
    table = tts.compare(sets, strategies=["first"], k=2, grader=lambda gold, answer: gold == answer, extractor=last)
    assert table.accuracy("first").mean == 1.0  # type: ignore[union-attr]  # there are gold answers


def test_the_provenance_of_two_extractors_on_one_line_differs(sets: Path) -> None:
    one, two = (lambda text: text[-2]), (lambda text: text[:1])
    codes = []
    for extract in (one, two):
        table = tts.compare(sets, strategies=["first"], k=2, grader=same, extractor=extract)
        codes.append(table.results[0].provenance.code["extractor"])
    assert codes[0] != codes[1]
    assert all(code.startswith("source ") for code in codes)


def test_a_file_of_ones_own_has_the_extractor(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def last(text):\n    return text[-2]\n")
    table = tts.compare(sets, strategies=["first"], k=2, grader=same, extractor=f"{tmp_path / 'mine.py'}:last")
    assert table.results[0].answer == "4"


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: tts.Sampling(temp=1), r"sampling has no parameter 'temp'; did you mean 'temperature'\?"),  # type: ignore[call-arg]  # the mistake
    (lambda: tts.Sampling(top_p=3), r"sampling: parameter top_p=3: Input should be less than or equal to 1"),
    (lambda: tts.Engine(sampling={"temperature": 1}), "give a tts.Sampling"),  # type: ignore[arg-type]  # the mistake
    (lambda: tts.compare("sets.jsonl", strategies=None), "strategies=None: give a list of names"),  # type: ignore[arg-type]  # the mistake
    (lambda: tts.compare("sets.jsonl", strategy="gsr"), "no strategy= is taken here"),  # type: ignore[call-arg]  # the mistake
    (lambda: tts.run("1+1", strategies=["gsr"]), "no strategies= is taken here"),  # type: ignore[call-arg]  # the mistake
    (
        lambda: tts.compare("sets.jsonl", grader=5),
        "grader=5: give the name of a grader, 'FILE.py:function', or a function",
    ),  # type: ignore[arg-type]  # the mistake
    (lambda: tts.compare("sets.jsonl", extractor=5), "extractor=5: give the name of an extractor"),  # type: ignore[arg-type]  # the mistake
    (lambda: tts.run("1+1", strategy="mine.py"), "say which class of the file, as in 'mine.py:MyStrategy'"),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG, ids=[sentence[:30] for _, sentence in WRONG])
def test_a_wrong_call_is_refused_in_a_sentence(
    sets: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], sentence: str
) -> None:
    monkeypatch.chdir(sets.parent)
    with pytest.raises(tts.ConfigError, match=sentence):
        call()


@pytest.mark.parametrize("call", ["tts.run('1+1', strategy='best_of_n')", "tts.Sampling(temp=1)"])
def test_a_traceback_is_of_one_error_with_its_public_name(call: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import tts; {call}"], capture_output=True, text=True)
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert "no running event loop" not in done.stderr
    last = [line for line in done.stderr.splitlines() if line and not line.startswith(" ")][-1]
    assert last.startswith(("tts.MissingRoleError: ", "tts.ConfigError: ")), done.stderr
