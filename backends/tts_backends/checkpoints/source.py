"""Where a model's files are: a folder, a GGUF file in one, or a hub id."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from tts import ConfigError
from tts.prompts import PROMPTS_FILE, Prompts


class Source(NamedTuple):
    """Where a model comes from: a folder, or a hub id; `gguf` names a file in it."""

    place: str
    folder: Path | None
    gguf: str | None


def find(model: str, gguf: str | None = None) -> Source:
    """Where the model is, `gguf` being the file wanted in it; raises `ConfigError` where a path leads to none."""
    shipped = model == "miniature" or model.startswith("miniature/")
    path = Path(__file__).parents[1] / model if shipped else Path(model).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Source(str(path.parent), path.parent, path.name)
    if path.is_dir():
        return Source(str(path), path, _gguf_in(path, gguf))
    if shipped:
        raise ConfigError(f"there is no hf:{model}; the built-in models are {', '.join(map(repr, _shipped()))}")
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1 or not model:
        raise ConfigError(f"{model!r} is no folder; give a folder with a model or a hub id like 'org/name'")
    return Source(model, None, gguf)


def _shipped() -> list[str]:
    """The models that come with the package."""
    home = Path(__file__).parents[1] / "miniature"
    return ["miniature", *sorted(f"miniature/{one.name}" for one in home.iterdir() if (one / "config.json").is_file())]


def _gguf_in(folder: Path, wanted: str | None) -> str | None:
    if wanted is not None:
        if not (folder / wanted).is_file():
            raise ConfigError(f"there is no file {wanted!r} in {str(folder)!r}")
        return wanted
    if (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        return None  # transformers puts an adapter on the model that its configuration names
    found = sorted(p.name for p in folder.glob("*.gguf"))
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{str(folder)!r} has {len(found)} GGUF files; choose one with @gguf=, e.g. {found[0]!r}")
    raise ConfigError(f"{str(folder)!r} holds no model: it has neither a config.json nor a GGUF file")


def commit_of(config: Any, revision: str | None) -> str | None:
    """The commit of the hub that a model came from, as its configuration says, else the revision asked for."""
    return getattr(config, "_commit_hash", None) or revision


def trained_prompts(source: Source, commit: str | None) -> Prompts | None:
    """What the checkpoint's `tts.json` says; a hub's is fetched at the commit of the weights."""
    from transformers.utils.hub import cached_file

    if source.folder is not None:
        file: Path | str | None = source.folder / PROMPTS_FILE
    else:
        file = cached_file(
            source.place,
            PROMPTS_FILE,
            revision=commit,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return Prompts.read(Path(file)) if file is not None and Path(file).is_file() else None
