"""Parameters: the fields of a class as a reader wants them, each with its range, default, meaning."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from tts.vocabulary.errors import ConfigError

_NAMES: dict[Any, str] = {str: "text", bool: "true or false", type(None): "none", Path: "path"}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_MOST_NOTES = 10  # lines below a sentence; more would push it off the screen
_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])")


class Parameters(BaseModel):
    """Base of plugins whose fields are parameters, each with its docstring: for calls, JSON, command line and docs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: ClassVar[str]


class Parameter(NamedTuple):
    """One field of a strategy, a task, a class of options or a recipe; `default` is `None` where it must be given."""

    name: str
    type: str
    default: str | None
    description: str

    @property
    def declared(self) -> str:
        """Type and default: `int >= 1; default 4`."""
        return f"{self.type}; {'required' if self.default is None else f'default {self.default}'}"

    @property
    def brief(self) -> str:
        """A line of an error message: the parameter with the first sentence of its meaning."""
        meaning = _SENTENCE.split(self.description, maxsplit=1)[0]
        return f"{self.name} ({self.declared}){f': {meaning}' if meaning else ''}"


def parameters(cls: type[BaseModel]) -> list[Parameter]:
    """The fields in the order of their declaration; those of a table of a recipe are `table.field`."""
    return list(_parameters(cls, "", ()))


def noted(error: ConfigError, cls: type[BaseModel], field: str | None = None) -> ConfigError:
    """The error with the fields of a class below its sentence, or with one of them."""
    known = parameters(cls)
    if field is None and len(known) > _MOST_NOTES:
        error.add_note("  `tts plugins` with its name says what each of them means")
        return error
    for one in known:
        if field is None or field.partition(".")[0] == one.name:
            error.add_note(f"  {one.brief}")
    return error


def _parameters(cls: type[BaseModel], prefix: str, above: tuple[type[BaseModel], ...]) -> Iterator[Parameter]:
    for name, info in cls.model_fields.items():
        table, many = _table(info.annotation)
        if table is None or table in (cls, *above):  # a table may hold itself
            description = " ".join((info.description or "").split())
            yield Parameter(
                prefix + name, _bounded(_named(info.annotation), info.metadata), _default(info), description
            )
        else:
            yield from _parameters(table, f"{prefix}{name}.{'NAME.' if many else ''}", (cls, *above))


def _table(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The class that the fields of a table are, and whether there is one for each of several names.

    A plugin, such as a strategy that another one uses, is a value like any other: it is written by its name.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (None if issubclass(annotation, Parameters) else annotation), False
    found = [one for one in map(_table, get_args(annotation)) if one[0] is not None]
    return (found[0][0], get_origin(annotation) is dict) if found else (None, False)


def _named(annotation: Any) -> str:
    """A type in words that a command line needs: `int or none`, `sum | mean`, `list of text`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_named, inner)))
    if hasattr(annotation, "__metadata__"):
        return _bounded(_named(inner[0]), annotation.__metadata__)
    if origin is tuple:
        return f"list of {_named(inner[0])}" if inner[-1] is ... else f"[{', '.join(map(_named, inner))}]"
    if origin is dict:
        return f"{{{_named(inner[0])} = {_named(inner[1])}}}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        bases = (one for one in annotation.__mro__ if Parameters in one.__bases__)
        return next((one.__name__.lower() for one in bases), "table")  # a strategy is called so
    return _NAMES.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _bounded(name: str, metadata: Sequence[Any]) -> str:
    """The type with its range: `int >= 1 or none`."""
    flat = [part for one in metadata for part in getattr(one, "metadata", [one])]
    bounds = [f"{sign} {getattr(one, key)}" for one in flat for key, sign in _BOUNDS.items() if hasattr(one, key)]
    if not bounds:
        return name
    head, none, tail = name.partition(" or none")
    return f"{head} {', '.join(bounds)}{none}{tail}"


def _default(info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    try:
        return _written(info.get_default(call_default_factory=True))
    except Exception:  # a factory of somebody's, which may want what is not there yet
        return "computed"


def _written(value: Any) -> str:
    """A default as one would write it."""
    if value is None or value == "":
        return '""' if value == "" else "none"
    if isinstance(value, BaseModel):
        return str(getattr(value, "name", value))
    return json.dumps(value, default=str) if isinstance(value, bool | list | tuple | dict) else str(value)
