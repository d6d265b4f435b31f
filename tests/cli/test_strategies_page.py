"""docs/strategies.md is what the plugins declare, all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

import tts
from tts.cli._strategies_page import strategies_page
from tts.cli.plugins import show
from tts.registry.host import Plugin, plugins

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
OURS = [plugin for plugin in plugins().all("strategy") if plugin.distribution == "ttscale"]


def named(plugin: Plugin) -> str:
    return plugin.entry.name


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == strategies_page(OURS), "run `make docs`"


@pytest.mark.parametrize("plugin", OURS, ids=named)
def test_every_strategy_has_its_row(plugin: Plugin) -> None:
    (row,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{plugin.entry.name}`: ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 7
    assert all(cells)


@pytest.mark.parametrize("plugin", OURS, ids=named)
def test_every_strategy_declares_its_card_and_its_paper(plugin: Plugin) -> None:
    cls = plugins().resolve("strategy", plugin.entry.name)
    assert cls.card is not None
    for words in (plugin.entry.summary, *cls.card.model_dump(exclude_none=True).values()):
        assert 0 < len(words) <= 130
        assert not words.endswith(".")
    text = f"{cls.__doc__}\n{__import__(cls.__module__, fromlist=['_']).__doc__}"
    if plugin.entry.paper is None:
        assert "No paper" in text
    else:
        assert "(" not in plugin.entry.summary.replace("(pass@1)", ""), "the paper has a field of its own"
        (source,) = re.findall(r"\d{4}\.\d{5}|10\.\d{4}/\S+", plugin.entry.paper)
        assert source in text


def test_a_stranger_fills_it_in_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loud(tts.Strategy):
        """Takes the loudest | response. No paper."""

        name: ClassVar[str] = "loud"
        needs: ClassVar[tts.Needs] = tts.Needs(scorer=True)
        card: ClassVar[tts.Card | None] = tts.Card(calls="k | more", use="never", weakness="noise")

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            raise NotImplementedError

    plugin = Plugin("strategy", tts.Entry(name="loud", target="x:Loud", summary="takes the loudest"), "a", "1")
    monkeypatch.setitem(plugins()._resolved, ("strategy", "loud"), Loud)
    (row,) = strategies_page([plugin]).splitlines()[-1:]
    assert row == "| `loud`: takes the loudest | none | scorer | k \\| more | drawn by seed | never | noise |"


def test_the_command_prints_it() -> None:
    printed = CliRunner().invoke(show, ["--cards"], catch_exceptions=False).output
    for plugin in OURS:
        assert f"| `{plugin.entry.name}`: " in printed


@pytest.mark.parametrize("plugin", OURS, ids=named)
def test_the_list_of_plugins_names_the_paper(plugin: Plugin) -> None:
    printed = CliRunner().invoke(show, ["--kind", "strategy"], catch_exceptions=False).output
    (line,) = [line for line in printed.splitlines() if line.split()[1] == plugin.entry.name]
    assert plugin.entry.summary in line
    assert (plugin.entry.paper or "") in line
