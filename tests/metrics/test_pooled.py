"""Runs of several seeds taken together, against one run with all groups and against counting by hand."""

from __future__ import annotations

import json
import math
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import sums

import tts
from tts.cli import main
from tts.eval import Estimate, evaluate, pool_gaps


def rows(seed: int, count: int = 7, n: int = 18) -> list[dict[str, Any]]:
    """Problems of every difficulty with n candidates each."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        chance = rng.random()
        said = [7 if rng.random() < chance else rng.choice([1, 2]) for _ in range(n)]
        made.append(
            {"problem": f"What is {i} + 1?", "answer": "7", "candidates": [rf"\boxed{{{one}}}" for one in said]}
        )
    return made


def written(folder: Path, made: list[dict[str, Any]]) -> Path:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("\n".join(map(json.dumps, made)))
    return folder


def close(found: Estimate, told: dict[str, Any]) -> bool:
    """Whether an estimate is what a report says of it."""
    numbers = [found.mean, found.low, found.high, found.problems, found.n]
    return numbers == pytest.approx([told["mean"], *told["interval"], told["problems"], told["n"]])


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A run on all candidates, `all`, and three on a third of them each."""
    every = rows(1)
    for name, places in {"all": slice(0, 18), "a": slice(0, 6), "b": slice(6, 12), "c": slice(12, 18)}.items():
        own = [one | {"candidates": one["candidates"][places]} for one in every]
        sets = written(tmp_path / "sets" / f"{name}.jsonl", own)
        evaluate(str(sets), tmp_path / name, strategies=["majority", "first"], k=3, n=18, report=None)
    return [tmp_path / name for name in "abc"]


def test_pooled_runs_are_one_run_with_all_groups(three: list[Path], tmp_path: Path) -> None:
    found = pool_gaps(three, "first")
    whole = json.loads((tmp_path / "all" / "report.json").read_text())
    assert close(found.gap.estimate, whole["strategies"]["first"]["gap_to_majority"])
    assert close(found.refined.estimate, whole["strategies"]["first"]["accuracy"])
    assert close(found.majority.estimate, whole["strategies"]["majority"]["accuracy"])
    assert found.gap.estimate.mean != 0
    assert found.pass_at_1.estimate.mean == pytest.approx(whole["pass@1"]["mean"])
    assert (found.groups, found.problems, found.common, found.k) == (42, 7, 7, 3)


def test_the_spread_between_runs_is_that_of_their_means(three: list[Path]) -> None:
    found = pool_gaps(three, "first")
    alone = [json.loads((run / "report.json").read_text())["strategies"]["first"] for run in three]
    means = [one["gap_to_majority"]["mean"] for one in alone]
    assert found.gap.runs == pytest.approx(means)
    assert found.gap.sd == pytest.approx(statistics.stdev(means))
    assert found.gap.estimate.mean == pytest.approx(statistics.fmean(means)), "as many groups in each"
    assert pool_gaps(three[:1], "first").gap.sd is None


def test_the_interval_is_over_problems_and_not_over_groups(three: list[Path]) -> None:
    """By hand: Student's t over the problems' sums, with three more that differ, for there are fewer than twelve."""
    shares: dict[str, dict[tuple[str, int], dict[str, float]]] = {}
    for run in three:
        for line in (run / "results.jsonl").read_text().splitlines():
            row = json.loads(line)
            group = shares.setdefault(row["problem_id"], {}).setdefault((run.name, row["group"]), {})
            group[row["strategy"]] = row["correct"]
    means = [statistics.fmean(one["first"] - one["majority"] for one in groups.values()) for groups in shares.values()]
    mean, m = statistics.fmean(means), len(means)
    differing = [one for one in means if one]
    step = statistics.fmean(one**2 for one in differing) if differing else 1.0
    error = math.sqrt((sum((one - mean) ** 2 for one in means) + 3 * step) / (m * (m - 1)))
    found = pool_gaps(three, "first").gap.estimate
    assert found.mean == pytest.approx(mean)
    assert found.high == pytest.approx(mean + 2.446912 * error, abs=1e-5), "t of six degrees"
    assert found.problems == 7 and found.n == 42


