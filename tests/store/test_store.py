"""The store keeps what it is given, under the right key, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from doubles import sums
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.store.codec import decode_completion, encode_completion
from tts.store.sqlite import SqliteFile

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(
    text=TEXT,
    thinking=st.none() | TEXT,
    summary=st.none() | TEXT,
    reason=st.sampled_from(["stop", "length"]),
    logprob=st.none() | st.floats(-1e6, 0),
    part=st.booleans(),
)
def test_completions_survive_the_codec(text, thinking, summary, reason, logprob, part) -> None:
    if part:
        text = f"<think>{thinking}</think>{summary}"
    usage = tts.Usage(calls=1, prompt_tokens=3, cached_tokens=2, thinking_tokens=5, answer_tokens=7, cancelled=1)
    usage = usage.took(0.25)
    completion = tts.Completion(
        index=4, text=text, thinking=thinking, summary=summary, finish_reason=reason, logprob=logprob, usage=usage
    )
    again = decode_completion(encode_completion(completion), 4)
    assert again == completion
    assert again.usage.seconds == 0.25


def test_a_completion_of_an_early_store_has_no_seconds() -> None:
    row = '{"text":"so","usage":[1,3,2,5,7,0]}'
    assert decode_completion(row, 0).usage == tts.Usage(
        calls=1, prompt_tokens=3, cached_tokens=2, thinking_tokens=5, answer_tokens=7
    )
    assert decode_completion(row, 0).usage.seconds == 0.0


def test_parts_of_the_text_are_stored_once() -> None:
    thinking, summary = "long thoughts " * 100, "short answer"
    text = f"<think>{thinking}</think>{summary}"
    row = encode_completion(tts.Completion(index=0, text=text, thinking=thinking, summary=summary))
    assert len(row) < len(text) + 100


def put(store: tts.Store, key: str, *indices: int, word: str = "x") -> None:
    problem = sums(1)[0].problem
    store.put_problem(problem, "1")
    store.put_draw(key, problem, "sample", "m", tts.Sampling(), [tts.Message(role="user", content="q")])
    for index in indices:
        store.put_completion(key, index, tts.Completion(index=index, text=f"{word}{index}", summary=f"{word}{index}"))


def test_what_was_stored_first_stays_and_k_grows(tmp_path: Path) -> None:
    with tts.Store(tmp_path / "s.db") as store:
        put(store, "a", 0, 1, word="first")
        put(store, "a", 0, 1, 2, 3, word="second")
        asyncio.run(store.flushed())
        assert [c.text for c in store.completions("a").values()] == ["first0", "first1", "second2", "second3"]
        (found,) = store.sets()
        assert (found.stored, found.answer, found.sampling) == (4, "1", tts.Sampling())
        assert [c.index for c in store.load(found, lambda text: text)] == [0, 1, 2, 3]


@pytest.mark.parametrize("reason", ["error", "refused"])
def test_a_completion_that_failed_is_not_taken(tmp_path: Path, reason: str) -> None:
    with tts.Store(tmp_path / "s.db") as store:
        with pytest.raises(tts.StoreError, match=f"completion 3 of draw a is '{reason}'"):
            store.put_completion("a", 3, tts.Completion(index=3, text="", finish_reason=reason, error="why"))
        assert store.counts()["completions"] == 0


def test_a_known_answer_is_not_forgotten(tmp_path: Path) -> None:
    problem = sums(1)[0].problem
    with tts.Store(tmp_path / "s.db") as store:
        put(store, "a", 0)
        store.put_problem(problem, None)
        asyncio.run(store.flushed())
        assert next(store.sets()).answer == "1"


def test_a_completion_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with tts.Store(tmp_path / "s.db") as store:
        store._put("completion", "key", 0, '{"text": "1", "finish_reason": "eos", "usage": [1, 2, 0, 0, 1, 0]}')
        asyncio.run(store.flushed())
        with pytest.raises(tts.StoreError, match="draw key holds what is no completion"):
            store.completions("key")


def test_many_sets_are_paged_in_key_order(tmp_path: Path) -> None:
    with tts.Store(tmp_path / "s.db") as store:
        for i in range(1203):
            put(store, f"{i:06x}", 0)
        asyncio.run(store.flushed())
        keys = [found.key for found in store.sets()]
        assert keys == sorted(keys)
        assert len(keys) == 1203
        assert [found.key for found in store.sets("0000a")] == [f"0000a{d:x}" for d in range(16)]


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    script = (
        "import sys, tts\n"
        "with tts.Store(sys.argv[1]) as store:\n"
        "    for i in range(500):\n"
        "        store.put_completion(sys.argv[2], i, tts.Completion(index=i, text=sys.argv[2] + str(i)))\n"
        "        store.put_completion('shared', i, tts.Completion(index=i, text='same'))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    with tts.Store(path) as store:
        assert [len(store.completions(key)) for key in ("a", "b", "shared")] == [500, 500, 500]


def test_many_openings_of_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    def open_and_close(path: Path, barrier: threading.Barrier) -> None:
        barrier.wait(30)
        tts.Store(path).close()

    for turn in range(20):  # SQLite refuses a switch to WAL at once, without waiting, while another process switches
        path, barrier = tmp_path / f"{turn}.db", threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            for opened in [pool.submit(open_and_close, path, barrier) for _ in range(8)]:
                opened.result()
        with tts.Store(path) as store:
            put(store, "a", 0)
        with tts.Store(path) as store:
            assert store.completions("a")[0].text == "x0"


def test_another_schema_version_says_how_to_migrate(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    tts.Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(
        tts.StoreError, match=r"schema version 99 and this ttscale reads 3; export it .*tts store import"
    ):
        tts.Store(path)


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, " * 100)
    with pytest.raises(tts.StoreError, match="it is not a SQLite file"):
        tts.Store(text)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine(x)")
    connection.close()
    with pytest.raises(tts.StoreError, match="not a ttscale store"):
        tts.Store(other)
    assert text.read_text().startswith("not a database")


def test_a_folder_as_path_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(tts.StoreError, match=r"store '.*'"):
        tts.Store(tmp_path)


def test_a_locked_store_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = tts.Store(path, busy_seconds=0.05)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    put(store, "a", 0)
    with pytest.raises(tts.StoreError, match=r"stayed locked for 0.05 s; another process is writing"):
        asyncio.run(store.flushed())
    other.rollback()
    other.close()
    with pytest.raises(tts.StoreError):
        store.close()


def test_a_full_disk_ends_the_run_and_keeps_what_was_committed(tmp_path: Path, fake, monkeypatch) -> None:
    fake(script=lambda *_: "\\boxed{1}" + "x" * 500)
    path = tmp_path / "s.db"
    opened = SqliteFile.connect

    def connect(self: SqliteFile) -> sqlite3.Connection:
        connection = opened(self)
        connection.execute("PRAGMA max_page_count=120")
        return connection

    monkeypatch.setattr(SqliteFile, "connect", connect)
    with pytest.raises(tts.StoreError, match="the disk is full; free some space and run the same command again"):
        tts.run(sums(400), strategy="majority", model="fake:m", store=path)
    monkeypatch.undo()
    backend = fake(script=lambda *_: "\\boxed{1}" + "x" * 500)
    with tts.Store(path) as store:
        kept = store.counts()["completions"]
    assert kept > 0
    tts.run(sums(400), strategy="majority", model="fake:m", store=path)
    assert backend.completions() == 1600 - kept


def test_killed_while_writing_loses_only_what_was_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    script = (
        "import asyncio, os, signal, sys, tts\n"
        "async def main():\n"
        "    store = tts.Store(sys.argv[1])\n"
        "    for i in range(10_000):\n"
        "        store.put_completion('a', i, tts.Completion(index=i, text='t' * 50))\n"
        "        if i % 100 == 99:\n"
        "            await store.flushed()\n"
        "            print(i + 1, flush=True)\n"
        "            if i > 3000: os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    promised = int(done.stdout.split()[-1])
    with tts.Store(path) as store:
        assert len(store.completions("a")) >= promised > 3000


def test_results_are_kept_without_their_candidates(tmp_path: Path, fake) -> None:
    fake()
    tts.run(sums(2), strategy="gsr", model="fake:m", store=tmp_path / "s.db")
    with tts.Store(tmp_path / "s.db") as store:
        results = list(store.results())
    assert len(results) == 2
    assert results[0][1]["provenance"]["strategy"] == "gsr"
    assert "candidates" not in json.dumps(results)
