from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import tts


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.csv"
    path.write_text("nr,frage,wert\n1,What is pi?,3.14\n2,What is e?,\n")
    return path


def test_columns_grader_and_tolerance_are_named_in_the_reference(sheet: Path) -> None:
    task = tts.task(f"table:{sheet}", id="nr", problem="frage", answer="wert", tolerance=0.01)
    assert task.grader == "numeric"
    assert [(e.problem.id, e.answer) for e in task.examples()] == [("1", "3.14 ± 0.01"), ("2", None)]


def test_the_same_as_one_string(sheet: Path) -> None:
    reference = f"task:table:{sheet}@id=nr,problem=frage,answer=wert,tolerance=1%,grader=answers"
    assert [e.answer for e in tts.read_examples(reference)] == ["3.14 ± 1%", None]
    assert tts.task(reference.removeprefix("task:").partition("@")[0], grader="choice").grader == "choice"


def test_a_checksum_of_the_file(sheet: Path) -> None:
    known = hashlib.sha256(sheet.read_bytes()).hexdigest()
    columns = {"problem": "frage", "answer": "wert"}
    assert len(list(tts.task(f"table:{sheet}", sha256=known[:12], **columns).examples())) == 2
    with pytest.raises(tts.TaskError, match=r"has the SHA-256 .*, not 00000000; it is not the file that was meant"):
        list(tts.task(f"table:{sheet}", sha256="00000000", **columns).examples())


def test_a_hub_data_set_with_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def rows(name: str, options: dict[str, str]) -> list[object]:
        asked.append((name, options))
        return []

    monkeypatch.setattr("tts.sources.opening.rows_of_hub", rows)
    list(tts.task("table:hub:me/mine", split="test", revision="abc").examples())
    assert asked == [("me/mine", {"split": "test", "revision": "abc"})]


def test_a_tolerance_that_is_no_number_is_refused(sheet: Path) -> None:
    with pytest.raises(tts.ConfigError, match="tolerance"):
        tts.task(f"table:{sheet}", tolerance="small")


def test_a_task_that_takes_nothing_after_a_colon_says_so() -> None:
    with pytest.raises(tts.ConfigError, match=r"task 'sums' takes nothing after a colon; write 'task:sums@"):
        list(tts.read_examples("task:sums:20"))
