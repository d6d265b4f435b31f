"""All that is known of one plugin: declaration, card, description, parameters, an example."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import click
from pydantic import BaseModel

from tts.contracts.models import JudgeFormat
from tts.contracts.strategy import Needs, Strategy, strategy
from tts.registry.host import Kind, Plugin, plugins
from tts.registry.parameters import Parameter, parameters
from tts.vocabulary.errors import ConfigError, MissingDependencyError

_GIVEN: dict[Kind, str] = {"strategy": "-p NAME=VALUE", "trainer": "a TOML file, or --set TABLE.KEY=VALUE"}
_ROLES = {
    "scorer": "--scorer hf-reward:miniature/reward",
    "judge": "--judge generic:hf:miniature/judge",
    "synthesizer": "--synthesizer hf:miniature/synthesizer",
}
_SUMS = "tts run task:sums@size=20"


class Described:
    """One plugin, imported; where that fails `problem` says why, and what is declared is all there is."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.target: Any = None
        self.problem: str | None = None
        try:
            self.target = plugins().resolve(plugin.kind, plugin.entry.name)
        except (ConfigError, MissingDependencyError) as error:
            self.problem = str(error)

    @cached_property
    def fields(self) -> type[BaseModel] | None:
        """The class whose fields are the plugin's parameters, options or recipe."""
        target = self.target
        if isinstance(target, type):
            found = target if issubclass(target, BaseModel) else getattr(target, "Options", None)
        elif self.plugin.kind == "trainer" and callable(target):
            found = next(iter(typing.get_type_hints(target).values()), None)
        else:
            found = None
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None

    @property
    def parameters(self) -> list[Parameter]:
        """Its parameters, options or recipe keys."""
        return parameters(self.fields) if self.fields is not None else []

    @property
    def open(self) -> bool:
        """Whether it takes further options, which it hands on."""
        return self.fields is not None and self.fields.model_config.get("extra") == "allow"

    @property
    def description(self) -> str:
        """What it says of itself."""
        if isinstance(self.target, click.Command):
            return inspect.cleandoc(self.target.help or "")
        return inspect.cleandoc(getattr(self.target, "__doc__", None) or "")

    @property
    def card(self) -> dict[str, str]:
        """What a strategy declares besides, by its defaults."""
        cls = self.target
        if not (isinstance(cls, type) and issubclass(cls, Strategy)):
            return {}
        try:
            default: Strategy | type[Strategy] = strategy(cls)
            needs = strategy(cls).required()
        except ConfigError:  # it has parameters without a default
            default, needs = cls, cls.needs
        told = {
            "needs": ", ".join(name for name in Needs.model_fields if getattr(needs, name)) or "nothing",
            "order": "drawn by seed" if default.order_invariant else "as given",
        }
        return told | ({k: v for k, v in cls.card if v is not None} if cls.card is not None else {})

    @property
    def example(self) -> str:
        """A command line that uses it."""
        return _EXAMPLES.get(self.plugin.kind, _shown)(self)

    def row(self) -> dict[str, Any]:
        """All of it, for programs."""
        entry = self.plugin.entry
        return {
            "kind": self.plugin.kind,
            "distribution": self.plugin.distribution,
            "version": self.plugin.version,
            **dataclasses.asdict(entry),
            "problem": self.problem,
            "card": self.card,
            "description": self.description,
            "parameters": [one._asdict() for one in self.parameters],
            "example": self.example,
        }

    def page(self, width: int) -> Iterator[str]:
        """The lines for a terminal so wide."""
        entry = self.plugin.entry
        yield from _wrapped(f"{self.plugin.kind} {entry.name}: {entry.summary}", width)
        yield ""
        told = {
            "from": f"{self.plugin.distribution} {self.plugin.version}".strip() + f", {entry.target}",
            "paper": entry.paper,
            "extra": entry.extra,
            "problem": self.problem,
        } | self.card
        for name, text in told.items():
            if text:
                yield from _wrapped(f"  {name:<10}{text}", width, " " * 12)
        if self.description:
            yield ""
            yield from _paragraphs(self.description, width)
        yield from self._parameter_lines(width)
        yield from ("", "example", *_wrapped(f"  {self.example}", width, " " * 6))

    def _parameter_lines(self, width: int) -> Iterator[str]:
        if self.parameters or self.open:
            what = {"strategy": "parameters", "trainer": "recipe"}.get(self.plugin.kind, "options")
            yield from ("", f"{what} ({_GIVEN.get(self.plugin.kind, '@NAME=VALUE,NAME=VALUE')})")
        for one in self.parameters:
            yield from _wrapped(f"  {one.name}: {one.declared}", width)
            yield from _wrapped(f"      {one.description}", width, " " * 6)
        if self.open:
            yield "  Further options are handed on."


