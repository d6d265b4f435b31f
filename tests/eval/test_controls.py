"""Strategies under controls: what is found of policies of which we know what they go by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import sums

import tts
from tts.cli import main
from tts.eval import ControlResult, Controls, controls

SUM = re.compile(r"(\d+)\+(\d+)")


def _direct(request: tts.Request, index: int) -> str:
    left, right = map(int, SUM.findall(request.messages[-1].content)[0])
    slip = index == 3 or left % 4 == 0  # of every fourth problem all candidates are wrong
    return f"{left}+{right} = {left + right + slip}\n\\boxed{{{left + right + slip}}}"


def _refining(request: tts.Request) -> bool:
    return "Candidate Response" in request.messages[-1].content


def reader(request: tts.Request, index: int) -> str:
    """Solves the problem, whatever the candidates are."""
    if not _refining(request):
        return _direct(request, index)
    left, right = map(int, SUM.findall(request.messages[-1].content)[0])
    return f"\\boxed{{{left + right}}}"


def follower(request: tts.Request, index: int) -> str:
    """Works the candidates' first sum out anew, and never looks at the problem: the shortcut."""
    if not _refining(request):
        return _direct(request, index)
    shown = request.messages[-1].content.partition("Candidate Response")[2]
    found = SUM.findall(shown)
    return f"\\boxed{{{sum(map(int, found[0]))}}}" if found else "I see no sum."


@pytest.fixture
def found(fake: Callable[..., Any], request: pytest.FixtureRequest) -> Controls:
    fake(script=request.param)
    return controls(sums(24), strategies=["majority", "gsr"], k=4, model="fake:m")


def mean(one: ControlResult, name: str = "accuracy") -> float:
    return float(getattr(one, name).mean)


@pytest.mark.parametrize("found", [reader], indirect=True)
def test_one_that_reads_the_problem(found: Controls) -> None:
    gsr = found.of("gsr")
    assert mean(gsr["own"]) == mean(gsr["other"]) == mean(gsr["right boxes"]) == mean(gsr["empty"]) == 1.0
    assert mean(gsr["other"], "followed") == 0.0
    sentences = found.sentences("gsr")
    assert sentences[0].startswith(
        "It reads the problem: shown another problem's candidates it solves that one in 0.0 %"
    )
    assert sentences[1].startswith("Cannot tell whether its candidates help: +0.0 points"), "nor do they"


@pytest.mark.parametrize("found", [follower], indirect=True)
def test_one_that_follows_its_candidates(found: Controls) -> None:
    gsr = found.of("gsr")
    assert (mean(gsr["own"]), mean(gsr["other"]), mean(gsr["other"], "followed")) == (1.0, 0.0, 1.0)
    assert mean(gsr["empty"]) == mean(gsr["right boxes"]) == 0.0
    assert mean(gsr["misread in 4"]) == 0.0
    assert gsr["misread in 4"].versus_own is not None and gsr["misread in 4"].versus_own.high < 0
    assert mean(gsr["slip in 4"]) == mean(gsr["consensus"]) == 1.0, "slips it mends"
    assert (gsr["consensus"].groups, gsr["own"].groups) == (24, 24)
    sentences = found.sentences("gsr")
    assert sentences[0].startswith("It follows its candidates, not the problem:")
    assert sentences[1].startswith("Its candidates help: +100.0 points")


@pytest.mark.parametrize("found", [reader], indirect=True)
def test_a_vote_can_only_choose(found: Controls) -> None:
    majority = found.of("majority")
    assert found.chooses == {"majority"}
    assert mean(majority["own"]) == 0.75
    assert mean(majority["other"]) == 0.0 and mean(majority["other"], "followed") < 1.0, "donors are wrong at times"
    assert mean(majority["copies"], "followed") == mean(majority["consensus"], "followed") == 1.0
    assert mean(majority["shuffled"]) == mean(majority["own"])
    assert all(one.versus_majority is None for one in majority.values())
    assert found.sentences("majority") == [
        "It chose one of its candidates every time, so its answers can be no better than theirs."
    ]


