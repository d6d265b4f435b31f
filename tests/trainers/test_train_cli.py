from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from sums_rows import sums_rows, write

from tts.cli import main
from tts_trainers.runtime.checkpoints import last_checkpoint

SMALL = ["--set", "optimisation.batch=2", "--set", "optimisation.per_device=1", "--set", "tracking.logging_steps=1"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.jsonl", sums_rows(4))


def test_subcommands_are_listed_without_being_imported() -> None:
    code = (
        "import sys; from tts.cli import main; main(['train', '--help'], standalone_mode=False); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'tts_trainers.hybrid.run', 'tts_trainers.helpers.judge')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert [name for name in listed if name in {"hybrid", "judge", "reward-model", "synthesizer"}] == [
        "hybrid",
        "judge",
        "reward-model",
        "synthesizer",
    ]


def test_help_imports_no_torch() -> None:
    code = (
        "import sys, tts_trainers.hybrid.run; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'trl')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_dry_run_says_what_would_be_trained_on(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(
        main, ["train", "hybrid", "gsr-cpu", "--data", str(rows), "--out", str(out), "--arm", "direct", "--dry-run"]
    )
    assert done.exit_code == 0, done.output
    assert "4 direct, 4 refine rows, 4 problems" in done.stdout
    assert "arm direct: 4 rows to learn from; tokens a row: mean" in done.stdout
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["gsr-cpu", "--set", "optimisation.learning_rat=1e-4"],
            "optimisation.learning_rat: there is no such key; did",
        ),
        (
            ["gsr-cpu", "--set", "optimisation"],
            "'optimisation' is not table.key=value, e.g. optimisation.learning_rate",
        ),
        (["gsr-gpu"], "no recipe 'gsr-gpu': give the path of a TOML file, or one of ours; did you mean 'gsr-cpu'?"),
        (["nope"], "one of ours: gsr-cpu, gsr-qwen2.5-1.5b-lora, gsr-qwen2.5-7b, gsr-qwen2.5-7b-ablation"),
        (["judge-small"], "no recipe 'judge-small': give the path of a TOML file, or one of ours: gsr-cpu"),
        (["gsr-cpu"], "data.train is not set: give the training rows with --data FILE"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["train", "hybrid", *arguments])
    assert done.exit_code == 2
    sentence, *notes = done.stderr.strip().splitlines()
    assert message in sentence
    assert all(note.startswith("  ") for note in notes)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("hybrd", "did you mean 'hybrid'?"), ("x", "known: aggregator, hybrid, judge, reward-model, synthesizer")],
)
def test_an_unknown_subcommand_names_the_nearest(name: str, hint: str) -> None:
    done = CliRunner().invoke(main, ["train", name])
    assert done.exit_code == 2
    assert done.stderr.endswith(f"Error: no command is called {name!r}; {hint}\n")


@pytest.mark.slow
def test_ctrl_c_leaves_a_folder_to_go_on_from(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "tts",
        "train",
        "hybrid",
        "gsr-cpu",
        "--data",
        str(rows),
        "--out",
        str(out),
        *SMALL,
    ]
    command += ["--set", "optimisation.steps=40", "--set", "monitoring.every_steps=1000", "--set", "monitoring.limit=1"]
    command += ["--set", "monitoring.max_tokens=8"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "step 2/40" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=120)
    assert process.returncode == 130, said + rest
    assert "stopped and saved after step" in rest
    assert rest.rstrip().endswith("interrupted")
    saved = last_checkpoint(out)
    assert saved is not None

    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"going on from {saved}" in done.stderr
    assert done.stdout.strip() == str(out)
    assert (out / "tts.json").is_file()