def test_the_command_says_what_is_pooled(three: list[Path]) -> None:
    given = ["gaps", *map(str, three), "--pool", "-s", "first"]
    shown = CliRunner().invoke(main, given, prog_name="tts").stdout
    found = pool_gaps(three, "first")
    assert "Refinement Gap pooled over 3 runs: 7 problems, 42 groups of k=3" in shown
    assert "runs: a, b, c; 7 of the problems are in every one" in shown
    assert f"± {100 * (found.gap.sd or 0):.1f}" in shown and "mean ± sd of 3 runs" in shown
    one = json.loads(CliRunner().invoke(main, [*given, "--json"], prog_name="tts").stdout)
    assert one["gap"]["mean"] == found.gap.estimate.mean and one["gap"]["sd"] == found.gap.sd


def test_seeds_of_one_model_are_pooled_and_one_seed_twice_is_refused(fake: Any, tmp_path: Path) -> None:
    fake()
    for name, seed in (("s1", 1), ("s2", 2), ("again", 1)):
        asked = {"strategies": ["majority", "gsr"], "k": 2, "n": 4, "outputs": 2, "report": None}
        evaluate(sums(5), tmp_path / name, model="fake:m", seed=seed, **asked)
    found = pool_gaps([tmp_path / "s1", tmp_path / "s2"])
    assert (found.groups, found.problems, found.common) == (20, 5, 5)
    assert found.models == ("fake:m (fake)",)
    with pytest.raises(tts.ConfigError, match="so its samples are the same; run it with another --seed"):
        pool_gaps([tmp_path / "s1", tmp_path / "again"])
    with pytest.raises(tts.ConfigError, match="a run is named twice"):
        pool_gaps([tmp_path / "s1", tmp_path / "s1"])


def test_what_cannot_be_pooled_is_one_sentence(three: list[Path], tmp_path: Path) -> None:
    sets = written(tmp_path / "sets" / "d.jsonl", rows(3))
    evaluate(str(sets), tmp_path / "d", strategies=["majority", "first"], k=2, n=12, report=None)
    with pytest.raises(tts.ConfigError, match="the runs have groups of 2, 3; pool one k"):
        pool_gaps([three[0], tmp_path / "d"], "first")
    with pytest.raises(tts.ConfigError, match="no group that 'majority' and 'gsr' decided"):
        pool_gaps(three)
    summary = tmp_path / "one.json"
    summary.write_text((three[1] / "report.json").read_text())
    with pytest.raises(tts.ConfigError, match=r"has no results.jsonl to pool; give a folder"):
        pool_gaps([three[0], summary], "first")


def test_single_passes_are_slots_and_groups(tmp_path: Path) -> None:
    sets = written(tmp_path / "sets" / "e.jsonl", rows(5, count=6, n=6))
    found = evaluate(str(sets), tmp_path / "e", strategies=["majority"], k=2, n=6, report=None)
    made = rows(5, count=6, n=6)
    slots = [statistics.fmean(one["candidates"][j] == r"\boxed{7}" for one in made) for j in range(6)]
    assert found.comparison.passes() == pytest.approx(slots)
    assert statistics.fmean(slots) == pytest.approx(found.comparison.pass_at_1.mean)
    groups = [
        statistics.fmean(row.decisions["majority"][0] for row in found.comparison.rows if row.outcome.group == g)
        for g in range(3)
    ]
    assert found.comparison.passes("majority") == pytest.approx(groups)
    told = f"mean@6 {100 * statistics.fmean(slots):.1f} ± {100 * statistics.stdev(slots):.1f}"
    assert told in str(found)
    assert tts.compare(str(sets), strategies=["majority"], k=6).passes("majority") != []
