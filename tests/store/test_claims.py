"""What is claimed is asked for once, and the row that was first is the row that everybody goes on with."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from doubles import FakeBackend, sums
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import soon

import tts
from tts.store import place as places
from tts.store.copy import copy_store
from tts.store.place import Place
from tts.store.process import is_gone, this_process

DATA = Path(__file__).parents[1] / "data"


def at(*indices: int, key: str = "key") -> list[Place]:
    return [Place("completion", key, index) for index in indices]


def completion(text: str, **more: object) -> tts.Completion:
    return tts.Completion(index=0, text=text, summary=text, **more)  # type: ignore[arg-type]


async def kept(store: tts.Store, index: int, one: tts.Completion, **how: bool) -> tts.Completion:
    told: asyncio.Future[tts.Completion] = asyncio.get_running_loop().create_future()
    store.keep_completion("key", index, one, told.set_result, **how)  # type: ignore[arg-type]
    return await told


def both(tmp_path: Path, work: object, **how: float) -> None:
    async def main() -> None:
        with tts.Store(tmp_path / "s.db", **how) as one, tts.Store(tmp_path / "s.db", **how) as two:  # type: ignore[arg-type]
            await work(one, two)  # type: ignore[operator]

    asyncio.run(main())


def test_what_one_has_claimed_the_other_waits_for(tmp_path: Path) -> None:
    async def work(one: tts.Store, two: tts.Store) -> None:
        assert (await one.claim(at(0, 1))).mine == set(at(0, 1))
        assert (await two.claim(at(1, 2))).mine == set(at(2))
        waiting = asyncio.create_task(two.freed(at(1)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await kept(one, 1, completion("one"))
        await asyncio.wait_for(waiting, 10)
        found = await two.claim(at(1))
        assert (found.mine, len(found.stored)) == (set(), 1)
        one.unclaim(at(0))
        await asyncio.wait_for(two.freed(at(0)), 10)
        assert (await two.claim(at(0))).mine == set(at(0))

    both(tmp_path, work)


def test_who_comes_second_gets_the_row_that_was_first(tmp_path: Path) -> None:
    async def work(one: tts.Store, two: tts.Store) -> None:
        assert (await kept(one, 0, completion("first"))).text == "first"
        assert (await kept(two, 0, completion("second"))).text == "first"
        assert (await one.keep_calls("scorer", sums(1)[0].problem, {"a": "1"})) == {"a": "1"}
        assert (await two.keep_calls("scorer", sums(1)[0].problem, {"a": "2", "b": "3"})) == {"a": "1", "b": "3"}
        together = await asyncio.gather(
            *(kept(store, 1, completion(f"{i}")) for i in range(50) for store in (one, two))
        )
        assert len({said.text for said in together}) == 1
        assert one.completions("key")[1].text == together[0].text

    both(tmp_path, work)


def test_a_row_is_replaced_only_by_one_that_has_what_it_lacks(tmp_path: Path) -> None:
    async def work(one: tts.Store, two: tts.Store) -> None:
        await kept(one, 0, completion("plain"))
        assert (await kept(two, 0, completion("measured", logprob=-1.0), better=True)).text == "measured"
        assert (await kept(one, 0, completion("too late", logprob=-2.0), better=True)).text == "measured"
        assert (await kept(one, 1, completion("new", logprob=-2.0), better=True)).text == "new"

    both(tmp_path, work)


def test_a_lease_that_is_not_renewed_ends(tmp_path: Path) -> None:
    async def work(one: tts.Store, two: tts.Store) -> None:
        await one.claim(at(0))
        await asyncio.sleep(2.5)
        assert (await two.claim(at(0))).mine == set(), "it is renewed while its process lives"
        one._writer._claims._renewed = time.monotonic() + 1e6  # no sign of life any more
        with sqlite3.connect(tmp_path / "s.db") as connection:
            connection.execute("UPDATE holders SET process=''")  # and no process of this host
        connection.close()
        await asyncio.wait_for(two.freed(at(0)), 20)
        assert (await two.claim(at(0))).mine == set(at(0))
        one._writer._claims._renewed = -1e6
        assert (await one.claim(at(0, 1))).mine == set(at(1)), "who was taken for dead takes nothing back"

    both(tmp_path, work, lease_seconds=2.0)


def test_a_claim_that_was_cancelled_is_given_back(tmp_path: Path) -> None:
    async def work(one: tts.Store, two: tts.Store) -> None:
        for wait in (0.0, 0.001, 0.01):
            asking = asyncio.create_task(one.claim(at(0)))
            await asyncio.sleep(wait)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            if not asking.cancelled():
                one.unclaim(at(0))
        await one.flushed()
        await soon(lambda: not one._writer._claims.held)
        assert (await two.claim(at(0))).mine == set(at(0))

    both(tmp_path, work)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_nothing_is_claimed_twice_whatever_happens(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path_factory.mktemp("claims") / "s.db"

    async def worker(store: tts.Store, holders: dict[int, object], stored: dict[int, str]) -> None:
        for _ in range(8):
            wanted = rng.sample(range(6), rng.randint(1, 4))
            found = await store.claim(at(*wanted))
            mine = [place.at for place in found.mine]
            assert not holders.keys() & set(mine), "somebody else holds it"
            assert not stored.keys() & set(mine), "it is stored"
            holders.update(dict.fromkeys(mine, store))
            await asyncio.sleep(rng.random() * 0.005)
            for index in mine:
                if rng.random() < 0.5:
                    stored[index] = (await kept(store, index, completion(f"{rng.random()}"))).text
                del holders[index]
            store.unclaim(at(*mine))

    async def main() -> None:
        with ExitStack() as opened:
            stores = [opened.enter_context(tts.Store(path)) for _ in range(3)]
            holders: dict[int, object] = {}
            stored: dict[int, str] = {}
            await asyncio.gather(*(worker(store, holders, stored) for store in stores))
            assert {index: one.text for index, one in stores[0].completions("key").items()} == stored

    asyncio.run(main())


def test_engines_of_one_process_ask_once(tmp_path: Path, fake: object) -> None:
    backend: type[FakeBackend] = fake(delay=lambda *_: 0.01)  # type: ignore[operator]
    said: list[str] = []

    def run() -> None:
        said.append(
            str(tts.run(sums(12), strategy="gsr", k=4, model="fake:m", store=tmp_path / "s.db").accuracy("gsr"))
        )

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(said) == 3
    assert backend.completions() == 12 * 5


def test_what_failed_elsewhere_is_tried_here(tmp_path: Path, fake: object) -> None:
    """Who waits for a completion that fails asks for it, and nobody waits for ever."""
    fake(delay=lambda *_: 0.01, script=lambda request, _: 1 / 0 if request.context == "p3" else "\\boxed{1}")  # type: ignore[operator]

    async def run(store: tts.Store) -> int:
        async with tts.Engine(model="fake:m", store=store) as engine:
            sets = [found async for found in engine.sample(sums(6), k=2)]
        return sum(one.error is not None for found in sets for one in found.candidates)

    async def work(one: tts.Store, two: tts.Store) -> None:
        assert await asyncio.wait_for(asyncio.gather(run(one), run(two)), 60) == [2, 2]

    both(tmp_path, work)


def test_rows_are_looked_up_by_key(tmp_path: Path) -> None:
    tts.Store(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        for kind in ("completion", "call"):
            find = places._FIND[kind].format(places="(?, ?),(?, ?)")
            plan = connection.execute(f"EXPLAIN QUERY PLAN {find}", ("a", 0, "b", 1)).fetchall()
            assert not any(f"SCAN {kind}s" in step[-1] for step in plan)
            assert any(f"SEARCH {kind}s" in step[-1] for step in plan)
    connection.close()


@pytest.mark.skipif(not this_process(), reason="this system does not tell processes apart")
def test_a_process_is_known_to_be_gone_only_when_it_is() -> None:
    script = "from tts.store.process import this_process; print(this_process(), flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    process = other.stdout.readline().strip()
    assert not is_gone(process)
    other.kill()
    until = time.monotonic() + 30
    while not is_gone(process) and time.monotonic() < until:
        time.sleep(0.01)  # a zombie: nobody has waited for it yet
    assert is_gone(process)
    other.communicate()
    assert is_gone(process)
    assert not is_gone(this_process())
    assert not is_gone("")
    assert not is_gone(f"another-boot/1/{os.getpid()}/1"), "of another host nothing is known"
    assert is_gone(f"{this_process().rpartition('/')[0]}/1"), "the number was given to another process"


def test_a_store_of_the_first_version_is_gone_on_with(tmp_path: Path, fake: object, helpers: None) -> None:
    path = tmp_path / "old.db"
    shutil.copy(DATA / "store_version_1.sqlite", path)
    backend: type[FakeBackend] = fake()  # type: ignore[operator]
    settings = {"strategies": ["majority", "gsr", "best_of_n"], "k": 4, "model": "fake:m", "scorer": "fake:m"}
    compared = tts.compare(sums(3), store=path, **settings)  # type: ignore[arg-type]
    assert backend.completions() == 0
    assert compared.spent == {}
    assert [compared.accuracy(label).mean for label in ("majority", "gsr", "best_of_n")] == [
        1.0,
        1.0,
        pytest.approx(2 / 3),
    ]  # type: ignore[union-attr]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_a_copy_that_was_killed_is_finished_by_the_same_again(tmp_path: Path, fake: object) -> None:
    fake()  # type: ignore[operator]
    tts.run(sums(900), strategy="majority", k=2, model="fake:m", store=tmp_path / "a.db")
    script = (
        "import os, signal, sys\nfrom tts.store import copy\n"
        "pages, put = [], copy._Opened.put\n"
        "def killed(self, table, rows):\n"
        "    pages.append(table)\n"
        "    if len(pages) == int(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return put(self, table, rows)\n"
        "copy._Opened.put = killed\n"
        "copy.copy_store(sys.argv[2], sys.argv[3])\n"
    )
    for at_page in (2, 6):
        done = subprocess.run([sys.executable, "-c", script, str(at_page), tmp_path / "a.db", tmp_path / "b.db"])
        assert done.returncode == -9
    copied = copy_store(tmp_path / "a.db", tmp_path / "b.db")
    assert copied.rows == {"problems": 900, "draws": 900, "completions": 1800, "calls": 0, "results": 900}
    assert 0 < sum(copied.new.values()) < 4500
    for table in copied.rows:
        one, other = (
            sqlite3.connect(tmp_path / name).execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for name in ("a.db", "b.db")
        )
        assert one == other
    assert copy_store(tmp_path / "a.db", tmp_path / "b.db").new == dict.fromkeys(copied.rows, 0)


def test_a_copy_keeps_what_the_target_has(tmp_path: Path) -> None:
    problem = sums(1)[0].problem
    for name, text, answer in (("a.db", "theirs", "1"), ("b.db", "ours", None)):
        with tts.Store(tmp_path / name) as store:
            store.put_problem(problem, answer)
            store.put_completion("key", 0, completion(text))
    copied = copy_store(tmp_path / "a.db", tmp_path / "b.db")
    assert (copied.other, sum(copied.new.values())) == (1, 0)
    with tts.Store(tmp_path / "b.db") as store:
        assert store.completions("key")[0].text == "ours"
        assert store._rows("SELECT answer FROM problems") == [("1",)], "an answer that was not known is filled in"
