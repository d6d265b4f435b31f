"""Plans against simulation: what is planned shows the gap in four of five trials."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts.eval import clustered_difference
from tts.metrics.plan import Spread, plan, spread_of_pilot, spread_of_rates


def differences(rng: np.random.Generator, problems: int, groups: int, outputs: int) -> np.ndarray:
    """A gap of 10 points: chances of outputs vary between problems and groups; problems × groups × outputs."""
    of_problem = rng.choice([0.0, 0.4], size=(problems, 1, 1), p=[0.5, 0.5])
    of_group = np.clip(of_problem + rng.choice([-0.2, 0.2], size=(problems, groups, 1)), 0, 1)
    rescued = rng.random((problems, groups, outputs)) < of_group
    harmed = rng.random((problems, groups, outputs)) < 0.15
    return rescued.astype(float) - harmed


def test_the_pilot_finds_how_differences_spread() -> None:
    found, squares = spread_of_pilot({str(i): own.tolist() for i, own in enumerate(differences(
        np.random.default_rng(0), 3000, 4, 4))})  # fmt: skip
    rng = np.random.default_rng(1)
    for groups, outputs in ((1, 1), (4, 1), (2, 4)):
        seen = differences(rng, 6000, groups, outputs).mean(axis=(1, 2)).var()
        assert found.of(groups, outputs) == pytest.approx(seen, rel=0.08)
    assert squares.low < (differences(rng, 6000, 1, 1) ** 2).mean() < squares.high


@pytest.mark.parametrize(("groups", "outputs"), [(1, 1), (2, 4)])
def test_what_is_planned_has_the_power_that_was_asked_for(groups: int, outputs: int) -> None:
    rng = np.random.default_rng(2)
    gap = float(differences(rng, 40_000, 1, 1).mean())
    spread, _ = spread_of_pilot({str(i): own.tolist() for i, own in enumerate(differences(rng, 2000, 4, 4))})
    (one,) = [p for p in plan(gap, spread) if (p.groups, p.outputs) == (groups, outputs)]
    told, trials = 0, 200
    for _ in range(trials):
        means = differences(rng, one.problems, groups, outputs).mean(axis=(1, 2)).tolist()
        found = clustered_difference([(str(i), value) for i, value in enumerate(means)])
        told += found is not None and found.low > 0
    assert 0.71 <= told / trials <= 0.89


def test_stated_rates_are_those_of_mcnemars_design() -> None:
    (one, *more) = plan(0.06, spread_of_rates(0.12, 0.06, alike=1.0))
    assert one.problems == 385 + 2, "(1.96 + 0.84)² · (0.18 − 0.06²) / 0.06², and two more"
    assert {other.problems for other in more} == {one.problems}, "more groups of what is alike tell nothing"
    assert plan(0.06, spread_of_rates(0.12, 0.06), pairs=6)[0].problems > one.problems
    assert plan(1.0, Spread(0.0, 0.0, 0.0))[0].problems == 6, "the sign test needs six"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plan(0, Spread(1, 0, 0)), r"gap=0: give a difference"),
        (lambda: spread_of_rates(0.9, 0.2), r"rescued=0\.9, harmed=0\.2: give shares"),
        (lambda: spread_of_rates(0.1, 0.2, 3), r"alike=3: give a share"),
        (lambda: spread_of_pilot({"one": [[1.0]]}), "a pilot of 1 problem says nothing"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(tts.ConfigError, match=sentence):
        call()


def test_the_command_plans_from_rates_and_from_a_pilot(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the built-in model needs ttscale[hf]")
    rates = CliRunner().invoke(main, ["plan", "--gap", "0.07", "--rescued", "0.1", "--harmed", "0.03", "--json"])
    assert rates.exit_code == 0, rates.output
    assert json.loads(rates.output)["plans"][0]["problems"] == 203
    store = tmp_path / "pilot.db"
    tts.compare("task:sums@size=3", strategies=["majority", tts.strategy("gsr", outputs=2)], k=4, n=8, store=store,
                sampling=tts.Sampling(max_tokens=640))  # fmt: skip
    told = CliRunner().invoke(main, ["plan", str(store), "--gap", "0.1"])
    assert told.exit_code == 0, told.output
    assert "generated tokens" in told.output
    assert "(least)" in told.output
    nothing = CliRunner().invoke(main, ["plan", "--gap", "0.1"])
    assert isinstance(nothing.exception, tts.ConfigError) or "give a PILOT store" in nothing.output
