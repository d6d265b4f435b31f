"""Where a model to start from is found by its name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from tts import ConfigError, plugins

_OURS = "miniature"


class Place(NamedTuple):
    """A folder or hub id, with the GGUF file in it where that is what the model is."""

    name: str
    gguf: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What `from_pretrained` is told beside the name."""
        return {} if self.gguf is None else {"gguf_file": self.gguf}


def place(name: str) -> str:
    """A folder or hub id, as `find_place` finds it."""
    return find_place(name).name


def find_place(name: str) -> Place:
    """Where the model is: what `hf:NAME` names, too, such as `miniature`, a folder with one GGUF file, or that file.

    Raises `ConfigError` where a path leads to no model.
    """
    if name == _OURS or name.startswith(f"{_OURS}/"):
        package = plugins().find("backend", "hf").entry.target.partition(".")[0]
        shipped = Path(str(resources.files(package))).joinpath(*name.split("/"))
        if not (shipped / "config.json").is_file():
            raise ConfigError(f"model.name = {name!r} is none of the models that come with the package")
        return Place(str(shipped))
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Place(str(path.parent), path.name)
    if path.is_dir():
        return Place(str(path), _gguf_in(path))
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ConfigError(f"model.name = {name!r} is no folder; give a folder with a model or a hub id like 'org/name'")
    return Place(name)


def _gguf_in(folder: Path) -> str | None:
    found = sorted(file.name for file in folder.glob("*.gguf"))
    if not found or (folder / "config.json").is_file():
        return None
    if len(found) > 1:
        one = str(folder / found[0])
        raise ConfigError(f"model.name = {str(folder)!r} has {len(found)} GGUF files; give one of them, e.g. {one!r}")
    return found[0]


def unpacked(model: Any) -> Any:
    """A model that was read from a GGUF file as any other: transformers would not save the one that it gave.

    Its weights are numbers of full precision already; only its configuration says that they came in another form.
    """
    config = type(model.config).from_dict(
        {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    )
    fresh = type(model)._from_config(config, dtype=model.dtype, attn_implementation=model.config._attn_implementation)  # noqa: SLF001 - transformers' own way
    fresh.load_state_dict(model.state_dict())
    fresh.generation_config = model.generation_config
    return fresh
