"""Fills tables of parameters when the site is built: of plugins, and of the recipes of training."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator

import tts
from tts.cli._plugin_page import Described
from tts.registry.parameters import Parameter, parameters

MARK = re.compile(r"<!-- parameters of (.+) -->")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Hook of MkDocs, called with each page."""
    return MARK.sub(lambda mark: "\n".join(documented(mark[1])), markdown)


def documented(what: str) -> Iterator[str]:
    """Markdown for all plugins of a kind (`backend`), or for a class (`package.module:Class`)."""
    module, colon, name = what.partition(":")
    if colon:
        yield from table(parameters(getattr(importlib.import_module(module), name)))
        return
    for plugin in tts.plugins().all():
        if plugin.kind == what and plugin.distribution == "ttscale":
            yield from _plugin(Described(plugin))


def _plugin(one: Described) -> Iterator[str]:
    entry = one.plugin.entry
    yield f"### `{entry.name}` {{ #{one.plugin.kind}-{entry.name} }}\n\n{entry.summary}.\n"
    if one.problem:
        yield f"{one.problem}.\n"
    if one.parameters:
        yield from table(one.parameters)
    if one.open:
        yield "Further options are handed on.\n"
    yield f"```text\n{one.example}\n```\n"


def table(found: Iterable[Parameter]) -> Iterator[str]:
    """A row for each parameter."""
    yield "| name | type | default | meaning |\n| --- | --- | --- | --- |"
    for one in found:
        default = "required" if one.default is None else f"`{one.default}`"
        cells = (f"`{one.name}`", one.type, default, one.description)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
