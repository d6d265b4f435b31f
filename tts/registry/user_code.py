"""What a user names in a call instead of installing a plugin: a function or class of his own."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tts.boundary.program import importing
from tts.boundary.raised import passes, raised
from tts.bridge.supervised import Hung, supervised
from tts.registry.loaded_source import digest_of, remember
from tts.vocabulary.errors import ConfigError, PluginWarning, TTSError
from tts.vocabulary.names import refuse_from_data

Same = Callable[[str, str], bool]
GRADING = 30.0  # seconds in which a function of the user's must have said whether an answer is right


class FunctionGrader:
    """Implements `tts.Grader` by one call of a function per answer; no answer is wrong."""

    def __init__(self, same: Same) -> None:
        self._same = same

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer)."""
        return [answer is not None and self._said(gold, answer) for gold, answer in pairs]

    def _said(self, gold: str, answer: str) -> bool:
        try:
            return supervised(lambda: self._same(gold, answer), GRADING)
        except Hung as error:
            pair = f"the answer {answer!r:.60} to {gold!r:.60}"
            raise TTSError(f"the function that grades has said nothing of {pair} for {GRADING:g} s") from error

    async def aclose(self) -> None:
        """Nothing is held."""


def user_function(reference: str) -> Callable[..., Any]:
    """The function that `package.module:function` or `path/to/file.py:function` names.

    Raises `ConfigError`.
    """
    function = _named(reference)
    if not callable(function):
        place, _, name = reference.rpartition(":")
        raise ConfigError(f"{reference!r}: there is no function {name!r} in {place!r}")
    return function  # type: ignore[no-any-return]


def user_class(reference: str) -> type:
    """The class that `package.module:Class` or `path/to/file.py:Class` names.

    Raises `ConfigError`.
    """
    cls = _named(reference)
    if not isinstance(cls, type):
        place, _, name = reference.rpartition(":")
        raise ConfigError(f"{reference!r}: there is no class {name!r} in {place!r}")
    return cls


def _named(reference: str) -> Any:
    """What the reference names, or `None` where the module has nothing of the name."""
    refuse_from_data(reference)
    place, _, name = reference.rpartition(":")
    file = Path(place).expanduser() if place.endswith(".py") else None
    if file is not None and not file.is_file():
        raise ConfigError(f"{reference!r}: there is no file {str(file)!r}")
    changes: list[str] = []
    try:
        with importing() as changes:
            module = importlib.import_module(place) if file is None else _module_of_file(file)
            found = getattr(module, name, None)
    except BaseException as error:  # what is imported is the user's and may raise anything
        if passes(error):
            raise
        raise ConfigError(f"{reference!r} cannot be imported: {raised(error)}") from error
    if changes:
        sentence = f"{reference!r} {' and '.join(changes)} when it was imported; that was undone"
        warnings.warn(sentence, PluginWarning, stacklevel=2)
    return found


def _module_of_file(path: Path) -> ModuleType:
    """The file as a module, made from what is in it now; of the same content it is the module that there is.

    Python's own import would take a file that has changed within a second, and not its length, for what it was.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    source = path.read_bytes()
    name = f"tts_file_{path.stem}_{digest_of(str(path.resolve()).encode() + source)[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec.name = spec.loader.name = name  # type: ignore[attr-defined]  # of a loader of files
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache(str(path))  # what tracebacks show
    sys.modules[name] = module  # where pydantic looks for what the annotations of a class name
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - the user has named this file
    except BaseException:
        del sys.modules[name]
        raise
    remember(module, source)
    return module