def _wrapped(text: str, width: int, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _paragraphs(text: str, width: int) -> Iterator[str]:
    """Prose is wrapped anew; what is laid out by hand stays."""
    for position, paragraph in enumerate(text.split("\n\n")):
        if position:
            yield ""
        laid_out = paragraph.startswith((" ", "*", "-", "```"))
        yield from paragraph.splitlines() if laid_out else _wrapped(" ".join(paragraph.split()), width, "")


def _option(one: Described) -> str:
    """One parameter at its default, to show how it is given."""
    known = (p for p in one.parameters if p.default not in (None, "none", '""') and p.type.split()[0] not in _LONG)
    return next((f"{p.name}={p.default}" for p in known), "")


_LONG = {"text", "path", "strategy", "list"}


def _strategy(one: Described) -> str:
    needs = one.card.get("needs", "").split(", ")
    roles = [option for role, option in _ROLES.items() if role in needs]
    given = [f"-p {_option(one)}"] if _option(one) else []
    return " ".join([_SUMS, "--strategy", one.plugin.entry.name, "-k 4", *roles, *given])


def _task(one: Described) -> str:
    argument = getattr(one.target, "argument", None)
    name = f"task:{one.plugin.entry.name}" + (f":{argument.upper()}" if argument else "")
    return f"tts run {name}{_at(one)} --strategy majority -k 4"


def _judge(one: Described) -> str:
    is_format = isinstance(one.target, type) and issubclass(one.target, JudgeFormat)
    model = "hf:MODEL" if is_format else "MODEL"
    return f"{_SUMS} --strategy knockout --judge {one.plugin.entry.name}:{model}{_at(one)}"


def _at(one: Described) -> str:
    return f"@{_option(one)}" if _option(one) else ""


def _trainer(one: Described) -> str:
    """Its command where there is one."""
    if "train" in plugins().names("command"):
        command = plugins().resolve("command", "train")
        if isinstance(command, click.Group) and one.plugin.entry.name in command.list_commands(click.Context(command)):
            return f"tts train {one.plugin.entry.name} --help"
    return f'tts.plugins().resolve("trainer", "{one.plugin.entry.name}")(recipe, folder)'


def _shown(one: Described) -> str:
    """For a kind that is given by its name alone."""
    return f"tts plugins {one.plugin.entry.name} --kind {one.plugin.kind}"


_EXAMPLES: dict[str, typing.Callable[[Described], str]] = {
    "strategy": _strategy,
    "task": _task,
    "judge": _judge,
    "trainer": _trainer,
    "backend": lambda one: f"{_SUMS} --strategy majority --model {one.plugin.entry.name}:MODEL{_at(one)}",
    "scorer": lambda one: f"{_SUMS} --strategy best_of_n --scorer {one.plugin.entry.name}:MODEL{_at(one)}",
    "grader": lambda one: f"{_SUMS} --strategy majority --grader {one.plugin.entry.name}",
    "extractor": lambda one: f"{_SUMS} --strategy majority --extractor {one.plugin.entry.name}",
    "report": lambda _: "tts report runs/a -o report.html",
    "command": lambda one: f"tts {one.plugin.entry.name} --help",
}
