"""`tts doctor`: whether this installation is whole."""

from __future__ import annotations

import asyncio
import platform
import re
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click

from tts.api.profiles import expanded
from tts.api.settings import Settings
from tts.cli._completion import complete_model
from tts.cli._json_line import write_json
from tts.cli._model_check import check_model
from tts.cli._options import StorePlace
from tts.cli._streams import prints_aside
from tts.cli._table import write_table
from tts.engine.models import ModelPool
from tts.engine.reference import DEFAULT_MODEL
from tts.registry.host import plugins
from tts.store.address import shown_store, store_exists
from tts.store.store import Store
from tts.vocabulary.errors import MissingDependencyError, TTSError

DISTRIBUTION = "ttscale"
_REQUIREMENT = re.compile(
    r"([\w.-]+)(?:\[([\w,. -]+)\])?[^;]*?(?:>=\s*([\d.]+))?[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?"
)


class Finding(NamedTuple):
    """One line of the report; only a `problem` is something broken."""

    check: str
    state: Literal["ok", "missing", "problem"]
    detail: str


@click.command()
@click.option("--store", "place", type=StorePlace(), metavar="FILE|URL", help="Also check this store.")
@click.option(
    "--model",
    "-m",
    metavar="BACKEND:MODEL",
    shell_complete=complete_model,
    help="Check this model instead: three samples, twice.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(place: str | Path | None, model: str | None, as_json: bool) -> None:
    """Check Python, packages, extras, the device, the built-in model, plugins and the store.

    With --model, only that: whether it loads or its server answers, what it can do, three sample answers and what is
    extracted from them. The exit status is 1 where something is broken; an extra that is not installed is not.
    """
    findings = list(_findings(place) if model is None else _of_model(model))
    broken = any(finding.state == "problem" for finding in findings)
    if as_json:
        write_json({"ok": not broken, "checks": [finding._asdict() for finding in findings]})
    else:
        write_table(Finding._fields, findings)
    sys.exit(int(broken))


def _findings(place: str | Path | None) -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} ({platform.platform()})")
    yield from _packages()
    yield _guarded("device", _device)
    yield _guarded(f"model {DEFAULT_MODEL}", _default_model)
    yield from _plugins()
    yield _guarded("store", lambda: _store(place))


def _of_model(model: str) -> Iterator[Finding]:
    reference = expanded({"model": model}, frozenset(Settings.__annotations__))["model"]
    with prints_aside():  # a model is a plugin
        for found in check_model(reference):
            yield Finding(found.check, "ok" if found.good else "problem", found.detail)


def _guarded(check: str, look: Callable[[], str]) -> Finding:
    """What a check found; whatever goes wrong in it is the finding."""
    try:
        return Finding(check, "ok", look())
    except MissingDependencyError as error:
        return Finding(check, "missing", str(error))
    except TTSError as error:
        return Finding(check, "problem", str(error))
    except Exception as error:  # a broken package may raise anything: that is what we are here to find
        return Finding(check, "problem", f"{type(error).__name__}: {error}")


def _packages() -> Iterator[Finding]:
    """The distribution's own requirements, those of every extra included."""
    try:
        requires = distribution(DISTRIBUTION).requires or []
    except PackageNotFoundError:
        yield Finding(DISTRIBUTION, "problem", f"runs without being installed; pip install {DISTRIBUTION}")
        return
    wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in requires:
        if found := _REQUIREMENT.fullmatch(line):
            name, _, minimum, extra = found.groups()
            wanted[extra or ""].append((name, minimum or ""))
    core = _installed(wanted.pop("", []))
    yield Finding(DISTRIBUTION, "problem" if core.lacking else "ok", f"{version(DISTRIBUTION)}; {core.text}")
    for extra, packages in sorted(wanted.items()):
        there = _installed([package for package in packages if package[0] != DISTRIBUTION])
        hint = f"; pip install '{DISTRIBUTION}[{extra}]'" if there.lacking else ""
        yield Finding(f"extra {extra}", "missing" if there.lacking else "ok", there.text + hint)


class _Installed(NamedTuple):
    lacking: bool
    text: str


def _installed(packages: list[tuple[str, str]]) -> _Installed:
    there: list[str] = []
    lacking: list[str] = []
    for name, minimum in packages:
        try:
            found = version(name)
        except PackageNotFoundError:
            lacking.append(name)
            continue
        (there if _numbers(found) >= _numbers(minimum) else lacking).append(f"{name} {found}")
    return _Installed(bool(lacking), f"missing or too old: {', '.join(lacking)}" if lacking else ", ".join(there))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text.partition("+")[0])]


def _device() -> str:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(f"no torch, so no local models; pip install '{DISTRIBUTION}[hf]'") from error
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return f"cuda: {', '.join(cards)} (torch {torch.__version__})"
    kind = "mps" if torch.backends.mps.is_available() else f"cpu, {torch.get_num_threads()} threads"
    return f"{kind} (torch {torch.__version__})"


def _default_model() -> str:
    """Loads it: that it is there says little, that it loads says all."""
    started = time.monotonic()

    async def load() -> None:
        pool = ModelPool()
        await pool.get("backend", DEFAULT_MODEL, None)
        await pool.keep_only(set())

    asyncio.run(load())
    return f"loaded in {time.monotonic() - started:.1f} s"


def _plugins() -> Iterator[Finding]:
    """Every declaration is resolved; those whose extra is missing are the extra's finding, not a problem."""
    host = plugins()
    for problem in host.problems:
        yield Finding("plugins", "problem", problem)
    loaded, waiting = 0, []
    for kind, name in dict.fromkeys((plugin.kind, plugin.entry.name) for plugin in host.all()):
        try:
            host.resolve(kind, name)
            loaded += 1
        except MissingDependencyError:
            waiting.append(f"{kind} {name}")
        except TTSError as error:
            yield Finding("plugins", "problem", str(error))
    rest = f"; waiting for an extra: {', '.join(waiting)}" if waiting else ""
    yield Finding("plugins", "ok", f"{loaded} load{rest}")


def _store(place: str | Path | None) -> str:
    """Counts of a store that is named; else whether one can be made at all."""
    if place is not None:
        if not store_exists(place):
            raise TTSError(f"there is no store {shown_store(place)!r}")
        with Store(place) as store:
            counts: dict[str, Any] = store.counts()
        return f"{store.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "try.db"):
        return f"writable (SQLite {sqlite3.sqlite_version})"
