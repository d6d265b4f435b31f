"""Several processes on one store are one run: nothing is asked for twice, and all of them have one table."""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from several import PER_PROBLEM, Group, asked_once
from waiting import until


def claims(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("claims", "holders"))


@pytest.mark.parametrize("count", [2, 4, 8])
def test_they_ask_for_what_one_would_and_print_one_table(tmp_path: Path, count: int) -> None:
    store, log = tmp_path / "s.db", tmp_path / "asked.txt"
    together = Group(store, log, count, problems=24)
    tables = together.tables()
    assert len(set(tables)) == 1
    asked = asked_once(log)
    assert max(asked.values()) == 1, "nothing is asked for twice"
    assert Group(store, log, 1, problems=24).tables() == tables[:1], "what they printed is what is stored"
    assert asked_once(log) == asked, "what one process wants is stored, no more, no less"
    assert claims(store) == 0


def test_several_processes_share_the_work(tmp_path: Path) -> None:
    log = tmp_path / "asked.txt"
    Group(tmp_path / "s.db", log, 2, problems=40, delay=0.1).tables()
    shares = Counter(asked.partition(" ")[0] for asked in log.read_text().splitlines())
    assert min(shares.values()) > 0.25 * shares.total()
    assert len(shares) == 2


@pytest.mark.parametrize("victim", [0, 1, 2, 3])
def test_after_a_kill_the_others_finish(tmp_path: Path, victim: int) -> None:
    log = tmp_path / "asked.txt"
    together = Group(tmp_path / "s.db", log, 4, problems=24)
    together.until_asked(40 + 40 * victim)
    together.members[victim].send_signal(signal.SIGKILL)
    tables = together.tables(ended=(victim,))
    assert len(set(tables)) == 1
    again = sum(count - 1 for count in asked_once(log).values())
    assert again <= 8 + 8 * 10, "asked again is what the dead process had in flight"


def test_a_stopped_process_goes_on_with_what_the_others_stored_meanwhile(tmp_path: Path) -> None:
    """Its lease ends, another takes its work over; the rows that were first are in both tables."""
    log = tmp_path / "asked.txt"
    together = Group(tmp_path / "s.db", log, 2, problems=16, delay=0.05)
    together.until_asked(20)
    stopped, other = together.members
    stopped.send_signal(signal.SIGSTOP)
    with sqlite3.connect(tmp_path / "s.db", timeout=30) as connection:  # sooner than by waiting
        connection.execute("UPDATE holders SET expires=0 WHERE shown LIKE ?", (f"process {stopped.pid} %",))
    connection.close()
    until(lambda: other.poll() is not None or together.asked() > 16 * PER_PROBLEM - 30, by=other)
    stopped.send_signal(signal.SIGCONT)
    assert len(set(together.tables())) == 1


def test_ctrl_c_gives_up_what_was_claimed(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    alone = Group(store, tmp_path / "asked.txt", 1, problems=40, delay=0.2)
    alone.until_asked(20)
    alone.members[0].send_signal(signal.SIGINT)
    alone.members[0].communicate(timeout=60)
    assert alone.members[0].returncode != 0
    assert claims(store) == 0
