"""Samples that lm-evaluation-harness itself has written; see data/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.interop import detect

DATA = Path(__file__).parent / "data"
SAMPLES = DATA / "own__scripted" / "samples_own_words.jsonl"


def read(path: Path, **parameters: Any) -> list[tts.Sampled]:
    extract = tts.plugins().resolve("extractor", "auto")
    return list(tts.read_candidate_sets(path, extract=extract, **parameters))


def answers(found: tts.Sampled) -> list[str | None]:
    return [candidate.answer for candidate in found.candidates]


def test_the_format_is_found_out() -> None:
    assert detect(SAMPLES) == "lm-eval"


def test_lm_eval_repeats_are_candidates_and_later_filters_are_left_out() -> None:
    assert len(SAMPLES.read_text().splitlines()) == 4
    pens, cards = read(SAMPLES)
    assert [answers(pens), answers(cards)] == [["84", "19", "84"], ["32", "68", "32"]]
    assert (pens.answer, cards.answer) == ("84", "32")


def test_lm_eval_keeps_question_prompt_model_and_sampling() -> None:
    pens = read(SAMPLES)[0].candidates
    assert pens.problem.text == "A box holds 12 pens. How many pens are in 7 boxes?"
    assert pens.problem.metadata["request"][0]["content"] == f"Question: {pens.problem.text}\nAnswer:"
    assert pens.problem.metadata["grade"] == 3
    assert "answer" not in pens.problem.metadata
    assert pens.policy == "own__scripted"
    assert pens.sampling is not None
    assert (pens.sampling.temperature, pens.sampling.max_tokens) == (0.7, 64)


def test_lm_eval_log_likelihoods_have_no_responses(tmp_path: Path) -> None:
    row = json.loads(SAMPLES.read_text().splitlines()[0])
    row["arguments"]["gen_args_0"]["arg_1"] = " yes"
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(tts.TaskError, match=r"samples.jsonl, line 1: the task compares log-likelihoods"):
        read(path)


def test_files_are_compared_without_a_store() -> None:
    direct = tts.compare(SAMPLES, strategies=["first", "majority"], k=3)
    assert [one.answer for one in direct.results if one.provenance.strategy == "majority"] == ["84", "32"]
