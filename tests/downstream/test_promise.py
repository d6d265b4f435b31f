"""The frozen programs run, offline, and use every public name."""

from __future__ import annotations

import ast
import asyncio
import importlib
import re
import warnings
from pathlib import Path
from types import ModuleType

import my_plugin
import my_programs
import pytest

import tts
from tts.testing import InstantJudge, InstantModel, InstantScorer

FROZEN = sorted(path for path in Path(__file__).parent.glob("*.py") if path != Path(__file__))
NODES = [node for path in FROZEN for node in ast.walk(ast.parse(path.read_text("utf-8")))]
IMPORTED = {f"{node.module}.{one.name}" for node in NODES if isinstance(node, ast.ImportFrom) for one in node.names}
NAMED = {re.sub(r"^testing\b", "tts.testing", ast.unparse(node)) for node in NODES if isinstance(node, ast.Attribute)}
USED = IMPORTED | NAMED


@pytest.mark.parametrize("module", [tts, tts.testing], ids=lambda module: module.__name__)
def test_every_public_name_is_used(module: ModuleType) -> None:
    assert [name for name in module.__all__ if f"{module.__name__}.{name}" not in USED] == []


def test_a_name_that_nobody_uses_is_found() -> None:
    assert "tts.Engine" in USED
    assert "tts.testing.BackendContract" in USED
    assert "tts.Motor" not in USED


@pytest.mark.parametrize("room", ["answers", "eval", "interop", "prompts", "report", "tasks", "testing"])
def test_every_public_room_is_used(room: str) -> None:
    assert any(name.startswith(f"tts.{room}.") for name in USED)


def test_what_is_frozen_says_so() -> None:
    assert len(FROZEN) == 3
    assert all("FROZEN" in str(ast.get_docstring(ast.parse(path.read_text("utf-8")))) for path in FROZEN)


def test_the_hooks_declare_what_is_there() -> None:
    for entry in my_plugin.declared():
        module, _, name = entry.target.partition(":")
        assert getattr(importlib.import_module(module), name) is not None
    kinds = {name for name in vars(my_plugin) if name.startswith("tts_")}
    assert len(kinds) == 11  # all hooks but that of trainers


@pytest.fixture
def model() -> tts.Backend:
    return my_plugin.Parrot("polly", my_plugin.ParrotOptions())


def test_the_verbs(model: tts.Backend, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'ttscale[report]'")
    assert my_programs.solves(model).answer == "5"
    assert "my-longest" in my_programs.runs(model, tmp_path)
    assert {"run.html", "run.jsonl"} <= {path.name for path in tmp_path.iterdir()}
    my_programs.compares(model, InstantScorer(), InstantJudge(), tmp_path)
    my_programs.joins(model, tmp_path)
    assert my_programs.stored(tmp_path / "samples.db") == 2


def test_the_engine(model: tts.Backend, tmp_path: Path) -> None:
    scorer = my_plugin.Brevity("words", my_plugin.BrevityOptions())
    assert len(my_programs.from_synchronous_code(model, scorer, tmp_path)) == 8
    assert my_programs.stored(tmp_path / "engine.db") == 3


def test_reading(tmp_path: Path) -> None:
    my_programs.reads(tmp_path)
    assert my_programs.names()["model"] == "my-parrot:polly:0.5"
    assert asyncio.run(my_programs.grades()) == [True, False, True]
    asyncio.run(my_programs.answers())
    asyncio.run(my_programs.prompts(tmp_path))


def test_an_evaluation(model: tts.Backend, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'ttscale[report]'")
    assert my_programs.evaluates(model, tmp_path)
    assert (tmp_path / "eval" / "page.html").exists()


def test_what_goes_wrong() -> None:
    assert my_programs.refuses() == ["no strategy majorty", "change the call", "change the call", "look at the file"]
    assert my_programs.called('Wait.\n<tool_call>{"name": "look", "arguments": {}}</tool_call>') == ["look"]
    assert my_programs.advice(tts.ContextLengthError(9, 8, "m")) == "shorten 9 to 8"
    with pytest.raises(ZeroDivisionError):
        my_programs.advice(ZeroDivisionError())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", my_programs.WARNINGS[0])
        warnings.warn("left out", tts.PluginWarning, stacklevel=1)
    assert [one.category for one in told] == [tts.PluginWarning]


def test_a_stranger_hears_of_events() -> None:
    my_plugin.tts_event(tts.Event("loaded", message="m"))
    assert my_plugin.HEARD == [("loaded", "m")]
    assert isinstance(InstantModel().capabilities, tts.Capabilities)


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("aiohttp", reason="no aiohttp: pip install 'ttscale[openai]'")
    with pytest.raises(tts.BackendUnavailable) as failure:
        my_programs.served("http://127.0.0.1:9/v1")
    assert "127.0.0.1:9" in str(failure.value)


def test_a_model_in_memory_must_be_a_model() -> None:
    pytest.importorskip("torch", reason="no torch: pip install 'ttscale[hf]'")
    with pytest.raises((tts.TTSError, AttributeError)):
        asyncio.run(my_programs.in_memory(object(), object(), my_programs.examples()))
