"""What stood in the way between data that people have and a trained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from gguf_file import write_gguf
from sums_rows import sums_rows, write

import tts
from tts import ConfigError
from tts.prompts import direct_messages
from tts_trainers.data.cli import command as train_data
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.run import check_hybrid, train_hybrid
from tts_trainers.rows import checked_row, read_rows
from tts_trainers.runtime.place import find_place, place


def _recipe(train: object, **tables: dict[str, Any]) -> HybridRecipe:
    optimisation = {"steps": 2, "batch": 2, "per_device": 1, "learning_rate": 1e-3, "max_length": 1024}
    settings: dict[str, Any] = {"model": {"name": "miniature"}, "data": {"train": str(train)}}
    settings |= {"optimisation": optimisation, "tracking": {"save_steps": 2}}
    for name, table in tables.items():
        settings[name] = settings.get(name, {}) | table
    return HybridRecipe.model_validate(settings)


def test_answers_after_hashes_go_the_whole_way_into_boxes(tmp_path: Path) -> None:
    """Rows as GSM8K has them: the solution's last line is the answer."""
    rows = [
        {
            "question": f"{i} apples and {i + 1} pears?",
            "answer": f"{i} + {i + 1} = {2 * i + 1} pieces.\n#### {2 * i + 1}",
        }
        for i in range(12)
    ]
    data, out = tmp_path / "gsm.jsonl", tmp_path / "data"
    drawn = [[rf"It is \boxed{{{2 * i + 1 + j % 2}}}." for j in range(6)] for i in range(12)]
    data.write_text("".join(json.dumps({**r, "drawn": d}) + "\n" for r, d in zip(rows, drawn, strict=True)), "utf-8")
    settings = {"source.solutions": "answer", "source.answer": "answer", "source.candidates": "drawn"}
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    asked = ["data-small", "--source", str(data), "--student", "recorded", "--teacher", "recorded", *given]
    asked += ["--set", "direct.origin=solutions", "--set", "filter.evaluation=[]", "--out", str(out)]
    CliRunner().invoke(train_data, asked, catch_exceptions=False)
    made = [row["completion"][0]["content"] for row in read_rows(out / "train.parquet")]
    assert made
    assert all(text.splitlines()[-1].startswith(r"\boxed{") and "####" not in text for text in made)
    assert "arm hybrid" in check_hybrid(_recipe(out), tmp_path / "run")


def test_rows_of_trls_forms(tmp_path: Path) -> None:
    problem = tts.Problem(id="p", prompt="Compute 1*1+1*1.")
    asked = [message.model_dump() for message in direct_messages(problem)]
    said = {"role": "assistant", "content": r"\boxed{2}", "reasoning_content": "1 and 1", "tool_calls": None}
    thought = "<think>\n1 and 1\n</think>\n\n\\boxed{2}"
    for row in ({"messages": [*asked, said]}, {"prompt": asked, "completion": [said]}):
        found = checked_row(row, "")
        assert found["prompt"] == asked
        assert found["completion"] == [{"role": "assistant", "content": thought}]
        assert (found["objective"], found["n_correct"], found["provenance"]) == ("direct", None, "{}")
        assert found["problem_id"].startswith("prompt-")
    with pytest.raises(tts.TaskError, match=r"the column 'prompt' must be a list of messages"):
        checked_row({"messages": [{"role": "user", "content": [{"type": "image"}]}, said]}, "f, row 1")
    with pytest.raises(tts.TaskError, match=r"no column 'completion'; it has 'messages'"):
        checked_row({"messages": [said]}, "f, row 1")


def test_rows_without_an_objective_are_direct_ones_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    direct = [row for row in sums_rows(4) if row["objective"] == "direct"]
    lines = [{"messages": [*row["prompt"], *row["completion"]]} for row in direct]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    report = check_hybrid(_recipe(rows, objective={"arm": "direct"}), tmp_path / "run")
    assert "4 direct rows, 4 problems" in report
    assert "4 rows say no objective and are taken as direct ones" in caplog.text
    with pytest.raises(ConfigError, match="needs refine rows"):
        check_hybrid(_recipe(rows), tmp_path / "run")


def test_a_folder_with_a_gguf_file_is_trained_and_its_model_loads(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    file = write_gguf(folder / "tiny.gguf", Path(place("miniature")))
    assert find_place(str(folder)) == find_place(str(file)) == (str(folder), "tiny.gguf")
    rows = write(tmp_path / "rows.jsonl", sums_rows(4))
    out = train_hybrid(_recipe(rows, model={"name": str(folder)}), tmp_path / "run")
    assert "quantization_config" not in json.loads((out / "config.json").read_text("utf-8"))
    done = tts.run("task:sums@size=1", model=f"hf:{out}", strategy="gsr", k=4, sampling=tts.Sampling(max_tokens=4))
    assert len(done.results) == 1
    (folder / "other.gguf").touch()
    with pytest.raises(ConfigError, match=r"has 2 GGUF files; give one of them, e\.g\. '.*other\.gguf'"):
        find_place(str(folder))


def test_models_that_come_with_the_package_have_names() -> None:
    assert place("miniature/base").endswith("miniature/base")
    with pytest.raises(ConfigError, match="'miniature/none' is none of the models that come with the package"):
        place("miniature/none")


def test_other_logging_goes_on_in_the_same_folder_and_the_card_tells_what_was_made(tmp_path: Path) -> None:
    rows, out, said = write(tmp_path / "rows.jsonl", sums_rows(4)), tmp_path / "run", list[str]()
    train_hybrid(_recipe(rows), out, command="tts train hybrid mine.toml --data rows.jsonl")
    card = (out / "README.md").read_text("utf-8")
    for part in (
        "`miniature`",
        "4 direct, 4 refine rows",
        '"learning_rate": 0.001',
        "tts train hybrid mine.toml --data",
    ):
        assert part in card, part
    assert "--strategy gsr -k 4" in card
    train_hybrid(_recipe(rows, tracking={"logging_steps": 1, "run_name": "mine"}), out, say=said.append)
    assert said[-1] == f"{out} holds the finished run already"
