"""Damage is found, said and taken out; what is only read stays as it is, to the byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doubles import FakeBackend, sums

import tts
from tts.cli import main
from tts.store.care import check_store, forget, repair_store

EARLY = Path(__file__).parents[1] / "data" / "store_version_1.sqlite"


@pytest.fixture
def run(tmp_path: Path, fake: Callable[..., type[FakeBackend]]) -> Callable[..., int]:
    """Sample and decide into a store; how many completions were asked for."""
    cls = fake()

    def work(problems: int = 6, path: str = "s.db", **more: Any) -> int:
        before = cls.completions()
        strategies = more.pop("strategies", ["majority", "first"])
        tts.compare(sums(problems), model="fake:m", strategies=strategies, k=4, store=tmp_path / path, **more)
        return cls.completions() - before

    return work


def change(store: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(sql, values)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["store", *map(str, arguments)])


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("completions", "UPDATE completions SET completion=replace(completion, 'boxed', 'boxde') WHERE idx=1"),
        ("problems", "UPDATE problems SET problem=replace(problem, '1+2', '1+3')"),
        ("draws", "UPDATE draws SET model='another'"),
        ("results", "UPDATE results SET result=replace(result, 'majority', 'first')"),
        ("golds", "UPDATE golds SET answer='7' WHERE answer='3'"),
    ],
)
def test_a_row_that_was_changed_by_hand_is_found_and_asked_for_again(
    tmp_path: Path, run: Callable[..., int], table: str, sql: str
) -> None:
    store = tmp_path / "s.db"
    assert run() == 24
    assert check_store(store).whole
    change(store, sql)
    found = check_store(store)
    assert {one.table for one in found.damaged} == {table}
    told = cli("check", store)
    assert told.exit_code == 1
    assert f"{table} " in told.output
    assert "its checksum does not fit" in told.output
    done = cli("repair", store)
    assert done.exit_code == 0
    assert f"{len(found.damaged)} damaged ones" in done.output
    assert check_store(store).whole
    assert run() == (6 if table == "completions" else 0)
    assert check_store(store).whole


def test_a_damaged_completion_is_never_used(tmp_path: Path, run: Callable[..., int]) -> None:
    store = tmp_path / "s.db"
    run()
    change(store, "UPDATE completions SET completion=replace(completion, 'boxed{', 'boxed{1') WHERE idx=2")
    sentence = r"store .*s.db': completion \w+/2 is damaged, its checksum does not fit; `tts store repair .*s.db` takes"
    with pytest.raises(tts.StoreError, match=sentence):
        run()
    with pytest.raises(tts.StoreError, match=sentence):
        tts.compare(store, strategies=["majority"], k=4)
    with pytest.raises(tts.StoreError, match="repair"):
        forget(store, "empty")


def test_a_damaged_score_is_never_used(tmp_path: Path, run: Callable[..., int], helpers: None) -> None:
    store = tmp_path / "s.db"
    run(strategies=["best_of_n"], scorer="fake:x")
    change(store, "UPDATE calls SET answer=replace(answer, '\"value\":', '\"value\":1')")
    with pytest.raises(tts.StoreError, match=r"call \w+ is damaged"):
        run(strategies=["best_of_n"], scorer="fake:x")
    repair_store(store)
    assert run(strategies=["best_of_n"], scorer="fake:x") == 0


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_are_found_and_what_can_be_read_is_saved(
    tmp_path: Path, run: Callable[..., int], seed: int
) -> None:
    store, rng = tmp_path / "s.db", random.Random(seed)
    run(problems=40)
    change(store, "DELETE FROM claims")
    content = bytearray(store.read_bytes())
    size = len(content)
    for _ in range(3):
        content[rng.randrange(4096, size)] ^= 1 << rng.randrange(8)
    store.write_bytes(content)
    before = check_store(store)
    with closing(sqlite3.connect(f"file:{store}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        except sqlite3.Error:
            sound = False
    assert before.whole or before.damaged or not sound
    if before.whole:
        return  # the bits were in pages that nothing is in
    done = repair_store(store)
    assert (done.aside is not None) == bool(before.file)
    after = check_store(store)
    assert after.whole
    assert after.unsummed == 0
    assert sum(after.rows.values()) >= 0.5 * 40
    run(problems=40)
    assert check_store(store).whole


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_of_a_truncated_file_is_saved_what_is_there(tmp_path: Path, run: Callable[..., int], share: float) -> None:
    store = tmp_path / "s.db"
    run(problems=60)
    change(store, "DELETE FROM claims")
    size = store.stat().st_size
    os.truncate(store, int(size * share) // 4096 * 4096)
    told = cli("check", store)
    assert told.exit_code == 1
    assert isinstance(told.exception, SystemExit)
    done = cli("repair", store)
    assert done.exit_code == 0, done.output
    assert f"what could not be read is in {store}.damaged" in done.output.replace("\n", "")
    assert (tmp_path / "s.db.damaged").stat().st_size == int(size * share) // 4096 * 4096
    assert check_store(store).whole
    asked = run(problems=60)
    assert 0 < asked <= 240
    assert run(problems=60) == 0


def test_what_is_no_store_at_all_is_one_sentence(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    for content in (b"", b"not a database, but long enough to look like one" * 100):
        store.write_bytes(content)
        for command in ("check", "repair", "list"):
            found = cli(command, store)
            assert found.exit_code != 0
            assert isinstance(found.exception, SystemExit), found.exception
            assert found.output.startswith("error: ")
            assert store.read_bytes() == content


# --- early stores ---------------------------------------------------------------------------------------------------


def test_an_early_store_is_migrated_and_its_rows_are_believed_until_they_are_repaired(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    shutil.copy(EARLY, store)
    before = check_store(store)
    assert before.whole
    assert before.unsummed == sum(before.rows.values()) > 0
    with tts.Store(store) as opened:
        sets = [opened.load(found, lambda text: text) for found in opened.sets()]
        counts = opened.counts()
    assert check_store(store).unsummed == before.unsummed
    repair_store(store)
    assert check_store(store).unsummed == 0
    with tts.Store(store) as opened:
        assert [opened.load(found, lambda text: text) for found in opened.sets()] == sets
        assert opened.counts() == counts


# --- only reading ---------------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir() if one.is_file()}


@pytest.mark.parametrize("early", [False, True])
def test_analysis_writes_nothing_into_a_received_store_nor_beside_it(
    tmp_path: Path, run: Callable[..., int], early: bool
) -> None:
    run(path="made.db")
    folder = tmp_path / "received"
    folder.mkdir()
    shutil.copy(EARLY if early else tmp_path / "made.db", folder / "s.db")
    before, store = files(folder), folder / "s.db"
    with tts.Store(store, read_only=True) as opened:
        keys = [found.key for found in opened.sets()]
        with pytest.raises(tts.StoreError, match="is open for reading only"):
            opened.put_problem(tts.Problem(id="p", prompt="1+1"))
    reading: list[list[str | Path]] = [
        ["list", store], ["show", store, keys[0]], ["export", store], ["check", store],
        ["forget", store, "--where", "empty", "--dry-run"], ["copy", store, tmp_path / "copy.db"],
    ]  # fmt: skip
    for arguments in reading:
        done = cli(*arguments)
        assert done.exit_code == 0, (arguments, done.output, done.exception)
    done = CliRunner().invoke(main, ["report", str(store), "-o", str(tmp_path / "report.md")])
    assert done.exit_code == 0 or "holds no decisions" in done.output, done.output
    tts.compare(store, strategies=["majority"], k=2)
    assert files(folder) == before
    assert check_store(tmp_path / "copy.db").rows.items() >= check_store(store).rows.items()


def test_a_store_that_is_written_is_read_with_its_log(tmp_path: Path, run: Callable[..., int]) -> None:
    store = tmp_path / "s.db"
    run(problems=1)
    with tts.Store(store) as writing:
        writing.put_problem(tts.Problem(id="p", prompt="later"), "1")
        tts.run_sync(writing.flushed)
        with tts.Store(store, read_only=True) as reading:
            assert reading.counts()["problems"] == 2


@pytest.mark.skipif(os.getuid() == 0, reason="root writes wherever it likes")
def test_a_folder_that_cannot_be_written_is_read(tmp_path: Path, run: Callable[..., int]) -> None:
    run()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert cli("list", tmp_path / "s.db").exit_code == 0
        with pytest.raises(tts.StoreError, match="is read-only; copy it to where it can be"):
            run(problems=7)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


# --- forgetting -----------------------------------------------------------------------------------------------------


def test_what_is_forgotten_is_asked_for_again_and_decisions_go_with_it(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]]
) -> None:
    cls = fake(script=lambda _request, index: "" if index == 1 else f"so \\boxed{{{index}}}")
    store = tmp_path / "s.db"

    def work() -> int:
        before = cls.completions()
        tts.compare(sums(3), model="fake:m", strategies=["majority"], k=3, store=store)
        return cls.completions() - before

    fake_usage = work()
    assert fake_usage == 9
    kept = check_store(store).rows
    dry = cli("forget", store, "--where", "text ~ 'boxed{2}'", "--dry-run")
    assert "3 of" in dry.output
    assert "nothing is deleted" in dry.output
    assert check_store(store).rows == kept
    done = cli("forget", store, "--where", "text ~ 'boxed{2}' and not (index < 2 or truncated)")
    assert "3 of" in done.output
    assert "3 decisions are deleted" in done.output
    found = check_store(store)
    assert (found.whole, found.rows["completions"], found.rows.get("results", 0)) == (True, kept["completions"] - 3, 0)
    assert work() >= 3
    assert check_store(store).rows["completions"] == kept["completions"]
    wrong = cli("forget", store, "--where", "finish=error or emtpy")
    assert "there is no field 'emtpy'; did you mean 'empty'" in wrong.output


# --- two problems of one text ---------------------------------------------------------------------------------------


def test_two_problems_of_one_text_keep_both_answers(tmp_path: Path, fake: Callable[..., type[FakeBackend]]) -> None:
    cls = fake(script=lambda *_: "so \\boxed{3}")
    store = tmp_path / "s.db"
    twins = [
        tts.Example(problem=tts.Problem(id="right", prompt="1+2"), answer="3"),
        tts.Example(problem=tts.Problem(id="wrong", prompt="1+2"), answer="4"),
        tts.Example(problem=tts.Problem(id="other", prompt="2+2"), answer="3"),
    ]
    live = tts.compare(twins, model="fake:m", strategies=["majority"], k=2, store=store)
    with tts.Store(store, read_only=True) as opened:
        found = {one.problem.id: (one.answer, one.stored) for one in opened.sets()}
    assert found == {"right": ("3", 2), "wrong": ("4", 2), "other": ("3", 2)}
    again = tts.compare(store, strategies=["majority"], k=2)
    assert again.to_dict()["strategies"]["majority"]["accuracy"] == live.to_dict()["strategies"]["majority"]["accuracy"]
    from tts.report.stored import stored_run

    told = stored_run(store)
    assert told.to_dict()["strategies"]["majority"]["accuracy"] == live.to_dict()["strategies"]["majority"]["accuracy"]
    shown = json.loads(cli("show", store, "--json", next(iter(tts.Store(store, read_only=True).sets())).key).output)
    assert shown["answer"] in {"3", "4"}
    assert cls.completions() == 4


def test_the_same_problem_twice_is_one_set(tmp_path: Path, fake: Callable[..., type[FakeBackend]]) -> None:
    fake()
    same = [tts.Example(problem=tts.Problem(id=name, prompt="1+2"), answer="3") for name in ("a", "b")]
    tts.sample(same, model="fake:m", k=2, store=tmp_path / "s.db")
    with tts.Store(tmp_path / "s.db", read_only=True) as opened:
        assert len(list(opened.sets())) == 1
