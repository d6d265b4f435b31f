"""What identifies code, for the keys of what is stored: its distribution's version, or the source it was made from."""

from __future__ import annotations

import enum
import functools
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from tts._version import __version__
from tts.registry import loaded_source
from tts.registry.loaded_source import bytecode, digest_of, functions_of, globals_in, home_of, written
from tts.vocabulary.errors import PluginWarning

OURS = f"ttscale {__version__}"
_edition: ContextVar[str] = ContextVar("edition_of_sources", default="")
_warned: set[str] = set()


def code_of(target: object, *settings: object) -> str:
    """What identifies a plugin's code: a short text that changes when the code does, for the keys of what is stored.

    A plugin's own `fingerprint`, where it is a text. Else the name and version of the installed distribution that it
    comes from; else the source of its file with that of the local modules it imports, or of a notebook's cells with
    what it uses of other cells. Of a function inside another the values that it closes over count, of an object its
    attributes. `settings` are what else decides, such as the model's name and the options; where one is the path of a
    file, the content of the file counts. A value whose content cannot be told is named in a `PluginWarning`.
    """
    own = getattr(target, "fingerprint", None)
    telling = _Telling()
    if isinstance(own, str) and own:
        found = own
    elif isinstance(target, type | FunctionType | BuiltinFunctionType):
        found = telling.code(target)
    else:
        found = _with(telling.code(type(target)), telling.state(target))
    told = _with(found, [telling.setting(one) for one in settings] if settings else None)
    telling.warn(target)
    return told


@contextmanager
def other_sources() -> Iterator[None]:
    """Within it all code counts as changed, so that a test can ask what follows the code and what does not."""
    token = _edition.set("other")
    try:
        yield
    finally:
        _edition.reset(token)


def _with(code: str, further: Any) -> str:
    return code if not further else f"{code} with {_digest(further)}"


def _digest(value: Any) -> str:
    return digest_of(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())


@functools.cache
def _distribution(top: str) -> str | None:
    """Name and version of what installed a package."""
    names = sorted(set(packages_distributions().get(top, ())))
    try:
        return ", ".join(f"{name} {version(name)}" for name in names) or None
    except PackageNotFoundError:
        return None


def _place(module: ModuleType | None) -> str | None:
    """What a module is known by as a whole, `None` where it has no file: the module of a notebook."""
    home = home_of(module)
    if home == "nowhere" or module is None:
        return None
    if home == "python":
        return f"Python {sys.version_info.major}.{sys.version_info.minor}"
    known = OURS if home == "ours" else None
    if home == "installed":
        known = _distribution(module.__name__.partition(".")[0])
    return (known or f"source {loaded_source.source_digest(module)}") + _edition.get()


def _is_own(cls: type) -> bool:
    """Whether a class is somebody's own, in a file or in a notebook."""
    return home_of(sys.modules.get(cls.__module__)) in ("local", "nowhere")


