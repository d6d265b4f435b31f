"""What a shell offers when the tab key is pressed: names of plugins, models, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tts.registry.host import Kind, plugins
from tts.vocabulary.errors import TTSError

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_of(kind: Kind, *, many: bool = False) -> Complete:
    """The plugins of a kind; the last of several between commas where `many`."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        head, comma, last = begun.rpartition(",") if many else ("", "", begun)
        found = (plugin.entry for plugin in plugins().all(kind) if plugin.entry.name.startswith(last))
        return [CompletionItem(f"{head}{comma}{one.name}", help=one.summary) for one in found]

    return complete


def complete_model(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Profiles, models of the hub's cache, and the backends with a colon."""
    from tts.cli.models import named_models

    try:
        known = [CompletionItem(one.name, help=one.model) for one in named_models() if one.name.startswith(begun)]
    except TTSError:  # a broken tts.toml; the command itself will say so
        known = []
    backends = [f"{name}:" for name in plugins().names("backend") if name.startswith(begun)]
    return known + [CompletionItem(name) for name in backends]


def complete_problems(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tasks once `task:` is begun, else files."""
    tasks = [CompletionItem(f"task:{name}") for name in plugins().names("task") if f"task:{name}".startswith(begun)]
    if begun.startswith("task:"):
        return tasks
    files: Any = click.Path(path_type=Path).shell_complete(ctx, parameter, begun)
    return [*(tasks if "task:".startswith(begun) and begun else []), *files]
