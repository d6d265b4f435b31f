"""Stages that do not wait for each other, made at the same time.

Models this small gain little from a second thread, so on two cores two stages of one thread each finish sooner than one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tts import ConfigError
from tts_trainers.replica.stages import Stage, mark_of

_LAST_SECONDS = 30.0  # for a stage to end by itself
Start = Callable[[str, bool], BaseProcess]


def run_jobs(out: Path, stages: Sequence[Stage], start: Start, jobs: int) -> None:
    """Make what is not there yet, at most `jobs` stages at a time; the first in the list goes first.

    `start(name, alone)` starts a process that makes one stage with all cores, or with its share of them. Raises
    `ConfigError` where one fails; whatever happens, none is left running, and what was made stays.
    """
    waiting = [stage for stage in stages if not mark_of(out, stage.name).exists()]
    running: dict[str, BaseProcess] = {}
    try:
        while waiting or running:
            there = {one.name for one in stages if mark_of(out, one.name).exists()} - running.keys()
            ready = [one for one in waiting if there.issuperset(one.after)]
            alone = len(ready) + len(running) == 1
            if not ready and not running:
                raise ConfigError(f"stage {waiting[0].name!r} cannot begin: what it builds on ended, and is not there")
            for stage in ready[: jobs - len(running)]:
                waiting.remove(stage)
                running[stage.name] = start(stage.name, alone)
            wait([process.sentinel for process in running.values()])
            _bury(running)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join(_LAST_SECONDS)
            process.kill()
            process.join()


def _bury(running: dict[str, BaseProcess]) -> None:
    """Take out what has ended; raises `ConfigError` where one has failed."""
    for name, process in list(running.items()):
        process.join(0)
        if process.exitcode is None:
            continue
        del running[name]
        if process.exitcode:
            raise ConfigError(f"stage {name!r} ended with code {process.exitcode}; its last lines say why")


def needed_for(name: str, stages: Sequence[Stage]) -> list[Stage]:
    """The stage and all that it builds on, in order."""
    wanted = {name}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted |= set(stage.after)
    return [stage for stage in stages if stage.name in wanted]
