from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tts
from tts_trainers.hybrid.training_rows import open_rows
from tts_trainers.rows import Row, checked_row, read_rows, row, write_rows

ROWS = [
    row(
        [tts.Message(role="user", content=f"é {i}\n")],
        "<think>\n</think>\n\n1",
        "refine",
        problem_id=f"p{i}",
        n_correct=i or None,
    )
    for i in range(1200)
]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl"])
def test_what_is_written_is_read_and_is_the_same_bytes_again(tmp_path: Path, name: str) -> None:
    assert write_rows(tmp_path / name, iter(ROWS)) == len(ROWS)
    assert list(read_rows(tmp_path / name)) == ROWS
    before = (tmp_path / name).read_bytes()
    write_rows(tmp_path / name, ROWS)
    assert (tmp_path / name).read_bytes() == before


def test_datasets_reads_it(tmp_path: Path) -> None:
    import datasets

    write_rows(tmp_path / "train.parquet", ROWS[:3])
    data = datasets.Dataset.from_parquet(str(tmp_path / "train.parquet"), cache_dir=str(tmp_path))
    assert data[2]["prompt"] == ROWS[2]["prompt"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.csv", "", r"in \.parquet or \.jsonl files"),
        ("rows.jsonl", '{"prompt": [], "text": ""}\n', r"row 1: .*no column 'completion'; it has 'prompt', 'text'"),
        ("rows.jsonl", "{}\n", r"row 1: .*no column 'completion'; it has none"),
        ("rows.jsonl", "3\n", r"row 1: a training row is a JSON object, not int"),
        ("rows.jsonl", "{\n", r"line 1: .*column"),
        ("other.jsonl", None, r"no file .*tts train-data"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(tts.TTSError, match=message):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "dirct"}, "column 'objective' must be 'direct' or 'refine', and is 'dirct'"),
        ({"objective": ["direct"]}, "column 'objective' must be 'direct' or 'refine', and is ['direct']"),
        ({"prompt": "1+1?"}, "column 'prompt' must be a list of messages {role, content}, and is '1+1?'"),
        ({"prompt": []}, "column 'prompt' must be a list of messages {role, content}, and is []"),
        (
            {"completion": ROWS[0]["completion"] * 2},
            "column 'completion' must be a list of one message {role, content}",
        ),
        ({"completion": [{"role": "assistant", "content": 2}]}, "column 'completion' must be a list of one message"),
        ({"n_correct": "2"}, "column 'n_correct' must be a whole number or nothing, and is '2'"),
        ({"n_correct": 1.5}, "column 'n_correct' must be a whole number or nothing, and is 1.5"),
        ({"problem_id": None}, "column 'problem_id' must be text, and is None"),
        ({"provenance": ["web"]}, "column 'provenance' must be an object or its JSON text, and is ['web']"),
    ],
)
def test_a_column_of_another_kind_names_row_and_column(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(tts.TaskError) as caught:
        checked_row(ROWS[0] | changes, "f, row 3")
    assert str(caught.value).startswith(f"f, row 3: the {message}")
    assert len(str(caught.value)) < 200


def test_harmless_columns_are_read() -> None:
    given = ROWS[0] | {"problem_id": 7, "n_correct": 2.0, "provenance": {"b": 1, "a": 2}, "comment": "mine"}
    assert checked_row(given, "") == ROWS[0] | {"problem_id": "7", "n_correct": 2, "provenance": '{"a": 2, "b": 1}'}
    assert checked_row(ROWS[0] | {"n_correct": float("nan"), "provenance": None}, "") == ROWS[0]


@pytest.mark.parametrize("named", ["hub:org/rows", "rows.jsonl", "rows.parquet"])
def test_rows_for_training_are_checked_wherever_they_come_from(
    tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    odd = [one | {"n_correct": 1.0} for one in ROWS[:3]]
    source = named if named.startswith("hub:") else str(tmp_path / named)
    data = datasets.Dataset.from_list(odd)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: {("org/rows", "train"): data}[name, split])
    data.to_json(tmp_path / "rows.jsonl")
    data.to_parquet(tmp_path / "rows.parquet")
    assert open_rows(source, tmp_path / "cache").to_list() == [one | {"n_correct": 1} for one in ROWS[:3]]
    data = datasets.Dataset.from_list([*odd, odd[0] | {"n_correct": 0.5}])
    data.to_json(tmp_path / "rows.jsonl")
    data.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(tts.TaskError, match=rf"{re.escape(source)}, row 4: the column 'n_correct' must be a whole"):
        open_rows(source, tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "message"),
    [("bytes.jsonl", r"line 1: this is not UTF-8 text"), ("bytes.parquet", r"is not a Parquet file")],
)
def test_files_of_another_kind(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(tts.TaskError, match=message):
        list(read_rows(tmp_path / name))


def test_no_rows(tmp_path: Path) -> None:
    nothing: list[Row] = []
    assert write_rows(tmp_path / "none.parquet", nothing) == 0
    assert list(read_rows(tmp_path / "none.parquet")) == nothing