class _Telling:
    """Tells code and values as JSON; `doubts` are the values that it cannot tell."""

    def __init__(self) -> None:
        self.doubts: list[str] = []
        self._under_way: set[int] = set()
        self._described: set[int] = set()

    def warn(self, target: object) -> None:
        """Say once what cannot be told of a plugin."""
        name = getattr(target, "__qualname__", None) or type(target).__qualname__
        for doubt in dict.fromkeys(self.doubts):
            sentence = (
                f"{name} has no fingerprint, and {doubt} cannot be told from another: what was stored with another is "
                "taken for its own; give it a `fingerprint`, a text that changes with it"
            )
            if sentence not in _warned:
                _warned.add(sentence)
                warnings.warn(sentence, PluginWarning, stacklevel=3)

    def code(self, target: Any) -> str:
        """A function or class as a text."""
        module = sys.modules.get(str(target.__module__))
        place = _place(module)
        if place is None:
            return f"source {_digest(self._in_no_file(target))}{_edition.get()}"
        if not place.startswith("source "):
            made_inside = "<locals>" in target.__qualname__ and not place.startswith(OURS)
            return _with(place, self._inside(target) if made_inside else None)
        bases = [self.code(one) for one in target.__mro__[1:] if _is_own(one)] if isinstance(target, type) else []
        return f"source {_digest([place, target.__qualname__, self._inside(target), bases])}"

    def _inside(self, target: Any) -> list[Any]:
        """What a definition inside a function, or a lambda, has beside its source: its place, what it closes over."""
        if isinstance(target, type):
            nested = "<locals>" in target.__qualname__
            return [self._inside(one) for one in functions_of(target)] + (self._attributes(target) if nested else [])
        if not isinstance(target, FunctionType) or ("<" not in target.__qualname__ and not target.__closure__):
            return []
        places = [list(place) for place in target.__code__.co_positions()]  # two lambdas may stand on one line
        return [places, *self._closed_over(target)]

    def _attributes(self, cls: type) -> list[Any]:
        """The plain values in the body of a class that a function makes."""
        plain = (str, int, float, bool, type(None), tuple, frozenset)
        values = {name: value for name, value in vars(cls).items() if not name.startswith("_")}
        return [
            [name, self.value(value, name)]
            for name, value in sorted(values.items())
            if isinstance(value, plain) and name != "model_config"
        ]

    def _closed_over(self, function: FunctionType) -> list[Any]:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        free = [[name, self.value(_held(cell), name)] for name, cell in cells if name != "__class__"]
        given = [self.value(one, "a default") for one in function.__defaults__ or ()]
        named = {name: self.value(one, name) for name, one in (function.__kwdefaults__ or {}).items()}
        return [free, given, named]

    def _in_no_file(self, target: Any) -> list[Any]:
        """A definition of a notebook or a console: its source, and all that it uses of the others there."""
        if id(target) in self._described:
            return ["again", target.__qualname__]
        self._described.add(id(target))
        functions = functions_of(target) if isinstance(target, type) else [target]
        source = written(target) or [bytecode(one.__code__) for one in functions]
        used = [self._used(one) for one in functions]
        closed = [self._closed_over(one) for one in functions]
        if not isinstance(target, type):
            return [source, used, closed]
        bases = [self.code(one) for one in target.__mro__[1:] if _is_own(one)]
        return [source, used, closed, self._attributes(target), bases]

    def _used(self, function: FunctionType) -> dict[str, Any]:
        """The globals that a function looks up, as they are now."""
        there = function.__globals__
        names = sorted(name for name in globals_in(function.__code__) if name in there)
        return {name: self.value(there[name], f"the global {name!r}") for name in names}

    def state(self, target: object) -> Any:
        """The attributes of an object, a bound function's object, a partial's arguments."""
        if isinstance(target, MethodType | functools.partial):
            return self.value(target, "it")
        slots = [name for cls in type(target).__mro__ for name in _slots(cls)]
        held = {name: getattr(target, name) for name in slots if hasattr(target, name)} | getattr(
            target, "__dict__", {}
        )
        return {name: self.value(value, f"its attribute {name!r}") for name, value in sorted(held.items())}

    def setting(self, value: Any) -> Any:
        """As `value`, and a text that is the path of a file counts with what is in it."""
        fields = getattr(type(value), "model_fields", None)
        if isinstance(fields, Mapping):
            return {name: self.setting(getattr(value, name)) for name in sorted(fields)}
        told = self.value(value, "a setting")
        content = file_content(value)
        return told if content is None else [told, content]

    def value(self, value: Any, where: str) -> Any:
        """A value as JSON, whose content decides; one that has none that can be read is doubted."""
        if value is None or isinstance(value, bool | int | str):
            return value.value if isinstance(value, enum.Enum) else value
        if isinstance(value, float | complex | range | slice):
            return repr(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return digest_of(bytes(value))
        if isinstance(value, ModuleType):
            return _place(value) or value.__name__
        if id(value) in self._under_way:
            return "again"
        self._under_way.add(id(value))
        try:
            return self._held(value, where)
        finally:
            self._under_way.discard(id(value))

    def _held(self, value: Any, where: str) -> Any:
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return [value.__qualname__, self.code(value)]
        if isinstance(value, MethodType):
            return [self.code(value.__func__), self.value(value.__self__, where)]
        if isinstance(value, functools.partial):
            return [self.value(part, where) for part in (value.func, value.args, value.keywords)]
        if isinstance(value, Mapping):
            pairs = [[self.value(key, where), self.value(one, where)] for key, one in value.items()]
            return sorted(pairs, key=lambda pair: json.dumps(pair, sort_keys=True))
        if isinstance(value, AbstractSet):
            return sorted((self.value(one, where) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        if isinstance(value, Sequence):
            return [type(value).__name__, *(self.value(one, where) for one in value)]
        return self._object(value, where)

    def _object(self, value: Any, where: str) -> Any:
        cls = type(value)
        if isinstance(value, enum.Enum):
            return [self.code(cls), value.name]
        if isinstance(value, Path):
            return [str(value), file_content(value)]
        if isinstance(value, re.Pattern):
            return [value.pattern if isinstance(value.pattern, str) else repr(value.pattern), value.flags]
        if cls.__module__.partition(".")[0] == "numpy" and hasattr(value, "tobytes"):
            return [str(value.dtype), list(value.shape), digest_of(value.tobytes())]
        if _is_own(cls) or hasattr(cls, "model_fields") or hasattr(cls, "__dataclass_fields__"):
            return [self.code(cls), self.state(value)]
        self.doubts.append(f"{where} (a {cls.__module__}.{cls.__qualname__})")
        return [cls.__qualname__, self.code(cls)]


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _slots(cls: type) -> list[str]:
    found = vars(cls).get("__slots__", ())
    names = [found] if isinstance(found, str) else list(found)
    return [name for name in names if name not in {"__dict__", "__weakref__"}]


def file_content(value: object) -> str | None:
    """A digest of what is in a file or in the files of a folder, where a value is the path of one.

    A text without ending and without folder is taken for a name.
    """
    if not isinstance(value, str | Path) or not str(value) or "\n" in str(value) or len(str(value)) > 1024:
        return None
    if isinstance(value, str) and not Path(value).suffix and os.sep not in value:
        return None
    try:
        path = Path(value).expanduser()
        if path.is_file():
            return digest_of(path.read_bytes())
        if path.is_absolute() and path.is_dir():
            inner = sorted(one for one in path.iterdir() if one.is_file())
            return _digest([[one.name, digest_of(one.read_bytes())] for one in inner])
    except (OSError, RuntimeError, ValueError):
        return None
    return None
