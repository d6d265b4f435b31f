"""The ledger of batches: each request in one file, whoever asks, whenever, and however often."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from tts_backends.openai_batch.entry import Entry, State
from tts_backends.openai_batch.ledger import Ledger
from tts_backends.openai_batch.row import Answer, Row


def row(number: int, size: int = 0) -> Row:
    name = f"tts-{number:032d}"
    line = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": {"x": "x" * size}}
    return Row(name, json.dumps(line).encode() + b"\n")


def good(name: str) -> bytes:
    body = {"choices": [{"index": 0, "message": {"content": name}, "finish_reason": "stop"}]}
    line = {"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}
    return json.dumps(line).encode() + b"\n"


def over(entry: Entry, answered: list[str], status: str = "completed") -> None:
    entry.answers.write_bytes(b"".join(map(good, answered)))
    entry.note(status=status, over=True)


def files(folder: Path) -> Counter[str]:
    """How many files have each request."""
    found = [path for path in folder.glob("*.jsonl") if not path.name.endswith((".out.jsonl", ".err.jsonl"))]
    return Counter(name for path in found for name in Entry(folder, path.stem).ids)


def test_whoever_asks_at_the_same_time_each_request_is_in_one_file(tmp_path: Path) -> None:
    rng = random.Random(0)
    wanted = [rng.sample(range(60), 40) for _ in range(8)]

    def ask(numbers: list[int]) -> dict[str, str]:
        placed = Ledger(tmp_path).place([row(number) for number in numbers], most=7)
        return {name: entry.name for name, entry in placed.where.items()}

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, wanted))
    assert set(files(tmp_path).values()) == {1}
    where: dict[str, str] = {}
    for numbers, one in zip(wanted, found, strict=True):
        assert set(one) == {row(number).id for number in numbers}
        assert all(where.setdefault(name, entry) == entry for name, entry in one.items())
    assert max(Counter(where.values()).values()) <= 7


@pytest.mark.parametrize("again", [False, True], ids=["the same process", "another"])
def test_what_a_finished_batch_left_out_is_placed_anew_and_nothing_else(tmp_path: Path, again: bool) -> None:
    rows = [row(number) for number in range(6)]
    ledger = Ledger(tmp_path)
    (first,) = ledger.place(rows, 50).new
    over(first, [rows[0].id, rows[3].id], "expired")
    ledger = Ledger(tmp_path) if again else ledger
    placed = ledger.place(rows, 50)
    (second,) = placed.new
    assert {name for name, entry in placed.where.items() if entry.name == first.name} == {rows[0].id, rows[3].id}
    assert set(second.ids) == {rows[at].id for at in (1, 2, 4, 5)}
    ledger = Ledger(tmp_path) if again else ledger
    assert ledger.place(rows, 50).new == []  # it is under way
    over(second, list(second.ids))
    assert Ledger(tmp_path).place(rows, 50).new == []
    assert second.answers_to({rows[1].id})[rows[1].id].good


def test_files_end_at_the_limit_of_rows_and_of_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_backends.openai_batch.ledger.MOST_BYTES", 4000)
    placed = Ledger(tmp_path).place([row(number, size=900) for number in range(10)], 50)
    assert [len(entry.ids) for entry in placed.new] == [3, 3, 3, 1]
    assert all(entry.requests.stat().st_size <= 4000 for entry in placed.new)


def test_what_is_over_for_long_is_deleted_and_what_is_not_over_never(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    entries = [ledger.place([row(number)], 50).new[0] for number in range(3)]
    over(entries[0], [row(0).id])
    over(entries[1], [row(1).id])
    for entry in entries[1:]:
        long_ago = time.time() - 40 * 86_400
        os.utime(entry.requests, (long_ago, long_ago))
    assert [len(Ledger(tmp_path).place([row(number)], 50).new) for number in range(3)] == [0, 1, 0]
    assert not list(tmp_path.glob(f"{entries[1].name}*"))


def test_what_is_known_of_a_batch_is_read_by_others_and_nobody_elses_business(tmp_path: Path) -> None:
    (entry,) = Ledger(tmp_path / "ledger").place([row(1)], 50).new
    assert entry.state == State()
    entry.note(file="file-1")
    assert Entry(entry.folder, entry.name).note(batch="batch_1") == State("file-1", "batch_1")
    kept = [path for path in entry.folder.iterdir() if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    with entry.held() as mine, Entry(entry.folder, entry.name).held() as other:
        assert (mine, other) == (True, False)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b'{"custom_id": "a", "response": {"choices": [{}]}}', Answer({"choices": [{}]})),
        (b'{"custom_id": "a", "response": null, "error": {"code": "batch_expired"}}', Answer(why="batch_expired")),
        (b'{"custom_id": "a", "response": null, "error": null}', Answer(why="its line of the answers has none")),
        (b'{"custom_id": "a", "response": {"status_code": 429, "body": {"error": {}}}}', Answer({"error": {}}, 429)),
        (b'{"custom_id": "a", "response": {"status_code": 200, "body": {"error": {"m": 1}}}}',
         Answer({"error": {"m": 1}}, 500)),
        (b'{"custom_id": "a", "response": {"status_code": 200, "body": null}}',
         Answer(why="its line of the answers has no completion (status 200)")),
    ],
)  # fmt: skip
def test_lines_of_answers_in_the_forms_that_there_are(line: bytes, answer: Answer) -> None:
    assert Answer.read(line) == ("a", answer)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"custom_id": 3}', b"\xff\xfe", b'"custom_id"'])
def test_a_damaged_line_is_no_answer(line: bytes) -> None:
    assert Answer.read(line) is None
