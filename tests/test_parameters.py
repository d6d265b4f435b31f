"""Parameters explain themselves: each has a description, and it is shown wherever somebody asks."""

from __future__ import annotations

import datetime as dt
import importlib
import linecache
import pickle
import pkgutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

import tts
import tts_trainers
from tts.registry.host import Plugin
from tts.registry.parameters import Parameter, parameters
from tts_backends.hf import load as hf_load
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.recipe import Section, load_recipe
from tts_trainers.replica.recipe import ReplicaRecipe

WITH_FIELDS = ("strategy", "task", "backend", "scorer", "judge")
OURS = [plugin for kind in WITH_FIELDS for plugin in tts.plugins().all(kind) if plugin.distribution == "ttscale"]


def named(plugin: Plugin) -> str:
    return f"{plugin.kind}-{plugin.entry.name}"


def undescribed(cls: type[BaseModel]) -> list[str]:
    return [
        name for name, field in cls.model_fields.items() if len((field.description or "").removesuffix(".").split()) < 2
    ]


@pytest.mark.parametrize("plugin", OURS, ids=named)
def test_every_parameter_of_every_plugin_says_what_it_means(plugin: Plugin) -> None:
    try:
        cls = tts.plugins().resolve(plugin.kind, plugin.entry.name)
    except tts.MissingDependencyError as error:
        pytest.skip(str(error))
    assert undescribed(cls if issubclass(cls, BaseModel) else cls.Options) == []


def tables(cls: type[Section] = Section) -> Iterator[type[Section]]:
    """The classes of all tables of all recipes."""
    for one in cls.__subclasses__():
        yield one
        yield from tables(one)


