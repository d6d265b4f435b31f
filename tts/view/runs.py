"""The runs that are to be seen: each store or summary in a folder, or one store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tts.store.address import check_exists, is_server, shown_store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.record import digest

_DEEPEST = 3  # folders below the one that is given
_LARGEST = 50 << 20  # bytes of a .json that is looked into


class SeenRun(NamedTuple):
    """A run; `place` is its store, or its summary where it has none. `id` is its address in the view."""

    id: str
    name: str
    place: str | Path
    kind: Literal["store", "summary"]


def check_place(place: str | Path) -> None:
    """Raise `ConfigError` where nothing can be seen."""
    if is_server(place) or not Path(place).is_dir():
        check_exists(place)


def runs_in(place: str | Path) -> list[SeenRun]:
    """The runs there now, by name."""
    if is_server(place) or not Path(place).is_dir():
        return [_run(place, shown_store(place) if is_server(place) else Path(place).name, "store")]
    folder = Path(place)
    return sorted(_found(folder), key=lambda one: one.name)


def _found(folder: Path) -> Iterator[SeenRun]:
    for path in _files(folder, _DEEPEST):
        name = str(path.relative_to(folder))
        if path.suffix == ".db":
            yield _run(path, name.removesuffix("/store.db"), "store")
        elif not (path.name == "report.json" and (path.parent / "store.db").is_file()) and _is_summary(path):
            yield _run(path, name.removesuffix("/report.json"), "summary")


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # not ours to read
        return
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir() and depth and not path.is_symlink():
            yield from _files(path, depth - 1)
        elif path.suffix in (".db", ".json") and path.is_file():
            yield path


def _is_summary(path: Path) -> bool:
    """A summary as comparisons save it."""
    try:
        found = json.loads(path.read_text("utf-8")) if path.stat().st_size <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"strategies", "groups", "k"} <= found.keys()


def _run(place: str | Path, name: str, kind: Literal["store", "summary"]) -> SeenRun:
    return SeenRun(digest(str(place))[:12], name, place, kind)


def run_of(place: str | Path, wanted: str) -> SeenRun:
    """The run of an address; raises `ConfigError` where there is none."""
    found = next((one for one in runs_in(place) if one.id == wanted), None)
    if found is None:
        raise ConfigError("there is no such run here any more")
    return found
