from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

import tts
from tts.tasks._pinned import Benchmark, Pin, checksum

DATA = Path(__file__).parent / "data"
PUBLISHED = ("aime24", "aime25", "amc22_23", "gsm8k", "knights_knaves", "knights_knaves_choice", "math500")


def read(name: str, **parameters: object) -> list[tts.Example]:
    return list(tts.task(name, data_dir=DATA, check=False, **parameters).examples())


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Iterator[None]:
        raise AssertionError("a test asked the hub")

    monkeypatch.setattr("tts.tasks._pinned.rows_of_hub", refuse)


def test_every_task_is_a_plugin_like_a_strangers() -> None:
    assert {*PUBLISHED, "olympiadbench", "reasoning_gym", "sums", "table"} <= set(tts.plugins().names("task"))


@pytest.mark.parametrize("name", [*PUBLISHED, "olympiadbench"])
def test_grader_and_extractor_of_a_task_exist(name: str) -> None:
    task = tts.task(name)
    assert tts.plugins().resolve("grader", task.grader)
    assert tts.plugins().resolve("extractor", task.extractor)


def test_aime_answers_and_ids() -> None:
    first, second = read("aime24")
    assert (first.problem.id, second.answer) == ("60", "30")
    assert first.problem.metadata == {"url": "https://example.org/1", "year": "2024"}


def test_an_answer_that_is_a_float_is_a_whole_number() -> None:
    [example] = read("amc22_23")
    assert example.answer == "23"


def test_math500_keeps_latex_and_its_own_id() -> None:
    [example] = read("math500")
    assert (example.problem.id, example.answer) == ("test/algebra/own1.json", r"\pm 2")


def test_gsm8k_answers_are_what_follows_the_hashes_without_separators() -> None:
    [example] = read("gsm8k")
    assert example.answer == "2125"


def test_olympiadbench_has_lists_tolerances_and_context() -> None:
    listed, near = read("olympiadbench")
    assert (listed.answer, near.answer) == ("$3$,$-3$", "41.7 ± 1e-1")
    assert near.problem.text.startswith("Give one decimal.\n\nWhat share")
    assert "final_answer" not in near.problem.metadata


@pytest.mark.parametrize("name", [*PUBLISHED[:5], "olympiadbench"])
def test_no_gold_answer_or_solution_reaches_the_metadata(name: str, tmp_path: Path) -> None:
    stem = {"aime25": "aime24", "amc22_23": "amc"}.get(name, name)
    task = tts.task(name, data_dir=DATA / f"{stem}.jsonl", check=False)
    for example in task.examples():
        assert not {"answer", "solution", "final_answer", "error"} & example.problem.metadata.keys()


def test_the_number_of_problems_is_checked() -> None:
    with pytest.raises(tts.TaskError, match=r"aime24 has 30 problems, .* has 2; use task:aime24@check=false"):
        list(tts.task("aime24", data_dir=DATA).examples())


def test_a_reference_names_the_folder() -> None:
    assert len(list(tts.read_examples(f"task:aime24@data_dir={DATA},check=false"))) == 2


def test_a_folder_without_a_copy_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(tts.TaskError, match=r"no copy of math500; put HuggingFaceH4/MATH-500 there as 'math500'"):
        list(tts.task("math500", data_dir=tmp_path).examples())


def test_a_row_without_a_question_is_named(tmp_path: Path) -> None:
    path = tmp_path / "olympiadbench.jsonl"
    path.write_text(json.dumps({"final_answer": ["1"]}))
    with pytest.raises(tts.TaskError, match=r"olympiadbench.jsonl, line 1: no column 'question' or 'problem'"):
        list(tts.task("olympiadbench", data_dir=path).examples())


def test_the_hub_is_asked_for_the_pinned_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def rows(name: str, options: dict[str, str]) -> Iterator[None]:
        asked.append((name, options))
        return iter(())

    monkeypatch.setattr("tts.tasks._pinned.rows_of_hub", rows)
    list(tts.task("gsm8k", check=False).examples())
    revision = "740312add88f781978c0658806c59bc2815b9866"
    assert asked == [("openai/gsm8k", {"split": "test", "config": "main", "revision": revision})]


class Tiny(Benchmark):
    name: ClassVar[str] = "tiny"
    pin: ClassVar[Pin] = Pin("own/tiny", "test", None, {2: checksum(["7", "x + 1"]), 3: None})


def written(tmp_path: Path, *answers: str) -> Path:
    path = tmp_path / "tiny.jsonl"
    path.write_text("".join(json.dumps({"problem": f"p{a}", "answer": a}) + "\n" for a in answers))
    return path


def test_another_order_and_spacing_is_the_same_benchmark(tmp_path: Path) -> None:
    assert len(list(Tiny(data_dir=written(tmp_path, "$x+1$", "007")).examples())) == 2


def test_another_answer_is_another_benchmark(tmp_path: Path) -> None:
    with pytest.raises(tts.TaskError, match=r"checksum .* task:tiny@check=false"):
        list(Tiny(data_dir=written(tmp_path, "x+1", "8")).examples())


def test_a_file_of_the_hub_may_differ_because_it_was_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tts.rows.files import rows_of_file

    monkeypatch.setattr("tts.tasks._pinned.rows_of_hub", lambda *_: rows_of_file(written(tmp_path, "x + 1", "7.0")))
    with pytest.raises(tts.TaskError, match=r"written another way \(.* of own/tiny were not seen\); use"):
        list(Tiny().examples())


def test_an_edition_without_a_known_checksum_is_taken_by_its_size(tmp_path: Path) -> None:
    assert len(list(Tiny(data_dir=written(tmp_path, "1", "2", "3")).examples())) == 3
