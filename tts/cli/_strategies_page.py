"""The page of strategies, made of what their plugins declare: `tts plugins --cards`, kept as docs/strategies.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tts.cli._plugin_page import Described
from tts.registry.host import Plugin

_HEAD = """\
# Strategies

All of them decide on the same candidates, so `tts compare -s NAME,NAME` puts any of them side by side: candidates are
sampled once and calls that two of them share are paid once, while the table charges each what it alone would have
cost. The models that a strategy needs are given as `--model` (the policy), `--scorer`, `--judge` and `--synthesizer`.
Calls are those after sampling, for k candidates and default parameters. Order: "as given" goes by the order in which
candidates come, for ties or for where to stop; "drawn by seed" is the same whatever order they come in, since the
strategy draws its own, which repeats a run and makes no model indifferent to it. `--order-trials M` tells how often
another order, inside a prompt too, changes the answer.

Below the table are the parameters of each: `-p outputs=4` on the command line, `tts.strategy("gsr", outputs=4)` in
Python. `tts plugins NAME` prints all of it for one.

This page is printed by `tts plugins --cards` from what the plugins declare; `make docs` writes it anew.
"""
_COLUMNS = ("method", "paper", "needs", "calls per problem", "order", "when to use", "known weakness")
_PARAMETERS = ("parameter", "type", "default", "meaning")


def strategies_page(found: Sequence[Plugin]) -> str:
    """Markdown with a row for each strategy plugin, by its defaults, and a table of the parameters of each.

    One that cannot be imported says why.
    """
    strategies = [Described(plugin) for plugin in found if plugin.kind == "strategy"]
    tables = [_table(_COLUMNS, map(_row, strategies)), *(_parameters(one) for one in strategies if one.parameters)]
    return "\n".join([_HEAD, *tables])


def _row(one: Described) -> tuple[str, ...]:
    entry, card = one.plugin.entry, one.card
    told = [card.get(name, "") for name in ("needs", "calls", "order", "use", "weakness")]
    return (f"`{entry.name}`: {entry.summary}", entry.paper or "none", *told[:-1], one.problem or told[-1])


def _parameters(one: Described) -> str:
    rows = [(f"`{p.name}`", p.type, p.default or "required", p.description) for p in one.parameters]
    return f"## `{one.plugin.entry.name}`\n\n{_table(_PARAMETERS, rows)}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
