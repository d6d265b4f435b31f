"""A few trials of the fault matrix; `make chaos` tries them all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "backends")]

import chaos  # noqa: E402 - after aiohttp was looked for
import tally  # noqa: E402
from trial import Found, Trial, Tried  # noqa: E402

TRIALS = chaos.every()


@pytest.mark.parametrize("trial", [one for one in TRIALS if one.quick], ids=lambda one: f"{one.row}: {one.name}")
def test_it_is_survived(trial: Trial, tmp_path: Path) -> None:
    if trial.lacks:
        pytest.skip(trial.lacks)
    assert trial.attempt(tmp_path, 0) == Found()


def test_the_matrix_has_every_row_and_no_trial_twice() -> None:
    names = [(one.row, one.name) for one in TRIALS]
    assert len(set(names)) == len(names)
    plugins = [one for one in TRIALS if one.row.startswith("bad plugins")]
    least = {"import": 20, "strategy": 38, "backend": 17, "scorer": 6, "grader": 7, "extractor": 5}
    for place, count in least.items():
        assert sum(one.row == f"bad plugins: {place}" for one in plugins) >= count
    assert {one.row for one in TRIALS} >= {
        "kill -9", "signals", "streams", "several processes", "no space", "damaged stores", "server faults",
        "hostile texts",
    }  # fmt: skip


def test_a_trial_that_fails_is_not_survived_and_is_told() -> None:
    def broken(_folder: Path, _seed: int) -> Found:
        raise ValueError("mine")

    trials = [
        Trial("a", "good", lambda _folder, _seed: Found()),
        Trial("a", "broken", broken),
        Trial("b", "loses", lambda _folder, _seed: Found(lost=2, twice=1)),
        Trial("b", "later", broken, lacks="not there"),
    ]
    found = list(chaos.tried([one for one in trials if not one.lacks], 0, 1.0, 1))
    page = tally.page(trials, found, 0, 1.0)
    assert "| a | 2 | 1 | 0 | 0 | 1 | 0 |" in page
    assert "| **all** | 3 | 1 | 2 | 1 | 1 | 0 |" in page
    assert "* a: broken: the trial itself raised ValueError: mine" in page
    assert "* b: loses: 2 lost; 1 asked twice" in page
    assert "Not tried (not there): b: later." in page


def test_the_time_is_kept() -> None:
    assert list(chaos.tried([Trial("a", "late", lambda *_: Found())], 0, -1.0, 1)) == []


def test_the_same_seed_tries_the_same() -> None:
    seen: list[tuple[str, int]] = []

    def note(name: str) -> Trial:
        return Trial("a", name, lambda _folder, seed: seen.append((name, seed)) or Found())  # type: ignore[func-returns-value]

    for _ in range(2):
        assert all(isinstance(one, Tried) for one in chaos.tried([note("x"), note("y"), note("z")], 7, 1.0, 1))
    assert seen[:3] == seen[3:]
