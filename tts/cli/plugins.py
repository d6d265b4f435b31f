"""`tts plugins`: what the plugin host found, without importing it, or everything about one."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Sequence
from itertools import groupby
from typing import Any, get_args

import click

from tts.cli._json_line import write_json
from tts.cli._table import write_table
from tts.registry.host import Kind, Plugin, PluginHost, plugins
from tts.vocabulary.errors import ConfigError


@click.command("plugins")
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(get_args(Kind)), help="Only plugins of this kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per plugin.")
@click.option("--cards", is_flag=True, help="The strategies as a Markdown page: needs, calls, when to use, weakness.")
def show(name: str | None, kind: Kind | None, as_json: bool, cards: bool) -> None:
    """List strategies, backends, tasks, commands and other plugins, and what is wrong with any.

    With NAME: everything about one, with its parameters, their defaults and meaning.
    """
    host = plugins()
    if name is not None:
        _show_one(_named(host, name, kind), as_json=as_json)
        return
    if cards:
        from tts.cli._strategies_page import strategies_page

        click.echo(strategies_page(host.all("strategy")), nl=False)
        return
    rows = [
        row for _, offers in groupby(host.all(kind), key=lambda p: (p.kind, p.entry.name)) for row in _rows([*offers])
    ]
    if as_json:
        for row in rows + [{"kind": None, "name": None, "problem": problem} for problem in host.problems]:
            write_json(row)
        return
    write_table(
        ("kind", "name", "from", "summary"),
        [(row["kind"], row["name"], f"{row['distribution']} {row['version']}", _text(row)) for row in rows],
    )
    for problem in host.problems:
        click.echo(f"\nproblem: {problem}")


def _named(host: PluginHost, name: str, kind: Kind | None) -> list[Plugin]:
    """The plugins of this name, of whatever kind where none is given."""
    known = host.all(kind)
    if found := [plugin for plugin in known if plugin.entry.name == name]:
        return found
    near = difflib.get_close_matches(name, dict.fromkeys(plugin.entry.name for plugin in known), n=2)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`tts plugins` lists them all"
    raise ConfigError(f"no {kind or 'plugin'} is called {name!r}; {hint}")


def _show_one(found: Sequence[Plugin], *, as_json: bool) -> None:
    from tts.cli._plugin_page import Described

    width = min(shutil.get_terminal_size().columns, 100)
    for position, plugin in enumerate(found):
        described = Described(plugin)
        if as_json:
            write_json(described.row())
        else:
            click.echo("\n".join([*([""] if position else []), *described.page(width)]))


def _rows(offers: Sequence[Plugin]) -> list[dict[str, Any]]:
    """The rows of one name; where several distributions offer it, none can be used."""
    owners = " and ".join(f"{plugin.distribution} {plugin.version}" for plugin in offers)
    problem = f"offered by {owners}: uninstall one, or choose with TTS_PLUGINS" if len(offers) > 1 else None
    return [
        {
            "kind": plugin.kind,
            "name": plugin.entry.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "extra": plugin.entry.extra,
            "summary": plugin.entry.summary,
            "paper": plugin.entry.paper,
            "problem": problem,
        }
        for plugin in offers
    ]


def _text(row: dict[str, Any]) -> str:
    paper = f" ({row['paper']})" if row["paper"] else ""
    needs = f" (needs {row['extra']})" if row["extra"] else ""
    return f"PROBLEM: {row['problem']}" if row["problem"] else f"{row['summary']}{paper}{needs}"
