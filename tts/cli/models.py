"""`tts models`: which models can be named, without loading one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from tts.api.profiles import OWN, read_profiles
from tts.cli import say
from tts.cli._json_line import write_json
from tts.cli._table import write_table
from tts.engine.reference import DEFAULT_MODEL


class Named(NamedTuple):
    """A name that --model takes, what it stands for, where it comes from."""

    name: str
    model: str
    place: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON line per model.")
def models(as_json: bool) -> None:
    """List what --model can name here: profiles of tts.toml, TTS_MODEL, what the hub's cache holds, the built-in one.

    A profile is a line of tts.toml, or of [tool.ttscale] in pyproject.toml, in this folder or one above it:
    under [models], local = "openai:NAME@base_url=http://127.0.0.1:8000/v1"; then: tts run PROBLEMS -m @local
    """
    found = list(named_models())
    if as_json:
        for one in found:
            write_json(one._asdict())
        return
    write_table(Named._fields, found)
    if not any(one.name.startswith("@") for one in found):
        say(f"no profiles: put [models] with lines such as local = 'hf:FOLDER' into {OWN}")


def named_models() -> Iterator[Named]:
    """What can be named, the user's own names first."""
    profiles = read_profiles()
    for name, profile in profiles.models.items():
        more = ", ".join(f"{key}={value}" for key, value in profile.items() if key != "model")
        yield Named(f"@{name}", profile["model"] + (f" ({more})" if more else ""), str(profiles.place))
    if told := os.environ.get("TTS_MODEL"):
        yield Named("", told, "TTS_MODEL, where no --model is given")
    for folder in sorted(_cache().glob("models--*")):
        if any(folder.glob("snapshots/*/config.json")):
            name = "/".join(folder.name.split("--")[1:])
            yield Named(f"hf:{name}", name, "the hub's cache")
    yield Named(DEFAULT_MODEL, "built in, knows sums only", "ttscale")


def _cache() -> Path:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
