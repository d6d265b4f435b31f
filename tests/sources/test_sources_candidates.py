from __future__ import annotations

import json
from pathlib import Path

import pytest

import tts
from tts.rows.candidates import row_of
from tts.sources.layout import holds_candidates
from tts.sources.reading import read_candidate_sets
from tts.vocabulary.records import Sampled

ROW = {
    "id": "a",
    "problem": "1+1?",
    "answer": 2,
    "candidates": ["<think>easy</think>\n\nIt is 2", "<think>hmm", "3", ""],
    "correct": [True, False, False, False],
    "models": ["m", "m", "n", "n"],
    "level": 3,
}


def last_word(text: str) -> str | None:
    return text.split()[-1] if text.split() else None


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("name", ["c.jsonl", "c.json", "c.parquet"])
def test_candidate_sets(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "c.parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([ROW]), path)
    else:
        write(path, ROW)
    [(candidates, answer)] = read_candidate_sets(path, extract=last_word)
    assert answer == "2"
    assert [(c.thinking, c.summary, c.answer) for c in candidates] == [
        ("easy", "It is 2", "2"),
        ("hmm", None, None),
        (None, "3", "3"),
        (None, "", None),
    ]
    assert [c.ok for c in candidates] == [True, True, True, False]
    assert candidates.problem.metadata == {
        "level": 3,
        "recorded": {"correct": [True, False, False, False], "models": ["m", "m", "n", "n"]},
    }
    assert holds_candidates(path)


def test_candidates_with_more_than_text() -> None:
    rows = [
        {"problem": "a", "responses": [{"text": "x 1", "logprob": -2.5, "score": 0.5}, {"text": "y", "thinking": "t"}]}
    ]
    [(candidates, _)] = read_candidate_sets(rows, extract=last_word)
    assert (candidates[0].logprob, candidates[0].answer) == (-2.5, "1")
    assert (candidates[1].thinking, candidates[1].summary) == ("t", None)
    assert candidates.problem.metadata["recorded"] == {"score": [0.5, None]}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    [sampled] = read_candidate_sets([ROW], extract=last_word)
    problem = sampled.candidates.problem.model_copy(
        update={"metadata": {"names": ["p", "q", "r", "s"], "recorded": {}}}
    )
    sampled = Sampled(
        sampled.candidates.model_copy(update={"problem": problem, "policy": "m", "sampling": tts.Sampling(top_k=5)}),
        "2",
    )
    assert list(read_candidate_sets(write(tmp_path / "c.jsonl", row_of(sampled)), extract=last_word)) == [sampled]


def test_candidate_sets_that_are_none(tmp_path: Path) -> None:
    for row, message in [
        ({"problem": "a"}, "no column 'candidates'"),
        ({"problem": "a", "candidates": "b"}, "column 'candidates' holds 'b', and candidates are a list"),
        ({"problem": "a", "candidates": [1]}, "candidate 0 is of type int"),
        ({"problem": "a", "candidates": [{"text": "b", "logprob": "high"}]}, "candidate 0: logprob='high'"),
        ({"candidates": ["b"]}, "no column 'problem'"),
        ({"problem": "a", "candidates": [], "sampling": {"heat": 1}}, "sampling has no parameter 'heat'"),
    ]:
        with pytest.raises(tts.TaskError, match=message):
            list(read_candidate_sets([row], extract=last_word))
    [(empty, _)] = read_candidate_sets([{"problem": "a", "candidates": []}], extract=last_word)
    assert len(empty) == 0
    assert not holds_candidates(write(tmp_path / "p.jsonl", {"problem": "a"}))
    assert not holds_candidates("1+1?")


def test_a_column_called_recorded_that_is_no_mapping_is_one_sentence() -> None:
    row = {"problem": "1+1?", "answer": "2", "recorded": "yes", "candidates": ["2", "3"], "correct": [True, False]}
    with pytest.raises(tts.TaskError, match="'recorded' holds 'yes'.*rename it"):
        list(read_candidate_sets([row], extract=last_word))
    [(kept, _)] = read_candidate_sets([{**row, "recorded": {"note": "x"}}], extract=last_word)
    assert kept.problem.metadata["recorded"] == {"note": "x", "correct": [True, False]}
