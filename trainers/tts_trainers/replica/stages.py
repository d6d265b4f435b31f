"""Stages with marks: what was made with the same settings is not made again."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from tts import ConfigError

log = logging.getLogger("tts_trainers.replica")


class Stage(NamedTuple):
    """A step of the way: the folder it writes, the settings that decide its result, and the stages it builds on."""

    name: str
    make: Callable[[Path], None]
    settings: Sequence[BaseModel | int | str] = ()
    after: Sequence[str] = ()


def run_stages(out: Path, stages: Sequence[Stage]) -> dict[str, float]:
    """Make what is not there yet, in order; returns the seconds that each stage took when it was made.

    A stage fills a folder of its own name, and its mark is written last, so one that was interrupted is made again.
    Raises `ConfigError` where `out` holds a stage made with other settings, or on stages made with other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    keys: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for stage in stages:
        keys[stage.name] = _key(stage, keys)
        mark = mark_of(out, stage.name)
        if mark.exists():
            found = json.loads(mark.read_text("utf-8"))
            if found["key"] != keys[stage.name]:
                raise ConfigError(
                    f"{str(out / stage.name)!r} was made with other settings; give another --out, or delete "
                    f"{mark.name} there to make it again"
                )
            log.info("%s: there already", stage.name)
        else:
            found = _make(stage, out, keys[stage.name])
            mark.write_text(json.dumps(found) + "\n", "utf-8")
        seconds[stage.name] = found["seconds"]
    return seconds


def mark_of(out: Path, name: str) -> Path:
    """The file that says that a stage is there, and how long it took."""
    return out / f"{name}.done"


def minutes_by_the_clock(out: Path, stages: Sequence[Stage]) -> float:
    """How long at least one of these stages was being made: two at the same time count once, pauses not at all."""
    covered = until = 0.0
    spans = []
    for stage in stages:
        mark = mark_of(out, stage.name)
        ended = mark.stat().st_mtime  # it is written last
        spans.append((ended - json.loads(mark.read_text("utf-8"))["seconds"], ended))
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered / 60


def _make(stage: Stage, out: Path, key: str) -> dict[str, object]:
    target = out / stage.name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    log.info("%s ...", stage.name)
    started = time.monotonic()
    stage.make(target)
    took = time.monotonic() - started
    log.info("%s: done in %.0f s", stage.name, took)
    return {"key": key, "seconds": round(took, 1)}


def _key(stage: Stage, keys: dict[str, str]) -> str:
    settings = [one.model_dump(mode="json") if isinstance(one, BaseModel) else one for one in stage.settings]
    text = json.dumps([stage.name, settings, [keys[name] for name in stage.after]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
