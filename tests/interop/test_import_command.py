from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

import tts
from tts.cli import main

SAMPLES = Path(__file__).parent / "data" / "own__scripted" / "samples_own_words.jsonl"


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_import_export_and_back(tmp_path: Path) -> None:
    store = tmp_path / "theirs.db"
    assert "2 candidate sets imported" in run("store", "import", store, SAMPLES)
    run("store", "import", store, SAMPLES, "--format", "lm-eval")  # again: nothing new
    listed = [json.loads(line) for line in run("store", "list", store, "--json").splitlines()]
    assert [(one["policy"], one["candidates"], one["answer"]) for one in listed] == [
        ("own__scripted", 3, "84"),
        ("own__scripted", 3, "32"),
    ]
    run("store", "export", store, "-o", tmp_path / "sets.parquet")
    extract = tts.plugins().resolve("extractor", "auto")
    back = list(tts.read_candidate_sets(tmp_path / "sets.parquet", extract=extract))
    assert [[c.answer for c in one.candidates] for one in back] == [["84", "19", "84"], ["32", "68", "32"]]
    assert back[0].candidates.problem.metadata["request"][0]["content"].startswith("Question: ")


def test_samples_as_parquet_and_as_a_frame(tmp_path: Path) -> None:
    extract = tts.plugins().resolve("extractor", "auto")
    sampled = list(tts.read_candidate_sets(SAMPLES, extract=extract))
    samples = tts.Samples(sampled, None, None, {})
    assert len(pd.read_parquet(samples.save(tmp_path / "sets.parquet"))) == 2
    frame = samples.to_dataframe()
    assert list(frame["index"]) == [0, 1, 2, 0, 1, 2]
    assert list(frame.groupby("problem_id", sort=False)["answer"].agg(list)) == [["84", "19", "84"], ["32", "68", "32"]]
    assert set(frame["gold"]) == {"84", "32"}


def test_a_local_copy_of_a_task(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["sample", "exam.csv", "--data-dir", str(tmp_path)])
    assert done.exit_code != 0
    assert "--data-dir is for published tasks such as task:math500, not for 'exam.csv'" in done.output
