"""`tts plugins`: the listing, and the page of one plugin."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

import tts
from tts.cli import main


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_plugins(run_tts: Any) -> None:
    rows = lines(run_tts("plugins", "--json").stdout)
    assert {("strategy", "gsr"), ("command", "plugins"), ("task", "sums")} <= {
        (row["kind"], row["name"]) for row in rows
    }
    assert all(row["problem"] is None for row in rows)
    table = run_tts("plugins", "--kind", "strategy").stdout
    assert "majority" in table
    assert "command" not in table


def test_two_offers_of_one_name_are_a_problem(run_tts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tts.plugins()
    [ours] = [plugin for plugin in host.all("strategy") if plugin.entry.name == "gsr"]
    monkeypatch.setitem(host._entries["strategy"], "gsr", [ours, ours._replace(distribution="stranger", version="9")])
    monkeypatch.setattr(host, "problems", ["plugin 'x' of y 1 was left out"])
    done = run_tts("plugins")
    assert done.stdout.count("PROBLEM: offered by ttscale") == 2
    assert "problem: plugin 'x' of y 1 was left out" in done.stdout
    assert any(row["problem"] for row in lines(run_tts("plugins", "--json", "--kind", "strategy").stdout))


def plain(text: str) -> str:
    return " ".join(text.split())


def test_everything_about_one_plugin(run_tts: Any) -> None:
    done = run_tts("plugins", "gsr")
    assert done.exit_code == 0, done.stderr
    for told in (
        "strategy gsr: the policy reads its own candidates and writes a new solution",
        "from ttscale",
        "paper Wang et al., Findings of ACL 2026, arXiv 2509.00084",
        "needs policy",
        "calls 1 by the policy over all k",
        "weakness an untrained small policy refines worse than a vote",
        "Refine all k candidates into a new solution",
        "outputs: int >= 1; default 1 Independent refinements",
        "example tts run task:sums@size=20 --strategy gsr",
    ):
        assert told in plain(done.stdout)


def test_everything_about_one_plugin_as_json(run_tts: Any) -> None:
    (row,) = lines(run_tts("plugins", "majority", "--json").stdout)
    assert (row["kind"], row["name"], row["problem"], row["card"]["metric"]) == ("strategy", "majority", None, "maj@k")
    assert [(one["name"], one["type"]) for one in row["parameters"]] == [
        ("ties", "earliest | seeded"),
        ("weights", "equal | logprob"),
        ("decided_early", "true or false"),
    ]


OURS = [plugin for plugin in tts.plugins().all() if plugin.distribution == "ttscale"]


@pytest.mark.parametrize("plugin", OURS, ids=lambda one: f"{one.kind}-{one.entry.name}")
def test_the_page_of_every_plugin_fits_80_columns_and_its_example_can_be_parsed(run_tts: Any, plugin: Any) -> None:
    done = run_tts("plugins", plugin.entry.name, "--kind", plugin.kind)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{plugin.kind} {plugin.entry.name}: ")
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    command, *arguments = shlex.split(done.stdout.partition("\nexample\n")[2])
    assert command == "tts"
    assert "Usage: tts" in run_tts(*arguments[:1], "--help").stdout
    made = main.get_command(click.Context(main), arguments[0])
    if arguments[-1] != "--help":
        made.make_context(arguments[0], arguments[1:])


def test_the_example_of_a_strategy_runs(run_tts: Any) -> None:
    (row,) = lines(run_tts("plugins", "majority", "--json").stdout)
    done = run_tts(*shlex.split(row["example"])[1:], "-m", "fake:5")
    assert done.exit_code == 0, done.stderr
    assert "20 problems" in done.stdout


def test_a_name_of_several_kinds_is_told_for_each(run_tts: Any) -> None:
    done = run_tts("plugins", "assignments")
    heads = [line.split(":")[0] for line in done.stdout.splitlines() if line.endswith("knave")]
    assert heads[0] == "grader assignments"
    assert "extractor assignments" in done.stdout
    assert "extractor" not in run_tts("plugins", "assignments", "--kind", "grader").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gssr",), "error: no plugin is called 'gssr'; did you mean 'gsr'?"),
        (("zzz",), "error: no plugin is called 'zzz'; `tts plugins` lists them all"),
        (("gsr", "--kind", "judge"), "error: no judge is called 'gsr'; `tts plugins` lists them all"),
    ],
)
def test_a_plugin_that_there_is_not(run_tts: Any, arguments: tuple[str, ...], sentence: str) -> None:
    done = run_tts("plugins", *arguments)
    assert (done.exit_code, done.stderr) == (2, f"{sentence}\n")


def test_a_plugin_whose_extra_is_missing_is_told_as_far_as_it_is_known(
    run_tts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tts.plugins()
    [hf] = [plugin for plugin in host.all("backend") if plugin.entry.name == "hf"]
    entry = tts.Entry(name="lacking", target="json.no_torch:X", extra="ttscale[hf]", summary="needs what is not there")

    def fails(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setitem(host._entries["backend"], "lacking", [hf._replace(entry=entry)])
    monkeypatch.setattr("tts.registry.host.importlib.import_module", fails)
    done = run_tts("plugins", "lacking")
    assert done.exit_code == 0
    assert "backend lacking: needs what is not there" in done.stdout
    assert "needs 'torch', which is not installed; pip install 'ttscale[hf]'" in plain(done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


def test_two_offers_of_one_name_are_both_told(run_tts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tts.plugins()
    [ours] = [plugin for plugin in host.all("strategy") if plugin.entry.name == "gsr"]
    monkeypatch.setitem(host._entries["strategy"], "gsr", [ours, ours._replace(distribution="stranger", version="9")])
    monkeypatch.delitem(host._resolved, ("strategy", "gsr"), raising=False)
    done = run_tts("plugins", "gsr")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("strategy gsr: ") == 2
    assert plain(done.stdout).count("is offered by ttscale") == 2


def test_an_unknown_parameter_is_answered_with_those_that_there_are(run_tts: Any, problems: Path) -> None:
    done = run_tts("run", problems, "-m", "fake:5", "-s", "gsr", "-p", "nonsense=1")
    assert done.exit_code == 2
    first, *below = done.stderr.splitlines()
    assert first.startswith("error: strategy 'gsr' has no parameter 'nonsense'; known: candidate_tokens, ")
    assert "outputs (int >= 1; default 1): Independent refinements" in plain("\n".join(below))
    assert max(map(len, below)) <= 80
