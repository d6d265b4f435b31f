from __future__ import annotations

from pathlib import Path

import pytest

import tts
from tts_trainers.rows import Row, read_rows, row, write_rows

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