for module in pkgutil.walk_packages(tts_trainers.__path__, "tts_trainers."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
SECTIONS = sorted({one for one in tables() if one.__module__.startswith("tts_trainers.")}, key=str)


def test_the_recipes_are_found() -> None:
    names = {one.__name__ for one in SECTIONS}
    ours = {"HybridRecipe", "DataRecipe", "ReplicaRecipe", "JudgeRecipe", "RewardModelRecipe", "SynthesizerRecipe"}
    assert ours <= names
    assert len(SECTIONS) > 25


@pytest.mark.parametrize("section", SECTIONS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_every_key_of_every_recipe_says_what_it_means(section: type[Section]) -> None:
    assert undescribed(section) == []


@pytest.mark.parametrize("recipe", [HybridRecipe, DataRecipe, ReplicaRecipe])
def test_the_keys_of_a_recipe_are_those_of_its_tables(recipe: type[Section]) -> None:
    found = parameters(recipe)
    assert len({one.name for one in found}) == len(found) > 25
    assert all(one.description for one in found)


class Inner(tts.Strategy):
    """The first of all. No paper."""

    name: ClassVar[str] = "inner"
    at: int = 0

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        raise NotImplementedError


class Outer(Inner):
    """Of every kind of parameter one. No paper."""

    name: ClassVar[str] = "outer"

    share: float = Field(0.5, gt=0, le=1)
    """A share.

    In words.
    """

    how: Literal["sum", "mean"] | None = None
    many: tuple[str, ...] = ()
    ends: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 2)
    mix: dict[int, float] = Field(default_factory=dict)
    dear: tts.Strategy = Inner()
    on: bool = False
    text: str


def test_types_ranges_and_defaults_are_told_as_they_are_written() -> None:
    assert [(one.name, one.type, one.default) for one in parameters(Outer)] == [
        ("at", "int", "0"),
        ("share", "float > 0, <= 1", "0.5"),
        ("how", "sum | mean or none", "none"),
        ("many", "list of text", "[]"),
        ("ends", "[int >= 1, int >= 1]", "[1, 2]"),
        ("mix", "{int = float}", "{}"),
        ("dear", "strategy", "inner"),
        ("on", "true or false", "false"),
        ("text", "text", None),
    ]
    assert parameters(Outer)[1].brief == "share (float > 0, <= 1; default 0.5): A share."
    assert Parameter("text", "text", None, "").brief == "text (text; required)"


class Odd(tts.NoOptions):
    """What a stranger may declare."""

    since: dt.timedelta = Field(dt.timedelta(1), gt=dt.timedelta(0))
    paths: tuple[Path, ...] = (Path("a"),)
    within: Odd | None = None
    late: int = Field(default_factory=lambda data: data["since"].days)


def test_what_is_odd_is_told_as_far_as_can_be() -> None:
    assert [(one.name, one.type, one.default) for one in parameters(Odd)] == [
        ("since", "timedelta > 0:00:00", "1 day, 0:00:00"),
        ("paths", "list of path", '["a"]'),
        ("within", "table or none", "none"),
        ("late", "int", "computed"),
    ]


SOURCE = '''
from typing import ClassVar
import tts

class Own(tts.Strategy):
    """A stranger's. No paper."""

    name: ClassVar[str] = "own"
    minimum: int = 1
    """The fewest votes."""

    async def aggregate(self, ctx):
        raise tts.NoCandidatesError("none")
'''


@pytest.mark.parametrize(("kept", "told"), [(True, "The fewest votes."), (False, "")])
def test_a_class_of_a_notebook_works_with_its_sources_and_without(
    kept: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "<cell 1>"
    if kept:  # as a notebook does for its cells
        monkeypatch.setitem(linecache.cache, place, (len(SOURCE), None, SOURCE.splitlines(keepends=True), place))
    cell = types.ModuleType("a_cell")
    cell.__file__ = place
    monkeypatch.setitem(importlib.import_module("sys").modules, "a_cell", cell)
    exec(compile(SOURCE, place, "exec"), vars(cell))
    own = tts.strategy(cell.Own, minimum=2)
    assert pickle.loads(pickle.dumps(own)) == own
    assert [one.description for one in parameters(cell.Own)] == [told]
    with pytest.raises(tts.ConfigError) as caught:
        tts.strategy(cell.Own, least=2)
    assert caught.value.__notes__ == ["  minimum (int; default 1)" + (f": {told}" if told else "")]


def test_a_class_that_is_made_of_nothing_works() -> None:
    made: Any = type("Made", (tts.NoOptions,), {"__annotations__": {"x": int}, "x": 1, "__module__": "nowhere"})
    assert [one.name for one in parameters(made)] == ["x"]


def notes(call: Any) -> list[str]:
    with pytest.raises(tts.ConfigError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value.__notes__


def test_an_unknown_parameter_is_answered_with_those_that_there_are() -> None:
    found = notes(lambda: tts.strategy("gsr", nonsense=1))
    assert [line.split()[0] for line in found] == list(tts.plugins().resolve("strategy", "gsr").model_fields)
    assert "  outputs (int >= 1; default 1): Independent refinements" in "\n".join(found)


def test_a_wrong_value_is_answered_with_its_parameter() -> None:
    (line,) = notes(lambda: tts.strategy("gsr", outputs=0))
    assert line.startswith("  outputs (int >= 1; default 1): ")
    (line,) = notes(lambda: tts.task("sums", left=(0, 3)))
    assert line.startswith("  left ([int >= 1, int >= 1]; default [12, 99]): ")


def test_an_unknown_option_of_a_model_is_answered_with_those_that_there_are() -> None:
    found = notes(lambda: tts.find_model("backend", "hf:miniature@max_bath=3"))
    assert [line.split()[0] for line in found] == list(hf_load.Options.model_fields)
    (line,) = notes(lambda: tts.find_model("backend", "hf:miniature@max_batch=0"))
    assert line.startswith("  max_batch (int >= 1; default 128): ")


def test_an_unknown_key_of_a_recipe_is_answered_with_those_of_its_table() -> None:
    found = notes(lambda: load_recipe("gsr-cpu", HybridRecipe, ["objective.lambda=2"]))
    assert [line.split(":")[0] for line in found] == [
        "  objective.arm",
        "  objective.refine_weight",
        "  objective.normalisation",
    ]
    assert all(len(line.split()) > 4 for line in found)
