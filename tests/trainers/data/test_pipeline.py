"""The whole way from recorded candidates and solutions to rows: no model, every rule."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import both_sides, own, recorded, write

import tts
from tts_trainers.data.pipeline import curate
from tts_trainers.data.workfile import Table
from tts_trainers.rows import Row, read_rows


def _tables(made: list[Table]) -> dict[str, dict[Any, Any]]:
    return {table.title: {row[0]: row[-1] for row in table.rows} for table in made}


def _shown(row: Row) -> list[int]:
    """What the candidates in a refine prompt say."""
    return [int(said) for said in re.findall(r"It is \\boxed\{(\d+)\}", row["prompt"][0]["content"])]


def test_rows_follow_the_papers_rules(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, correct=i % 7, solutions=1 + i % 6) for i in range(70)])
    made = _tables(curate(recorded(data), tmp_path / "out"))
    train, evaluation = both_sides(tmp_path / "out")
    assert {row["problem_id"] for row in train}.isdisjoint({row["problem_id"] for row in evaluation})
    refine = [row for row in train + evaluation if row["objective"] == "refine"]
    targets = Counter(row["problem_id"] for row in refine)
    for row in refine:
        number = int(row["problem_id"].removeprefix("own-"))
        shown = _shown(row)
        assert len(shown) == len(set(json.loads(row["provenance"])["candidates"])) == 4
        assert row["n_correct"] == shown.count(number + 1) == min(4, number % 7)
        assert targets[row["problem_id"]] == min(4, 1 + number % 6), "all correct: four at random"
    direct = [row for row in train + evaluation if row["objective"] == "direct"]
    assert len(direct) == min(len(refine), sum(1 + i % 6 for i in range(70)))
    assert {row["n_correct"] for row in direct} == {None}
    assert all("Candidate Response" not in row["prompt"][0]["content"] for row in direct)
    assert made["Prompts by correct candidates shown"] == {0: 10, 1: 10, 2: 10, 3: 10, 4: 30}
    assert sum(made["Refine rows for training by correct candidates shown"].values()) == sum(
        row["objective"] == "refine" for row in train
    )


def test_rows_are_shuffled(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(60)])
    curate(recorded(data), tmp_path / "out")
    train, _ = both_sides(tmp_path / "out")
    objectives = [row["objective"] for row in train]
    numbers = [int(row["problem_id"][4:]) for row in train if row["objective"] == "refine"]
    assert numbers != sorted(numbers)
    assert sum(a != b for a, b in pairwise(objectives)) > len(objectives) / 4


@settings(max_examples=15)
@given(
    spellings=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=30),
    share=st.floats(0, 0.9),
    seed=st.integers(0, 999),
)
def test_no_problem_is_on_both_sides(spellings: list[tuple[int, int]], share: float, seed: int) -> None:
    forms = ("What is {n}+1?", "what   is ${n} + 1$", "WHAT IS \\({n}+1\\)!")
    rows = [own(n, 3) | {"id": f"{i}", "problem": forms[form].format(n=n)} for i, (n, form) in enumerate(spellings)]
    with TemporaryDirectory() as folder:
        data, out = write(Path(folder) / "raw.jsonl", rows), Path(folder) / "out"
        recipe = recorded(data, output={"evaluation_share": share, "format": "jsonl"})
        recipe = recipe.model_copy(update={"seed": seed})
        try:
            curate(recipe, out)
        except tts.ConfigError as error:
            assert "rows went to the evaluation side" in str(error)  # noqa: PT017 - one of two good ends
            return
        sides = [{re.findall(r"\d+", r["prompt"][0]["content"])[0] for r in side} for side in both_sides(out)]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[0] | sides[1]) == len({n for n, _ in spellings})


def test_prompts_are_mixed_over_n_correct(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, correct=(6, 2, 0, 6)[i % 4]) for i in range(40)])
    recipe, said = recorded(data, prompt={"mix": {0: 0.2, 4: 0.4}}), list[str]()
    tables = curate(recipe, tmp_path / "out")
    (table,) = (t for t in tables if t.title == "Prompts by correct candidates shown")
    assert table.rows == ((0, 10, 5), (2, 10, 10), (4, 20, 10))
    assert _tables(tables)["Candidates"]["prompts over the share of their N_c"] == 15
    train, evaluation = both_sides(tmp_path / "out")
    assert Counter(row["n_correct"] for row in train + evaluation) == {0: 5, 2: 10, 4: 10, None: 25}
    curate(recipe, tmp_path / "out", said.append)
    assert said[1] == "prompts: made before, kept"


def test_teacher_answers_are_kept_by_correctness(tmp_path: Path) -> None:
    right, wrong = "\\boxed{1}", "\\boxed{2}"
    rows = [
        own(0, 3) | {"problem": "mixed", "answer": "1", "solutions": [f"a {right}", wrong, f"b {right}"]},
        own(1, 3) | {"problem": "never", "answer": "1", "solutions": [wrong, f"c {wrong}"]},
        own(2, 3) | {"problem": "always", "answer": "1", "solutions": [f"{i} {right}" for i in range(9)]},
    ]
    recipe = recorded(write(tmp_path / "raw.jsonl", rows), output={"evaluation_share": 0, "format": "jsonl"})
    curate(recipe, tmp_path / "out")
    train, _ = both_sides(tmp_path / "out")
    kept = defaultdict(list)
    for row in train:
        kept[row["objective"], row["problem_id"]].append(row["completion"][0]["content"])
    assert sorted(kept["refine", "own-0"]) == [f"a {right}", f"b {right}"]
    assert len(set(kept["refine", "own-2"])) == 4
    assert ("refine", "own-1") not in kept
    assert ("direct", "own-1") not in kept, "a wrong solution is not learned from"
    assert len(train) == 12


def test_over_long_prompts_are_dropped_and_long_candidates_cut(tmp_path: Path) -> None:
    rows = [own(i, 3) | {"candidates": [f"{'x' * 4000} \\boxed{{{i + 1}}}"] * 6} for i in range(4)]
    rows.append(own(7, 3) | {"problem": "y" * 8000})
    rows = [*rows, own(9, 3)]
    recipe = recorded(write(tmp_path / "raw.jsonl", rows), prompt={"candidate_tokens": 100, "max_tokens": 1000})
    made = _tables(curate(recipe, tmp_path / "out"))
    assert made["Candidates"]["prompt over 1,000 tokens"] == 1
    assert made["Candidates"]["candidates cut"] == 16
    assert made["Candidates"]["prompts"] == 5


def test_a_majority_is_a_label_and_is_marked_as_one(tmp_path: Path) -> None:
    rows = [own(i, 4) | {"answer": "999", "solutions": [f"\\boxed{{{i + 1}}}"]} for i in range(10)]
    rows += [own(20, 3) | {"candidates": ["\\boxed{1}"] * 3 + ["\\boxed{2}"] * 3}, own(21, 2)]  # tie, no majority
    recipe = recorded(write(tmp_path / "raw.jsonl", rows), label={"kind": "majority"})
    made = _tables(curate(recipe, tmp_path / "out"))
    assert made["Candidates"]["no label"] == 2
    train, evaluation = both_sides(tmp_path / "out")
    assert {row["n_correct"] for row in train + evaluation} == {None}
    assert {json.loads(row["provenance"])["label"] for row in train} == {"majority"}
    assert "Labels are not verified" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_a_function_of_the_users_grades_candidates_teacher_and_solutions(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def same(gold, answer):\n    return int(gold) + 100 == int(answer)\n")
    rows = [own(i, 3) | {"answer": str(i + 1 - 100)} for i in range(12)]
    label = {"grader": f"{tmp_path / 'mine.py'}:same"}
    made = _tables(curate(recorded(write(tmp_path / "raw.jsonl", rows), label=label), tmp_path / "out"))
    assert made["Candidates"]["correct candidates"] == 36
    train, evaluation = both_sides(tmp_path / "out")
    assert {row["objective"] for row in train + evaluation} == {"direct", "refine"}


def test_other_code_of_a_grader_or_an_extractor_asks_again(tmp_path: Path) -> None:
    mine, out, said = tmp_path / "mine.py", tmp_path / "out", list[str]()
    data = write(tmp_path / "raw.jsonl", [own(i, 3) for i in range(20)])

    def run(grader: str, extract: Any) -> list[str]:
        mine.write_text(f"def same(gold, answer):\n    return int(gold) {grader} int(answer)\n")
        tts.plugins().register("extractor", "own-box", extract)
        said.clear()
        curate(recorded(data, label={"grader": f"{mine}:same", "extractor": "own-box"}), out, said.append)
        return [line for line in said if line.endswith("made before, kept") or "other settings" in line]

    boxed = tts.plugins().resolve("extractor", "boxed")
    run("==", boxed)
    rows = (out / "train.jsonl").read_bytes()
    assert len(run("==", boxed)) == 4
    assert "kept" in said[0]
    told = run("<=", boxed)
    assert told[0] == "problems: made before, kept"
    assert told[1].startswith(f"prompts: other settings than before (code of {mine}:same: source ")
    assert run("==", boxed)[1].startswith("prompts: other settings than before (code of ")
    assert (out / "train.jsonl").read_bytes() == rows

    def other(text: str) -> str | None:
        return boxed(text)  # type: ignore[no-any-return]

    assert run("==", other)[0].startswith("problems: other settings than before (code of own-box: ")


@pytest.mark.usefixtures("helpers")
def test_a_reward_model_labels_with_what_it_likes_best(tmp_path: Path) -> None:
    rows = [own(i, 1) | {"candidates": ["\\boxed{0}", f"longest by far \\boxed{{{i + 1}}}"]} for i in range(4)]
    recipe = recorded(write(tmp_path / "raw.jsonl", rows), label={"kind": "reward-model", "scorer": "fake:x"})
    made = _tables(curate(recipe, tmp_path / "out"))
    assert made["Teacher"]["correct answers"] == 4
    assert made["Candidates"]["correct candidates"] == 4


def test_the_card_has_every_count_and_hash(tmp_path: Path) -> None:
    import hashlib

    data = write(tmp_path / "raw.jsonl", [own(i, correct=i % 7) for i in range(30)])
    made = curate(recorded(data), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for path in (data, tmp_path / "out" / "train.jsonl", tmp_path / "out" / "evaluation.jsonl"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    for table in made:
        assert all(f"| {' | '.join(str(cell) for cell in row)} |" in card for row in table.rows), table.title


def test_datasets_loads_the_folder(tmp_path: Path) -> None:
    import datasets

    data = write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(30)])
    curate(recorded(data, output={"format": "parquet", "evaluation_share": 0.3}), tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    train, evaluation = both_sides(tmp_path / "out")
    assert {name: len(side) for name, side in loaded.items()} == {"train": len(train), "validation": len(evaluation)}


def test_again_is_kept_and_other_settings_are_told(tmp_path: Path) -> None:
    data, out, said = (
        write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(20)]),
        tmp_path / "out",
        list[str](),
    )
    curate(recorded(data), out)
    before = (out / "train.jsonl").read_bytes()
    curate(recorded(data), out, said.append)
    assert said == [f"{stage}: made before, kept" for stage in ("problems", "prompts", "answers", "rows")]
    said.clear()
    curate(recorded(data, prompt={"shown": 3}), out, said.append)
    assert said[0] == "problems: made before, kept"
    assert said[1].startswith("prompts: other settings than before (prompt.shown: 4 → 3); this and later stages")
    assert (out / "train.jsonl").read_bytes() != before
    write(data, [own(i, correct=3) for i in range(19)])
    said.clear()
    curate(recorded(data, prompt={"shown": 3}), out, said.append)
    assert said[0].startswith("problems: other settings than before (file ")


def test_inside_a_running_event_loop_as_in_a_notebook(tmp_path: Path) -> None:
    async def cell() -> list[Table]:
        return curate(recorded(data), tmp_path / "out")

    data = write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(20)])
    assert _tables(asyncio.run(cell()))["Candidates"]["prompts used"] == 20


def test_another_run_keeps_out(tmp_path: Path) -> None:
    data, out = write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(5)]), tmp_path / "out"
    curate(recorded(data), out)
    other = sqlite3.connect(out / "work.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(tts.ConfigError, match="another run is working in"):
        curate(recorded(data), out)
    other.close()


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(1, 3)])
    with pytest.raises(tts.ConfigError, match="not empty and not of train-data"):
        curate(recorded(data), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(tts.ConfigError, match="is a file; give a folder"):
        curate(recorded(data), tmp_path / "file")
    with pytest.raises(tts.ConfigError, match=r"file/out' cannot be made \(Not a directory\); give another"):
        curate(recorded(data), tmp_path / "file" / "out")


def _rows(**changed: Any) -> list[dict[str, Any]]:
    return [own(i, 3) | changed for i in range(60)]


@pytest.mark.parametrize(
    ("changed", "tables", "message"),
    [
        (
            {"candidates": ["It is 5."] * 6},
            {},
            r"none of 300 responses of the student 'recorded' to the first 50 .*\(0 were cut .*one ends: 'It is 5.'\)",
        ),
        (
            {"solutions": ["\\boxed{-7}"]},
            {},
            r"none of the 50 answers of the teacher 'recorded' to the first 50 prompts is correct",
        ),
        ({"solutions": []}, {}, r"none of the 0 answers of the teacher .* first 60 prompts is correct"),
        ({}, {"prompt": {"max_tokens": 3}}, r"no refine prompt is left of 60 problems: .*60 prompt over 3 tokens"),
        ({"candidates": ["<think>\\boxed{1}"] * 6}, {}, r"none of 300 responses"),
        ({}, {"prompt": {"mix": {3: 0.0}, "shown": 3}}, r"left of 60 .*60 prompts over the share of their N_c"),
        ({"candidates": "text"}, {}, r"line 1: the column 'candidates' must be a list"),
        ({}, {"prompt": {"refine_template": "TEMPLATE"}}, r"never uses \{\{ candidates \}\}; it must"),
        ({}, {"student": {"model": "nothing:x"}}, r"no backend is called 'nothing'"),
        ({}, {"teacher": {"model": "Qwen"}}, r"teacher.model = 'Qwen' is neither a model such as"),
        ({}, {"label": {"grader": "nowhere.py:same"}}, r"there is no file 'nowhere.py'"),
        ({}, {"label": {"extractor": "box"}}, r"no extractor is called 'box'; did you mean 'boxed'"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, changed: dict[str, Any], tables: dict[str, dict[str, Any]], message: str
) -> None:
    if "refine_template" in tables.get("prompt", {}):
        template = tmp_path / "bare.jinja"
        template.write_text("{{ problem }}", "utf-8")
        tables = {"prompt": {"refine_template": str(template)}}
    data = write(tmp_path / "raw.jsonl", _rows(**changed))
    with pytest.raises(tts.TTSError, match=message) as caught:
        curate(recorded(data, **tables), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_wrong_solutions_alone_give_no_direct_half(tmp_path: Path) -> None:
    rows = [own(i, 3) for i in range(20)]
    recipe = recorded(write(tmp_path / "raw.jsonl", rows), direct={"origin": "candidates"})
    made = _tables(curate(recipe, tmp_path / "out"))
    assert made["Direct half"] == {
        "wanted": 20, "correct candidates looked at": 20, "of them wrong": 0, "drawn": 20,
    }  # fmt: skip
    train, _ = both_sides(tmp_path / "out")
    direct = random.Random(0).choice([row for row in train if row["objective"] == "direct"])
    assert direct["completion"][0]["content"].startswith("It is ")


def test_the_arms_of_an_ablation_are_over_the_same_problems(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, correct=3) for i in range(40)])
    out = tmp_path / "out"
    curate(recorded(data, output={"arms": 10, "evaluation_share": 0.2, "format": "jsonl"}), out)
    arms = {arm: list(read_rows(out / arm / "train.jsonl")) for arm in ("direct", "refine", "hybrid")}
    problems = {arm: sorted(row["problem_id"] for row in rows) for arm, rows in arms.items()}
    assert len(set(problems["hybrid"])) == 10
    assert problems["direct"] == problems["refine"] == problems["hybrid"]
    assert Counter(row["objective"] for row in arms["hybrid"]) == {"direct": 5, "refine": 5}
    assert {row["objective"] for row in arms["direct"]} == {"direct"}
    held_out = {row["problem_id"] for row in both_sides(out)[1]}
    assert held_out.isdisjoint(problems["direct"])
    assert "| hybrid/train.jsonl | 10 |" in (out / "README.md").read_text("utf-8")
    with pytest.raises(tts.ConfigError, match=r"output.arms = 50 rows need as many problems .* and there are \d+;"):
        curate(recorded(data, output={"arms": 50, "evaluation_share": 0.2, "format": "jsonl"}), out)
