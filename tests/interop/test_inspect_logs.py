"""Logs that inspect_ai itself has written; see data/README.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import tts
from tts.interop import detect

DATA = Path(__file__).parent / "data"
LOGS = [DATA / "words.eval", DATA / "words.json"]


def read(path: Path, **parameters: Any) -> list[tts.Sampled]:
    extract = tts.plugins().resolve("extractor", "auto")
    return list(tts.read_candidate_sets(path, extract=extract, **parameters))


def answers(found: tts.Sampled) -> list[str | None]:
    return [candidate.answer for candidate in found.candidates]


def need_zstandard(path: Path) -> None:
    if path.suffix == ".eval" and sys.version_info < (3, 14):
        pytest.importorskip("zipfile_zstd", reason="the extra ttscale[inspect] is not installed")


def test_the_format_is_found_out() -> None:
    assert [detect(path) for path in LOGS] == ["inspect", "inspect"]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.suffix)
def test_inspect_epochs_are_candidates(path: Path) -> None:
    need_zstandard(path)
    found = {one.candidates.problem.id: one for one in read(path)}
    assert answers(found["pens"]) == ["84", "19", "84"]
    assert answers(found["cards"]) == ["32", "68", "32"]
    assert (found["pens"].answer, found["cards"].answer) == ("84", "32")


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.suffix)
def test_inspect_keeps_what_was_sent_spent_and_scored(path: Path) -> None:
    need_zstandard(path)
    found = {one.candidates.problem.id: one.candidates for one in read(path)}
    first, cut = found["pens"][0], found["cards"][1]
    assert found["pens"].problem.metadata["request"][0]["content"].startswith("Solve this.")
    assert found["pens"].problem.metadata["grade"] == 3
    assert (first.thinking, first.summary) == ("multiply", "12*7 is 84. The answer is 84")
    assert (first.usage.prompt_tokens, first.usage.thinking_tokens, first.usage.answer_tokens) == (20, 4, 5)
    assert (first.finish_reason, cut.finish_reason) == ("stop", "length")
    assert [one["match"] for one in found["cards"].problem.metadata["recorded"]["scores"]] == [1.0, 0.0, 1.0]
    sampling = found["pens"].sampling
    assert sampling is not None
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.8, 0.9, 64)


def test_an_unfinished_log_says_how_to_finish_it(tmp_path: Path) -> None:
    path = tmp_path / "run.eval"
    with ZipFile(path, "w") as archive:
        archive.writestr("samples/a_epoch_1.json", "{}")
    with pytest.raises(tts.TaskError, match="has no header; the evaluation has not ended"):
        read(path)
    path.write_bytes(b"no archive")
    with pytest.raises(tts.TaskError, match=r"run.eval cannot be read as a log of inspect_ai"):
        read(path)


def test_a_sample_that_failed_keeps_its_place(tmp_path: Path) -> None:
    log = json.loads(LOGS[1].read_text())
    failed = next(sample for sample in log["samples"] if sample["id"] == "pens" and sample["epoch"] == 2)
    failed["error"] = {"message": "out of memory", "traceback": "", "traceback_ansi": ""}
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    found = {one.candidates.problem.id: one.candidates for one in read(path)}
    assert [candidate.error for candidate in found["pens"]] == [None, "out of memory", None]
