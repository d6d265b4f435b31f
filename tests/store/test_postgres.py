"""A store in a real PostgreSQL is the same store as in a file, for several processes, over failures of all kinds."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doubles import sums
from postgres_server import SHOWN_NOWHERE, WITH_SERVER, Server, running
from several import Group, asked_once

import tts
from tts.cli import main
from tts.store.copy import copy_store

pytestmark = WITH_SERVER


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def url(server: Server) -> str:
    return server.new_database()


def told(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], prog_name="tts")


def test_a_run_is_stored_and_found_again(url: str, fake: Any, helpers: None) -> None:
    backend = fake()
    settings = {"strategies": ["majority", "gsr", "best_of_n", "knockout"], "k": 4, "model": "fake:m", "store": url}
    first = tts.compare(sums(6), scorer="fake:m", judge="fake:m", **settings)
    asked = backend.completions()
    again = tts.compare(sums(6), scorer="fake:m", judge="fake:m", **settings)
    assert backend.completions() == asked
    assert first.to_dict()["strategies"].keys() == again.to_dict()["strategies"].keys()
    with tts.Store(url) as store:
        assert store.counts()["completions"] == asked
        assert [found.answer for found in store.sets()] != []
        assert len(store.policies()) == 1


def test_files_and_databases_hold_the_same_in_the_same_order(url: str, tmp_path: Path, fake: Any) -> None:
    fake(script=lambda *_: "a \0 sign, \ud800 and 𝔘: \\boxed{1}")
    odd = tts.Example(problem=tts.Problem(id="ä\0", prompt="Ä\0 ü 1+2"), answer="3\0")
    held = []
    for place in (url, tmp_path / "s.db"):
        tts.run([*sums(40), odd], strategy="gsr", k=3, model="fake:m", store=place)
        with tts.Store(place) as store:
            sets = [(found, store.load(found, str).candidates) for found in store.sets()]
            held.append([sets, [one for problem, _ in sets for one in store.generations(problem.problem)]])
            held[-1].append([row | {"seconds": 0} for _, row in store.results()])
            answers = [found.answer for found, _ in sets]
            assert ("3\0" if place is not url else "3\ufffd") in answers, "PostgreSQL has no such character in text"
    there, here = (re.sub(r"seconds['=: ]+[\d.e-]+", "seconds", str(one)) for one in held)
    assert there.replace("3\ufffd", "3\\x00") == here
    assert told("compare", url, "-s", "majority", "-k", 3).exit_code == 0
    assert told("report", url, "-o", tmp_path / "r.md").exit_code == 0


def test_copies_go_either_way_and_come_back_the_same(url: str, server: Server, tmp_path: Path, fake: Any) -> None:
    fake()
    tts.compare(sums(30), strategies=["majority", "gsr"], k=4, model="fake:m", store=tmp_path / "a.db")
    there = copy_store(tmp_path / "a.db", url)
    assert there.rows == there.new
    assert there.rows["completions"] == 150
    assert sum(copy_store(tmp_path / "a.db", url).new.values()) == 0, "a second time changes nothing"
    back = copy_store(url, tmp_path / "b.db")
    assert back == there
    other = server.new_database()
    copy_store(tmp_path / "b.db", other)
    backend = fake()
    for place in (url, other, tmp_path / "b.db"):
        tts.compare(sums(30), strategies=["majority", "gsr"], k=4, model="fake:m", store=place)
    assert backend.completions() == 0, "what was copied is found"


@pytest.mark.parametrize("count", [2, 8])
def test_several_processes_ask_for_what_one_would_and_print_one_table(url: str, tmp_path: Path, count: int) -> None:
    log = tmp_path / "asked.txt"
    tables = Group(url, log, count, problems=24).tables()
    assert len(set(tables)) == 1
    asked = asked_once(log)
    assert max(asked.values()) == 1, "nothing is asked for twice"
    assert Group(url, log, 1, problems=24).tables() == tables[:1], "what they printed is what is stored"
    assert asked_once(log) == asked


@pytest.mark.parametrize("victim", [0, 1, 2, 3])
def test_after_a_kill_the_others_finish(url: str, tmp_path: Path, victim: int) -> None:
    log = tmp_path / "asked.txt"
    together = Group(url, log, 4, problems=24)
    together.until_asked(40 + 40 * victim)
    together.members[victim].send_signal(signal.SIGKILL)
    assert len(set(together.tables(ended=(victim,)))) == 1
    assert sum(count - 1 for count in asked_once(log).values()) <= 8 + 8 * 10, "again is what was in flight there"


def test_a_process_of_another_host_that_is_gone_is_replaced_when_its_lease_is_over(url: str, server: Server) -> None:
    from tts.store.place import Place

    place = [Place("completion", "key", 0)]

    async def main() -> float:
        with tts.Store(url, lease_seconds=2.0) as there, tts.Store(url) as here:
            assert (await there.claim(place)).mine == set(place)
            there._writer._claims._renewed = time.monotonic() + 1e6  # it stops to say that it lives
            server.execute("UPDATE holders SET process=''", url.rpartition("/")[2])  # not seen from this host
            began = time.monotonic()
            assert (await here.claim(place)).mine == set()
            await here.freed(place)
            assert (await here.claim(place)).mine == set(place)
            return time.monotonic() - began

    assert 1.0 < asyncio.run(main()) < 10


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_is_restarted_in_the_middle_loses_nothing(
    url: str, server: Server, tmp_path: Path, how: str
) -> None:
    log = tmp_path / "asked.txt"
    together = Group(url, log, 2, problems=24, delay=0.03)
    together.until_asked(60)
    server.stop(how)
    time.sleep(1.0)
    server.start()
    said = [member.communicate(timeout=120) for member in together.members]
    assert [member.returncode for member in together.members] == [0, 0], said
    assert len({table for table, _ in said}) == 1
    assert max(asked_once(log).values()) == 1
    assert "it is tried again for 30 s" in said[0][1] + said[1][1]
    assert not any(part in one for both in said for one in both for part in SHOWN_NOWHERE)


def test_others_go_on_while_a_read_waits_for_the_server(url: str, server: Server) -> None:
    async def main(store: tts.Store) -> tuple[int, object]:
        reading = asyncio.create_task(store.read(lambda: store.completions("key")))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns, reading.exception()

    with tts.Store(url, busy_seconds=1.0) as store:
        server.stop()
        try:
            turns, error = asyncio.run(main(store))
        finally:
            server.start()
    assert turns > 20
    assert isinstance(error, tts.StoreError)


def test_a_server_that_stays_away_is_one_sentence(url: str, server: Server) -> None:
    store = tts.Store(url, busy_seconds=1.0)
    server.stop()
    try:
        store.put_completion("key", 0, tts.Completion(index=0, text="paid", summary="paid"))
        with pytest.raises(
            tts.StoreError, match=r"cannot be reached.*; one answer that was paid for could not be stored"
        ):
            asyncio.run(store.flushed())
        with pytest.raises(tts.StoreError, match="cannot be reached"):
            store.completions("key")
        with pytest.raises(tts.StoreError, match="cannot be reached"):
            tts.Store(url)
        with pytest.raises(tts.StoreError):
            store.close()
    finally:
        server.start()


@pytest.fixture
def narrow() -> Iterator[Callable[[int], str]]:
    """The URL of a database on a disk of so many megabytes; called again the disk grows."""
    with running() as server:
        folder = server.folder / "narrow"
        folder.mkdir()
        there: list[str] = []

        def size(megabytes: int) -> str:
            how = f"{'remount,' if there else ''}size={megabytes}m,mode=777"
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", folder], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"a disk that fills up cannot be made here: {done.stderr.strip()}")
            if not there:
                server.own_folder(folder / "space")
                server.execute(f"CREATE TABLESPACE narrow LOCATION '{folder / 'space'}'")
                there.append(server.new_database("TABLESPACE narrow"))
            return there[0]

        yield size
        server.stop("immediate")
        if there:
            subprocess.run(["umount", folder], check=True)


def test_a_full_disk_there_is_waited_for_and_then_said(narrow: Callable[[int], str], fake: Any) -> None:
    url = narrow(10)
    backend = fake(script=lambda *_: "\\boxed{1}" + os.urandom(2000).hex())
    with pytest.raises(tts.StoreError) as failed, tts.Store(url, busy_seconds=2.0) as store:
        tts.sample(sums(600), k=4, model="fake:m", store=store)
    assert "the disk of the server is full; free some space there and run the same command again" in str(failed.value)
    assert "answers that were paid for could not be stored" in str(failed.value)
    lost = int(str(failed.value).rpartition("; ")[2].split()[0])
    with tts.Store(url) as store:
        kept = store.counts()["completions"]
    assert kept + lost <= backend.completions()
    assert kept > 0
    grow = threading.Timer(1.5, narrow, [64])
    grow.start()
    tts.sample(sums(600), k=4, model="fake:m", store=url)
    grow.join()
    with tts.Store(url) as store:
        assert store.counts()["completions"] == 2400
    assert backend.completions() - 2400 <= lost + 64, "what was kept is not asked again"


def test_no_message_has_the_password(url: str, server: Server, tmp_path: Path, fake: Any) -> None:
    fake()
    wrong = url.replace("hush", "husch")
    nowhere = url.rpartition("/")[0] + "/nowhere"
    for place in (url, wrong, nowhere, url.replace("%40", "@"), url.replace(str(server.port), "1")):
        for command in (
            ("store", "list", place), ("report", place, "-o", tmp_path / "r.html"),
            ("compare", place, "-s", "majority"),
            ("store", "copy", place, tmp_path / "x.db"), ("store", "copy", tmp_path / "x.db", place),
        ):  # fmt: skip
            done = told(*command)
            said = done.stdout + done.stderr + "".join(one.read_text() for one in tmp_path.glob("*.html"))
            assert not any(part in said for part in (*SHOWN_NOWHERE, "husch")), command
            assert "Traceback" not in said
        if place != url:
            with pytest.raises(tts.TTSError) as failed:
                tts.run("1+1", strategy="first", model="fake:m", store=place)
            assert not any(part in str(failed.value) for part in (*SHOWN_NOWHERE, "husch"))
    with tts.Store(url) as store:
        assert repr(store) == f"Store('postgresql://tts@127.0.0.1:{server.port}/{url.rpartition('/')[2]}')"


def test_tables_of_others_and_later_stores_are_left_alone(url: str, server: Server) -> None:
    name = url.rpartition("/")[2]
    server.execute("CREATE TABLE results(mine INTEGER)", name)
    with pytest.raises(tts.StoreError, match="there is a table 'results' which is not ttscale's"):
        tts.Store(url)
    server.execute("CREATE SCHEMA ours", name)
    with tts.Store(f"{url}?options=-csearch_path%3Dours") as store:
        assert store.counts()["results"] == 0
    server.execute("UPDATE ours.ttscale_store SET version=99", name)
    with pytest.raises(tts.StoreError, match="has schema version 99 and this ttscale reads"):
        tts.Store(f"{url}?options=-csearch_path%3Dours")


class Instant:
    """A backend that answers at once."""

    Options = tts.NoOptions
    fingerprint = "instant"
    capabilities = tts.Capabilities(seed=True, concurrency=64)
    asked = 0

    def __init__(self, model: str, options: object) -> None: ...

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        type(self).asked += request.n
        for index, seed in enumerate(request.seeds):
            text = f"The sum is \\boxed{{{seed % 7}}}"
            yield tts.Completion(index=index, text=text, summary=text, usage=tts.Usage(calls=1, answer_tokens=8))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None: ...


def test_ten_thousand_problems_of_eight_candidates(url: str, server: Server) -> None:
    tts.plugins().register("backend", "instant", Instant)

    async def main() -> int:
        async with tts.Engine(model="instant:m", store=url) as engine:
            return len([None async for _ in engine.sample(sums(10_000), k=8)])

    assert asyncio.run(main()) == 10_000
    assert Instant.asked == 80_000
    name = url.rpartition("/")[2]
    counts = [server.execute(f"SELECT count(*) FROM {table}", name)[0][0] for table in ("completions", "claims")]
    assert counts == [80_000, 0]
    assert asyncio.run(main()) == 10_000
    assert Instant.asked == 80_000
