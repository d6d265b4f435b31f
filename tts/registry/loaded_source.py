"""The source that loaded code was made from: of a file, of a notebook's cell, or the bytecode where there is none."""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import inspect
import linecache
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

Home = Literal["ours", "python", "installed", "local", "nowhere"]
_INSTALLED = {"site-packages", "dist-packages"}
_PYTHON = Path(os.__file__).parent
_read: dict[str, tuple[object, str]] = {}  # by module name: what loaded it, and the digest of its file then


def digest_of(content: bytes) -> str:
    """32 hex digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def home_of(module: ModuleType | None) -> Home:
    """Whose a module is: "local" in somebody's own file, "nowhere" where no file is there, as in a notebook."""
    name = "" if module is None else module.__name__
    file = getattr(module, "__file__", None)
    if name.partition(".")[0] == "tts":
        return "ours"
    if not isinstance(file, str):
        builtin = name != "__main__" and name.partition(".")[0] in sys.stdlib_module_names
        return "python" if builtin else "nowhere"
    if (home := _home_of_file(file)) is not None:
        return home
    return "local" if Path(file).is_file() else "nowhere"


@functools.lru_cache(maxsize=10_000)
def _home_of_file(file: str) -> Home | None:
    """By its path alone; `None` for somebody's own."""
    if _INSTALLED & set(Path(file).parts):
        return "installed"
    return "python" if Path(file).is_relative_to(_PYTHON) else None


def remember(module: ModuleType, source: bytes) -> None:
    """Say what a module is made from, where it was not Python's import that read the file."""
    _read[module.__name__] = (module.__spec__, digest_of(source))


def source_digest(module: ModuleType) -> str:
    """The source of a local module and of every local module that it has taken something from.

    Of a file that is imported as usual it is what was there when it was first looked at, until it is reloaded.
    """
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one.__name__ not in seen:
            seen[one.__name__] = _file_digest(one)
            waiting += _taken_from(one)
    return digest_of("\0".join(sorted(seen.values())).encode())


def _file_digest(module: ModuleType) -> str:
    known = _read.get(module.__name__)
    if known is not None and known[0] is module.__spec__ and module.__spec__ is not None:
        return known[1]
    try:
        found = digest_of(Path(str(module.__file__)).read_bytes())
    except OSError:  # gone, or in an archive
        found = digest_of(repr(sorted(vars(module))).encode())
    _read[module.__name__] = (module.__spec__, found)
    return found


def _taken_from(module: ModuleType) -> Iterator[ModuleType]:
    for value in list(vars(module).values()):
        found = value if isinstance(value, ModuleType) else sys.modules.get(_defined_in(value))
        if isinstance(found, ModuleType) and home_of(found) == "local":
            yield found


def _defined_in(value: object) -> str:
    """The module that defines a function or class; empty for anything else."""
    home = value.__module__ if isinstance(value, FunctionType | type) else ""
    return home if isinstance(home, str) else ""


def functions_of(cls: type) -> list[FunctionType]:
    """The functions that a class body has written down, in its order, whatever they are wrapped in."""
    found = []
    for value in vars(cls).values():
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        inner = inspect.unwrap(inner) if callable(inner) else inner
        if isinstance(inner, FunctionType) and inner.__module__ == cls.__module__:
            found.append(inner)
    return found


def written(target: FunctionType | type) -> str | None:
    """The source of a function or class that is in no file, such as a cell's; `None` where nobody has kept it."""
    if isinstance(target, FunctionType):
        return _written_function(target)
    for function in functions_of(target):
        lines = linecache.getlines(function.__code__.co_filename)
        found = _class_in("".join(lines), target.__qualname__)
        if found is not None:
            return found
    return None


def _written_function(function: FunctionType) -> str | None:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None


def _class_in(text: str, qualname: str) -> str | None:
    """A class's part of a source, found by its name."""
    try:
        body: list[ast.stmt] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    lines = text.splitlines()
    name = qualname.rpartition(".")[2]
    for node in (each for stmt in body for each in ast.walk(stmt)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            return textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
    return None


def bytecode(code: CodeType) -> list[Any]:
    """What a code object does, without where it stands; it differs between versions of Python."""
    inner = [bytecode(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return [digest_of(code.co_code), inner, list(code.co_names), list(code.co_varnames), list(code.co_freevars)]


def globals_in(code: CodeType) -> set[str]:
    """The global names that a code object looks up, with those of what is nested in it."""
    own = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(globals_in(one) for one in code.co_consts if isinstance(one, CodeType)))
