"""A third-party distribution, installed from its own wheel: found, listed with its version, run, and gone again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "plugin_package"
ROWS = [{"problem": "1+1", "answer": "2", "candidates": ["long way to \\boxed{3}", "\\boxed{2}", "no answer"]}]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(PACKAGE)], check=True, timeout=120)
    return target


def tts(site: Path | None, *arguments: str, **environment: str) -> str:
    path = {"PYTHONPATH": str(site)} if site else {}
    command = [sys.executable, "-W", "error", "-m", "tts", *arguments]
    env = {**os.environ, **path, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env).stdout


def names(text: str) -> dict[str, str]:
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return {row["name"]: json.dumps(row) for row in rows}


def test_a_stranger_is_listed_run_filtered_and_gone(installed: Path, tmp_path: Path) -> None:
    listed = names(tts(installed, "plugins", "--json"))
    assert {"shortest", "doubling", "greet"} <= set(listed)
    assert "tts-stranger" in listed["shortest"]
    assert "1.2.3" in listed["shortest"]
    file = tmp_path / "sets.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    compared = json.loads(tts(installed, "compare", str(file), "-s", "shortest,first", "-k", "3", "--json"))
    assert compared["strategies"]["shortest"]["accuracy"]["mean"] == 1.0
    assert compared["strategies"]["first"]["accuracy"]["mean"] == 0.0
    assert "hello from a stranger" in tts(installed, "greet")
    assert "greet" in tts(installed, "--help")
    assert "shortest" not in names(tts(installed, "plugins", "--json", TTS_PLUGINS="strategies"))
    assert "shortest" not in names(tts(None, "plugins", "--json"))
