"""How a package loads a name when it is first used.

The names stand in the package's stub, `__init__.pyi`, for type checkers as for this file: no name is listed twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Door(NamedTuple):
    """What a package binds to `__getattr__` and `__dir__` (PEP 562)."""

    getattr: Callable[[str], Any]
    dir: Callable[[], list[str]]


def door(package: str) -> Door:
    """The door of a package: names from where its stub has them; a room that it names is imported as a whole."""

    def load(name: str) -> Any:
        private = name.startswith("_") and name not in {"__all__", "__version__"}
        homes = {} if private else _homes(package)
        if name == "__all__":
            return sorted(public for public, home in homes.items() if home != package)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        found = _imported(homes[name], name, room=homes[name] == package)
        setattr(sys.modules[package], name, found)  # from now on it is there
        return found

    return Door(load, lambda: sorted({*vars(sys.modules[package]), "__all__", *_homes(package)}))


def _imported(home: str, name: str, *, room: bool) -> Any:
    from importlib import import_module

    return import_module(f"{home}.{name}") if room else getattr(import_module(home), name)


def _homes(package: str) -> dict[str, str]:
    """The module of each name; of a room, the package itself."""
    import ast
    from pathlib import Path

    stub = Path(str(sys.modules[package].__file__)).with_suffix(".pyi")
    taken = (node for node in ast.parse(stub.read_text("utf-8")).body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in taken for alias in node.names}
