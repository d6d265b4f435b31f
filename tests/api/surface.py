"""The public surface as text: every public name with its signature, read from the sources.

`make api` writes it to surface.txt; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import griffe

import tts

ROOT = Path(__file__).parents[2]
PACKAGES = ("tts", "tts.answers", "tts.eval", "tts.prompts", "tts.report", "tts.testing")


def surface() -> list[str]:
    """One line per name, sorted within each section."""
    loaded = griffe.load("tts", search_paths=[ROOT], resolve_aliases=True, allow_inspection=False)
    lines = []
    for package in PACKAGES:
        members = loaded if package == "tts" else loaded[package.removeprefix("tts.")]
        lines += [
            f"# {package}",
            *sorted(line for name in members.exports for line in _lines(members[str(name)], name)),
        ]
    hooks = [one for name, one in loaded["vocabulary.hooks"].members.items() if name.startswith("tts_")]
    lines += ["# hooks", *sorted(f"{one.name}{_signature(one)}" for one in hooks), "# plugins", *sorted(_plugins())]
    return lines


def _lines(found: griffe.Object | griffe.Alias, name: str) -> Iterator[str]:
    if found.is_function:
        yield f"{name}{_signature(found)}"
    elif found.is_class:
        yield f"{name}({', '.join(str(base) for base in found.bases)})"
        for member, one in found.all_members.items():
            if (member.startswith("_") and member != "__init__") or member == "model_config":
                continue
            if one.is_function:
                yield f"{name}.{member}{_signature(one)}"
            elif one.is_attribute:
                yield f"{name}.{member}{_annotated(one)}"
    else:
        yield f"{name}{_annotated(found)}"


def _signature(function: griffe.Object | griffe.Alias) -> str:
    shown = function.signature(return_type=False).removeprefix(function.name)
    for first in ("self", "cls"):
        shown = shown.replace(f"({first}, ", "(").replace(f"({first})", "()")
    return f"{shown} -> {function.returns}" + (" (async)" if "async" in function.labels else "")


def _annotated(attribute: griffe.Object | griffe.Alias) -> str:
    told = f": {attribute.annotation}" if attribute.annotation else ""
    is_field = attribute.value is not None and "class-attribute" in attribute.labels and told
    value = re.sub(r"Field\(default=(?!lambda)", "Field(", str(attribute.value))  # written so for pyright: one promise
    return f"{told} = {value}" if is_field else told


def _plugins() -> Iterator[str]:
    for plugin in tts.plugins().all():
        if plugin.distribution == "ttscale":
            named = f"{plugin.kind} {plugin.entry.name}"
            yield f"{named}({', '.join(_parameters(plugin.kind, plugin.entry.name))})"


def _parameters(kind: str, name: str) -> list[str]:
    """What a user may set by name; the options of models would need their libraries."""
    if kind in {"strategy", "task"}:
        fields = tts.plugins().resolve(kind, name).model_fields
        return [field if info.is_required() else f"{field}={info.get_default()!r}" for field, info in fields.items()]
    if kind == "command":
        return _options(tts.plugins().resolve(kind, name))
    return []


def _options(command: click.Command) -> list[str]:
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    return sorted(own) + [f"{one.name}: {option}" for one in inner for option in _options(one)]


if __name__ == "__main__":
    sys.stdout.write("\n".join(surface()) + "\n")