@pytest.mark.parametrize("found", [follower], indirect=True)
def test_differences_are_those_of_the_tables(found: Controls) -> None:
    """Each printed difference is the mean of differences on the same groups, computed here anew."""
    own = found.comparisons["own"].correct("gsr")
    for name in ("other", "empty", "slip in 2", "misread in 1"):
        changed = found.comparisons[name].correct("gsr")
        votes = found.comparisons[name].correct("majority")
        one = found.of("gsr")[name]
        assert one.versus_own is not None and one.versus_majority is not None
        assert one.versus_own.mean == pytest.approx(sum(a - b for a, b in zip(changed, own, strict=True)) / len(own))
        assert one.versus_majority.mean == pytest.approx(
            sum(a - b for a, b in zip(changed, votes, strict=True)) / len(votes)
        )


def test_what_a_group_lacks_is_left_out(fake: Callable[..., Any]) -> None:
    fake(script=lambda request, _index: reader(request, 0))
    found = controls(sums(3, 1), strategies="majority", k=2, model="fake:m")
    assert found.of("majority")["copies"].groups == 0, "no candidate is wrong"
    assert found.of("majority")["copies"].accuracy is None
    assert "–" in str(found)
    assert max(map(len, str(found).splitlines())) <= 90


def test_some_controls_and_a_name_that_is_none(fake: Callable[..., Any]) -> None:
    fake(script=reader)
    found = controls(sums(5), strategies=["gsr"], k=2, only=["other"], model="fake:m")
    assert list(found.says) == ["own", "other"]
    with pytest.raises(tts.ConfigError, match=r"there is no control 'othr'.*did you mean 'other'"):
        controls(sums(5), only=["othr"], model="fake:m")
    with pytest.raises(tts.ConfigError, match="nothing to control: no group of candidates was sampled and graded"):
        controls([tts.Problem(id="a", prompt="1+2")], k=2, model="fake:m")


def test_the_same_seed_changes_the_same(fake: Callable[..., Any]) -> None:
    fake(script=follower)
    first, again = (controls(sums(6), strategies=["gsr"], k=2, model="fake:m", seed=3) for _ in range(2))
    assert first.results == again.results
    texts = [[c.text for c in row.outcome.candidates] for row in first.comparisons["slip in 1"].rows]
    assert texts == [[c.text for c in row.outcome.candidates] for row in again.comparisons["slip in 1"].rows]


def test_the_command(fake: Callable[..., Any], tmp_path: Path) -> None:
    fake(script=follower)
    rows = [{"problem": f"{i}+{i + 1}", "answer": str(2 * i + 1)} for i in range(3)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["controls", str(tmp_path / "p.jsonl"), "-m", "fake:m", "-k", "2", "--only", "other,empty"]
    shown = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "found.md")], prog_name="tts")
    assert shown.exit_code == 0, shown.output
    assert "gsr under controls, k=2" in shown.stdout and "those of another problem" in shown.stdout
    assert "## gsr under controls" in (tmp_path / "found.md").read_text("utf-8")
    (line,) = CliRunner().invoke(main, [*command, "--json"], prog_name="tts").stdout.splitlines()
    assert {one["control"] for one in json.loads(line)["results"]} == {"own", "other", "empty"}


def test_an_evaluation_has_its_controls_where_they_are_asked_for(tmp_path: Path) -> None:
    rows = [
        {"id": str(i), "problem": f"{i} + 1 = ?", "answer": str(i + 1), "candidates": [rf"\boxed{{{i + 1}}}"] * 2}
        for i in range(4)
    ]
    path = tmp_path / "sets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    args = ["eval", str(path), "-o", str(tmp_path / "run"), "-s", "majority", "-k", "2", "--samples", "2", "--controls"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    assert "majority under controls, k=2" in done.output
    assert "majority under controls, k=2" in (tmp_path / "run" / "controls.md").read_text("utf-8")
    found = json.loads((tmp_path / "run" / "controls.json").read_text("utf-8"))
    other = next(one for one in found["results"] if one["control"] == "other")
    assert other["accuracy"]["mean"] == 0.0, "a vote follows its candidates"
    assert other["versus_own"]["mean"] == -1.0
