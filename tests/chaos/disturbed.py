"""Runs that are disturbed: killed, signalled, stopped, cut off from their streams, joined by others, out of space."""

from __future__ import annotations

import inspect
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from program import Ended, begin, environment, finish, kill_group, run
from runs import (
    COMMANDS,
    again,
    arguments,
    asked_at_least,
    ended_well,
    prepare,
    resumed,
    served,
    start,
    stored,
    table,
    whole,
)
from trial import Found, Trial

_POINTS = 3  # kill points of each command, of each signal
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE")
_STREAMS = {
    "stderr closed": "2>&-", "stdout closed": ">&-", "all closed": ">&- 2>&- <&-", "stderr full": "2>/dev/full",
    "stdout full": ">/dev/full", "stdout a pipe that nobody reads": "| :",
}  # fmt: skip


def trials() -> Iterator[Trial]:
    """The rows about what happens around a run."""
    for command in [name for name in COMMANDS if name != "vote"]:  # which asks what compare asks, but less
        for point in range(_POINTS):
            quick = (command, point) == ("compare", 0)
            yield Trial("kill -9", f"{command}, point {point + 1}", _signalled(command, "SIGKILL"), quick)
    for name in _SIGNALS:
        for command in ("compare", "eval"):
            yield Trial("signals", f"{name} in {command}", _signalled(command, name))
    yield Trial("signals", "SIGSTOP, a second later SIGCONT", _stopped)
    for name, words in _STREAMS.items():
        yield Trial("streams", name, _streamed(words))
    for many in (2, 4):
        yield Trial("several processes", f"{many} at once", _together(many), lacks=_no_claims())
    yield Trial("several processes", "one of 2 is killed", _together(2, killed=True), lacks=_no_claims())
    for command in ("sample", "compare", "eval"):
        yield Trial("no space", f"{command}, files of limited size", _limited(command))
        yield Trial("no space", f"{command}, a full disk", _full(command), lacks=_no_mounts())


def _no_claims() -> str:
    from tts.store.store import Store

    return "" if "lease_seconds" in inspect.signature(Store).parameters else "stores have no claims yet"


