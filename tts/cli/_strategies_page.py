"""The page of strategies, made of what their plugins declare: `tts plugins --cards`, kept as docs/strategies.md."""

from __future__ import annotations

from collections.abc import Sequence

from tts.contracts.strategy import Card, Needs, Strategy, strategy
from tts.registry.host import Plugin, plugins
from tts.vocabulary.errors import ConfigError

_HEAD = """\
# Strategies

All of them decide on the same candidates, so `tts compare -s NAME,NAME` puts any of them side by side: candidates are
sampled once and calls that two of them share are paid once, while the table charges each what it alone would have
cost. The models that a strategy needs are given as `--model` (the policy), `--scorer`, `--judge` and `--synthesizer`.
Calls are those after sampling, for k candidates and default parameters. Where the order of the candidates counts,
`--order-trials M` tells how often another order changes the answer.

This page is printed by `tts plugins --cards` from what the plugins declare; `make docs` writes it anew.
"""
_COLUMNS = ("method", "paper", "needs", "calls per problem", "order", "when to use", "known weakness")
_NO_CARD = Card(calls="", use="", weakness="")


def strategies_page(found: Sequence[Plugin]) -> str:
    """Markdown with a row for each strategy plugin, by its defaults; one that cannot be imported says why."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(plugin) for plugin in found if plugin.kind == "strategy")]
    table = "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)
    return f"{_HEAD}\n{table}\n"


def _row(plugin: Plugin) -> tuple[str, ...]:
    entry = plugin.entry
    method, paper = f"`{entry.name}`: {entry.summary}", entry.paper or "none"
    try:
        cls = plugins().resolve("strategy", entry.name)
    except ConfigError as error:
        return (method, paper, "", "", "", "", str(error))
    try:
        default: Strategy | type[Strategy] = strategy(cls)
        needs = strategy(cls).required()
    except ConfigError:  # it has parameters without a default
        default, needs = cls, cls.needs
    roles = ", ".join(name for name in Needs.model_fields if getattr(needs, name)) or "nothing"
    order = "does not count" if default.order_invariant else "counts"
    card = cls.card or _NO_CARD
    return (method, paper, roles, card.calls, order, card.use, card.weakness)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
