"""A model's plugin may bring packages that take seconds to import, and nobody's loop stands still for them."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

import tts
from tts.registry.host import Plugin, PluginHost

MODULE = """
import planted_gate
planted_gate.began.set()
assert planted_gate.beats.wait(60), "the loop stands still while this module is imported"
from doubles import FakeBackend
class Slow(FakeBackend): pass
"""


class Gate:
    """What the module is told while it is imported."""

    began = threading.Event()
    beats = threading.Event()


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The backend `slow:`, whose import waits for the loop."""
    (tmp_path / "planted_slow.py").write_text(MODULE, encoding="utf-8")
    gate = Gate()
    gate.began, gate.beats = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "planted_gate", gate)  # type: ignore[arg-type]  # it has what the module looks for
    monkeypatch.syspath_prepend(tmp_path)
    host: PluginHost = tts.plugins()
    plugin = Plugin("backend", tts.Entry(name="slow", target="planted_slow:Slow"), "planted", "1")
    monkeypatch.setitem(host._entries["backend"], "slow", [plugin])
    monkeypatch.delitem(sys.modules, "planted_slow", raising=False)
    monkeypatch.delitem(host._resolved, ("backend", "slow"), raising=False)
    return gate


def test_the_loop_goes_on_while_the_plugin_of_a_model_is_imported(planted: Gate) -> None:
    async def main() -> str | None:
        async with tts.Engine(model="slow:m") as engine:
            solving = asyncio.create_task(engine.solve("1+2", "majority", 3))
            while not planted.began.is_set():  # turns of this loop
                assert not solving.done(), await solving
                await asyncio.sleep(0)
            planted.beats.set()
            return (await solving).answer

    assert asyncio.run(main()) == "3"


def test_what_is_wrong_with_the_import_is_told_as_ever(planted: Gate, tmp_path: Path) -> None:
    (tmp_path / "planted_slow.py").write_text("raise RuntimeError('no')", encoding="utf-8")

    async def main() -> None:
        async with tts.Engine(model="slow:m") as engine:
            await engine.solve("1+2", "majority", 3)

    with pytest.raises(tts.ConfigError, match=r"backend 'slow' \(of planted\) cannot be imported: RuntimeError: no"):
        asyncio.run(main())