@cache
def _no_mounts() -> str:
    with TemporaryDirectory() as folder, _disk(Path(folder), 1_000_000) as error:
        return error


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[str]:
    """A disk of `size` bytes at `folder`, or why there can be none."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    try:
        yield "no right to mount a disk" if done.returncode else ""
    finally:
        if not done.returncode:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _signalled(command: str, name: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, seed: int) -> Found:
        with served() as server:
            prepare(folder, server.base)
            point = random.Random(seed).randint(1, max(whole(command).asked - 8, 1))
            began = time.monotonic()
            server.behave()
            process = start(command, folder, server.base)
            asked_at_least(server, point, process)
            process.send_signal(getattr(signal, name))
            ended = finish(process, folder, began)
            if ended.status is None:
                return Found(hung=True)
            if wrong := ended_well(ended):
                return Found(wrong=wrong)
            return resumed(command, folder, server)

    return attempt


def _stopped(folder: Path, seed: int) -> Found:
    with served() as server:
        prepare(folder, server.base)
        server.behave()
        began = time.monotonic()
        process = start("compare", folder, server.base)
        asked_at_least(server, random.Random(seed).randint(1, whole("compare").asked - 4), process)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        process.send_signal(signal.SIGCONT)
        return _undisturbed("compare", finish(process, folder, began), folder, server.stats()["asked"])


def _undisturbed(command: str, ended: Ended, folder: Path, asked: int) -> Found:
    """The run itself must have come to its end as if nothing had happened."""
    goal = whole(command)
    if ended.status is None:
        return Found(hung=True)
    if ended.status != 0 or "Traceback" in ended.err:
        return Found(wrong=f"status {ended.status}: {ended.tail}")
    wrong = "" if table(command, folder) == goal.table else "another table"
    return Found(lost=goal.stored - stored(command, folder), twice=max(asked - goal.asked, 0), wrong=wrong)


def _streamed(words: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, _seed: int) -> Found:
        with served() as server:
            prepare(folder, server.base)
            server.behave()
            line = f'"$0" "$@" {words}' if words != "| :" else '"$0" "$@" | :'
            command = ["sh", "-c", line, sys.executable, "-m", "tts", *arguments("compare", server.base)]
            began = time.monotonic()
            with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as err:
                process = subprocess.Popen(
                    command, cwd=folder, env=environment(), stdout=out, stderr=err, start_new_session=True
                )
            ended = finish(process, folder, began)
            if ended.status is None:
                return Found(hung=True)
            if "Traceback" in ended.err:
                return Found(wrong=f"a traceback: {ended.tail}")
            goal = whole("compare")  # the file is saved before anything is printed
            wrong = "" if table("compare", folder) == goal.table else "another table"
            asked = server.stats()["asked"]
            return Found(lost=goal.stored - stored("compare", folder), twice=max(asked - goal.asked, 0), wrong=wrong)

    return attempt


def _together(many: int, *, killed: bool = False) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, seed: int) -> Found:
        goal = whole("compare")
        with served() as server:
            prepare(folder, server.base)
            server.behave()
            rooms = []
            for number in range(many):
                room = folder / str(number)
                room.mkdir()
                prepare(room, server.base)
                rooms.append(room)
            shared = ["--store", str(folder / "s.db")]
            began = time.monotonic()
            asked = [word for word in arguments("compare", server.base) if word not in ("--store", "s.db")]
            started = [begin([*asked, *shared], room, environment()) for room in rooms]
            if killed:
                asked_at_least(server, random.Random(seed).randint(1, goal.asked - 4), started[0])
                kill_group(started[0])
            ends = [finish(one, room, began) for one, room in zip(started, rooms, strict=True)]
            asked_for = server.stats()["asked"]
            left = list(zip(ends, rooms, strict=True))[killed:]
            for ended, room in left:
                if ended.status is None:
                    return Found(hung=True, count=many)
                if ended.status or "Traceback" in ended.err:
                    return Found(wrong=f"status {ended.status}: {ended.tail}", count=many)
                if table("compare", room) != goal.table:
                    return Found(wrong="another table", count=many)
            in_flight = 64 if killed else round(0.02 * goal.asked)  # of the killed one, or the two per cent allowed
            return Found(
                lost=goal.stored - stored("compare", folder),
                twice=max(asked_for - goal.asked - in_flight, 0),
                count=many,
            )

    return attempt


def _limited(command: str) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, seed: int) -> Found:
        size = random.Random(seed).randint(70_000, 160_000)

        def little() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        with served() as server:
            prepare(folder, server.base)
            server.behave()
            ended = run(arguments(command, server.base), folder, environment(), preexec_fn=little)
            if ended.status is None:
                return Found(hung=True)
            if wrong := ended_well(ended):
                return Found(wrong=wrong)
            return resumed(command, folder, server)

    return attempt


def _full(command: str) -> Callable[[Path, int], Found]:
    """A disk with room for a part of the run only; the run after it finds the rest free."""

    def attempt(folder: Path, seed: int) -> Found:
        spare = random.Random(seed).randint(40_000, 160_000)
        with served() as server, _disk(folder, 4_000_000):
            prepare(folder, server.base)
            server.behave()
            ballast = folder / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(folder).free - spare))
            ended = run(arguments(command, server.base), folder, environment())
            if ended.status is None:
                return Found(hung=True)
            if not ended.status:
                return Found(wrong="the trial itself left enough room")
            if wrong := ended_well(ended):
                return Found(wrong=wrong)
            ballast.unlink()
            return resumed(command, folder, server)

    return attempt


# --- damaged stores -------------------------------------------------------------------------------------------------


def damaged_trials() -> Iterator[Trial]:
    """A store that was whole, damaged in every way that files are."""
    for name, harm in _HARMS.items():
        yield Trial("damaged stores", name, _damaged(harm))


def _damaged(harm: Callable[[Path, random.Random], Any]) -> Callable[[Path, int], Found]:
    def attempt(folder: Path, seed: int) -> Found:
        goal = whole("compare")
        with served() as server:
            prepare(folder, server.base)
            ended, _ = again("compare", folder, server)
            if ended.status:
                return Found(wrong=f"the run before ended with {ended.status}: {ended.tail}")
            (folder / "out.jsonl").unlink()
            with closing(sqlite3.connect(folder / "s.db")) as store:
                store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            harm(folder / "s.db", random.Random(seed))
            ended, _ = again("compare", folder, server)
            if ended.status is None:
                return Found(hung=True)
            if ended.status < 0 or "Traceback" in ended.err:
                return Found(wrong=f"status {ended.status}: {ended.tail}")
            if ended.status:
                return Found(wrong="" if "s.db" in ended.err else f"no sentence names it: {ended.tail}")
            said = "s.db" in ended.err
            same = table("compare", folder) == goal.table
            return Found(wrong="" if same or said else "another table, and nothing is said")

    return attempt


def _flip(share: float) -> Callable[[Path, random.Random], None]:
    def harm(path: Path, rng: random.Random) -> None:
        data = bytearray(path.read_bytes())
        for _ in range(max(int(len(data) * share), 1)):
            data[rng.randrange(100, len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)

    return harm


def _word(path: Path, rng: random.Random) -> None:
    """Damage that SQLite itself cannot see: a digit in what a model said."""
    data = path.read_bytes()
    places = [i for i in range(len(data)) if data[i : i + 6] == b"boxed{"]
    place = rng.choice(places) + 6
    path.write_bytes(data[:place] + (b"7" if data[place : place + 1] != b"7" else b"8") + data[place + 1 :])


def _foreign(path: Path, _: random.Random) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE completions(x)")


def _schema(path: Path, _: random.Random) -> None:
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA user_version=99")


def _folder(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(1000, path.stat().st_size)])


_HARMS: dict[str, Callable[[Path, random.Random], Any]] = {
    "one bit": _flip(0),
    "another bit": _flip(0),
    "bits everywhere": _flip(0.01),
    "a digit of an answer": _word,
    "cut": _cut,
    "empty": lambda path, _: path.write_bytes(b""),
    "a text": lambda path, _: path.write_text("these are not the rows that you are looking for\n" * 100),
    "another database": _foreign,
    "a schema to come": _schema,
    "a folder": _folder,
    "a page of zeros": lambda path, _: path.write_bytes(
        path.read_bytes()[:4096] + bytes(4096) + path.read_bytes()[8192:]
    ),
    "garbage in the write-ahead log": lambda path, rng: path.with_name("s.db-wal").write_bytes(rng.randbytes(9000)),
}
