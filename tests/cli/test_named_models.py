"""Models under names of one's own, settings from the environment, silence, completion, one model looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import tts
from tts.api.profiles import read_profiles

PROFILES = """
[models]
plain = "fake:7"
[models.careful]
model = "fake:8"
temperature = 0.1
seed = 5
"""

Tts = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tts.toml").write_text(PROFILES)
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    return tmp_path


def test_a_name_of_the_nearest_file_is_a_model(run_tts: Tts, folder: Path) -> None:
    done = run_tts("solve", "Which?", "-s", "first", "-k", "1", "-m", "@plain", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == "7"


def test_what_a_profile_says_counts_where_the_call_is_silent(run_tts: Tts, folder: Path) -> None:
    say = ("solve", "Which?", "-s", "first", "-k", "1", "-m", "@careful", "--json")
    found = json.loads(run_tts(*say).stdout)
    assert (found["answer"], found["provenance"]["seed"]) == ("8", 5)
    assert json.loads(run_tts(*say, "--seed", "9").stdout)["provenance"]["seed"] == 9


def test_python_knows_the_names_too(run_tts: Tts, folder: Path) -> None:
    assert tts.solve("Which?", strategy="first", k=1, model="@plain").answer == "7"
    samples = tts.sample("Which?", k=1, model="@careful", sampling=tts.Sampling(top_p=0.5))
    assert samples.sampling is not None
    assert (samples.sampling.temperature, samples.sampling.top_p) == (0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[models\n", "is no TOML"),
        ("[models]\nx = 5\n", "model 'x' must be a reference, or a table with"),
        ("models = 5\n", "`models` must be a table"),
    ],
)
def test_a_broken_file_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "tts.toml").write_text(text)
    with pytest.raises(tts.ConfigError, match=sentence):
        read_profiles(tmp_path)


def test_an_unknown_name_or_setting_is_a_sentence(run_tts: Tts, folder: Path) -> None:
    done = run_tts("solve", "Which?", "-m", "@plian")
    assert "no model is called '@plian'" in done.stderr
    assert "did you mean 'plain'?" in done.stderr
    (folder / "tts.toml").write_text("[models.x]\nmodel = 'fake:1'\ntemprature = 1\n")
    done = run_tts("solve", "Which?", "-m", "@x")
    assert "profile '@x' has no setting 'temprature'; did you mean 'temperature'?" in done.stderr


def test_pyproject_has_profiles_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ttscale.models]\nmine = 'fake:3'\n")
    assert read_profiles(tmp_path).models == {"mine": {"model": "fake:3"}}


def test_models_lists_the_names(run_tts: Tts, folder: Path) -> None:
    done = run_tts("models", "--json")
    found = {row["name"]: row["model"] for row in map(json.loads, done.stdout.splitlines())}
    assert found["@plain"] == "fake:7"
    assert found["@careful"].startswith("fake:8 (temperature=0.1")
    assert "hf:miniature" in found


def test_the_environment_stands_for_options(run_tts: Tts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_MODEL", "fake:6")
    monkeypatch.setenv("TTS_SEED", "4")
    monkeypatch.setenv("TTS_STORE", str(tmp_path / "kept.db"))
    found = json.loads(run_tts("solve", "Which?", "-s", "first", "-k", "1", "--json").stdout)
    assert (found["answer"], found["provenance"]["seed"]) == ("6", 4)
    assert (tmp_path / "kept.db").exists()
    found = json.loads(run_tts("solve", "Which?", "-s", "first", "-k", "1", "-m", "fake:5", "--json").stdout)
    assert found["answer"] == "5"
    monkeypatch.setenv("TTS_SEED", "many")
    done = run_tts("solve", "Which?")
    assert done.exit_code == 2
    assert "TTS_SEED" in done.stderr


def test_quiet_says_nothing_but_what_is_wrong(run_tts: Tts, tmp_path: Path) -> None:
    done = run_tts("sample", "Which?", "-k", "1", "-m", "fake:1", "-q", "-o", tmp_path / "s.jsonl")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (tmp_path / "s.jsonl").exists()
    assert run_tts("sample", "Which?", "-k", "1", "-m", "nobody:1", "-q").stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tts run -s gs", "gsr"),
        ("tts compare -s first,maj", "first,majority"),
        ("tts run task:kni", "task:knights_knaves"),
        ("tts run -m hf:min", "hf:miniature"),
        ("tts run -m op", "openai:"),
        ("tts mod", "models"),
    ],
)
def test_the_shell_is_offered_names(words: str, offered: str) -> None:
    environment = {
        **os.environ,
        "_TTS_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    command = [sys.executable, "-c", "from tts.cli import main; main(prog_name='tts')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert offered in [line.partition(",")[2] for line in done.stdout.splitlines()], done


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_with_its_installation_line(run_tts: Tts, shell: str) -> None:
    done = run_tts("completion", shell)
    assert "_TTS_COMPLETE" in done.stdout
    assert f"tts completion {shell}" in done.stderr


def test_one_model_is_looked_at(run_tts: Tts) -> None:
    done = run_tts("doctor", "--model", "fake:42")
    assert done.exit_code == 0, done.stdout
    for part in ("log-probabilities", "context", "seeds", "sample 0", "sample 2", "answer '42'"):
        assert part in done.stdout
    done = run_tts("doctor", "--model", "fkae:42", "--json")
    assert done.exit_code == 1
    assert "did you mean 'fake'" in done.stdout
