"""Stages of the replica at the same time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from processes import left, psutil
from waiting import until

from tts import ConfigError
from tts_trainers.replica.jobs import needed_for, run_jobs
from tts_trainers.replica.stages import Stage, minutes_by_the_clock, run_stages


def write(target: Path) -> None:
    (target / "made").write_text(str(os.getpid()))


def meet(target: Path, other: str) -> None:
    """Ends only while the other one is being made, too."""
    write(target)
    until = time.monotonic() + 60
    while not (target.parent / other / "made").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def fail(target: Path, other: str) -> None:
    meet(target, other)
    raise ConfigError("there is nothing to learn from")


def endless(target: Path) -> None:
    write(target)
    time.sleep(600)


def stages_of(kind: str) -> list[Stage]:
    if kind == "failing":
        return [Stage("a", partial(fail, other="b")), Stage("b", endless), Stage("c", write, after=["a"])]
    return [
        Stage("first", write),
        Stage("left", partial(meet, other="right"), after=["first"]),
        Stage("unneeded", write, after=["first"]),
        Stage("right", partial(meet, other="left"), after=["first"]),
        Stage("last", write, after=["left", "right"]),
    ]


def make_one(out: Path, kind: str, name: str) -> None:
    run_stages(out, needed_for(name, stages_of(kind)))


def starter(out: Path, kind: str, started: dict[str, bool]) -> Callable[[str, bool], BaseProcess]:
    def start(name: str, alone: bool) -> BaseProcess:
        started[name] = alone
        process = multiprocessing.get_context("fork").Process(target=make_one, args=(out, kind, name))
        process.start()
        return process

    return start


# The processes here only sleep and write; ours are spawned.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@forks
def test_stages_are_made_beside_each_other_and_after_what_they_build_on(tmp_path: Path) -> None:
    stages, started = stages_of("all"), dict[str, bool]()
    run_jobs(tmp_path, stages, starter(tmp_path, "all", started), jobs=3)
    assert started == {"first": True, "left": False, "unneeded": False, "right": False, "last": True}
    makers = {(tmp_path / stage.name / "made").read_text() for stage in stages}
    assert len(makers) == len(stages)
    spent = run_stages(tmp_path, stages)  # all is there
    assert 60 * minutes_by_the_clock(tmp_path, stages) <= sum(spent.values()) + 0.1
    run_jobs(tmp_path, stages, starter(tmp_path, "all", again := {}), jobs=3)
    assert again == {}


@forks
def test_where_one_fails_the_others_end_and_nothing_follows(tmp_path: Path) -> None:
    stages, started = stages_of("failing"), dict[str, bool]()
    with pytest.raises(ConfigError, match="stage 'a' ended with code 1; its last lines say why"):
        run_jobs(tmp_path, stages, starter(tmp_path, "failing", started), jobs=2)
    assert started == {"a": False, "b": False}
    pid = int((tmp_path / "b" / "made").read_text())
    assert not psutil.pid_exists(pid) or left([psutil.Process(pid)]) == []
    assert list(tmp_path.glob("*.done")) == []


def test_the_clock_counts_what_overlaps_once(tmp_path: Path) -> None:
    stages = [Stage(name, write) for name in "abc"]
    for name, seconds, ended in (("a", 60, 1060), ("b", 30, 1090), ("c", 80, 1080)):
        mark = tmp_path / f"{name}.done"
        mark.write_text(f'{{"key": "", "seconds": {seconds}}}')
        os.utime(mark, (ended, ended))
    assert minutes_by_the_clock(tmp_path, stages) == pytest.approx(1.5)  # from 1000 to 1090 without a pause
    os.utime(tmp_path / "b.done", (2030, 2030))
    assert minutes_by_the_clock(tmp_path, stages) == pytest.approx((80 + 30) / 60)


def test_what_a_stage_builds_on_is_made_with_it() -> None:
    assert [stage.name for stage in needed_for("right", stages_of("all"))] == ["first", "right"]
    assert [stage.name for stage in needed_for("last", stages_of("all"))] == ["first", "left", "right", "last"]


@forks
def test_a_stage_that_ends_well_and_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    """It was killed in a way that looks like success, or its folder is gone: what waits for it would wait for ever."""

    def vanishes(name: str, alone: bool) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(target=os._exit, args=(0,))
        process.start()
        return process

    with pytest.raises(ConfigError, match="stage 'left' cannot begin: what it builds on ended, and is not there"):
        run_jobs(tmp_path, stages_of("all"), vanishes, jobs=2)


@forks
def test_a_stage_that_does_not_end_by_itself_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_trainers.replica.jobs._LAST_SECONDS", 0.2)
    started: list[BaseProcess] = []

    def deaf(target: Path) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (target / "deaf").touch()
        time.sleep(600)

    def start(name: str, alone: bool) -> BaseProcess:
        target = deaf if name == "b" else lambda folder: until((folder / "deaf").exists) or os._exit(1)
        started.append(multiprocessing.get_context("fork").Process(target=target, args=(tmp_path,)))
        started[-1].start()
        return started[-1]

    with pytest.raises(ConfigError, match="stage 'a' ended with code 1"):
        run_jobs(tmp_path, stages_of("failing"), start, jobs=2)
    assert [process.exitcode for process in started] == [1, -signal.SIGKILL]
