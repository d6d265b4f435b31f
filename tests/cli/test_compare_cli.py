"""`tts compare --order-trials`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tts.cli import main


def test_order_trials(tmp_path: Path) -> None:
    stored = tmp_path / "sets.jsonl"
    rows = [{"problem": f"{i}+1", "candidates": ["\\boxed{1}", "\\boxed{2}", "\\boxed{2}"]} for i in range(9)]
    stored.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["compare", str(stored), "-s", "first,majority", "-k", "3", "--order-trials", "4"]
    table = CliRunner().invoke(main, given, prog_name="tts").stdout
    assert "Order: how often another order of the candidates changes the answer" in table
    done = json.loads(CliRunner().invoke(main, [*given, "--json"], prog_name="tts").stdout)
    shares = {label: one["order_sensitivity"]["mean"] for label, one in done["strategies"].items()}
    assert shares["majority"] == 0
    assert 0.3 < shares["first"] < 1
    assert CliRunner().invoke(main, [*given[:-1], "-1"], prog_name="tts").exit_code == 2
