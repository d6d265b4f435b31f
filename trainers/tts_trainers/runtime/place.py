"""Where a model to start from is found by its name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from tts import ConfigError, plugins


def place(name: str) -> str:
    """A folder or hub id; `miniature` is the model that comes with the `hf` backend.

    Raises `ConfigError` where a path leads to no folder.
    """
    if name == "miniature":
        package = plugins().find("backend", "hf").entry.target.partition(".")[0]
        return str(resources.files(package).joinpath("miniature"))
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ConfigError(f"model.name = {name!r} is no folder; give a folder with a model or a hub id like 'org/name'")
    return name
