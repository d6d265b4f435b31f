"""The rules of the paper's Table 6, and what a source may look like."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from raw_files import openmath, own, recorded, write

import tts
from tts_trainers.data.filters import pass_rate
from tts_trainers.data.pipeline import count_only
from tts_trainers.data.problems import make_problems
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import Table, WorkFile
from tts_trainers.recipe import load_recipe

HELD_OUT = "A very particular evaluation problem about 17 dominoes that nobody else would ever think of asking."
ROWS = [
    openmath("Find $x$ with $x=1$."),
    openmath("Find \\(x\\) with \\(x = 1\\)"),  # the same problem
    openmath("Find $x$ with $x=1$.", answer="2"),  # which says otherwise
    openmath("not in the contest", used_in_kaggle=False),
    openmath("not in the contest", used_in_kaggle=False),
    openmath("to be proved", problem_type="no_answer_extracted"),
    openmath("rate unknown", pass_rate_72b_tir="n/a"),
    openmath("too hard", pass_rate_72b_tir="0.2499"),
    openmath("hard enough", pass_rate_72b_tir="0.25"),
    openmath("easy enough", pass_rate_72b_tir="0.9"),
    openmath("too easy", pass_rate_72b_tir="0.90625"),
    openmath(HELD_OUT.upper()),
]
COUNTS = (
    ("in the source", 12, 9),
    ("used_in_kaggle = true", 10, 8),
    ('problem_type = "has_answer_extracted"', 9, 7),
    ("pass_rate_72b_tir is a number", 8, 6),
    ("0.25 ≤ pass_rate_72b_tir ≤ 0.9", 6, 4),
    ("has an answer", 6, 4),
    ("not among the 1 evaluation problems", 5, 3),
    ("answers agree within a problem", 4, 3),
)


def _gsr(data: Path, tmp_path: Path, *changes: str) -> DataRecipe:
    held_out = write(tmp_path / "held_out.jsonl", [{"problem": HELD_OUT}])
    return load_recipe("data-gsr", DataRecipe, [f"source.data={data}", f'filter.evaluation=["{held_out}"]', *changes])


def _counted(recipe: DataRecipe, tmp_path: Path) -> dict[str, Table]:
    return {table.title: table for table in count_only(recipe, tmp_path)}


def test_the_count_table_of_the_papers_recipe(tmp_path: Path) -> None:
    tables = _counted(_gsr(write(tmp_path / "raw.jsonl", ROWS), tmp_path), tmp_path)
    assert tables["Filter"] == Table("Filter", ("rule", "rows", "problems"), COUNTS)
    assert dict(tables["Pool"].rows) == {"problems": 3, "given solutions": 3, "problems with given solutions": 3}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_count_like_json_lines(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"raw.{ending}"
    if ending == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        import pandas as pd

        pd.DataFrame(ROWS).to_parquet(path)
    assert _counted(_gsr(path, tmp_path), tmp_path)["Filter"].rows == COUNTS


def test_one_column_may_hold_answer_and_solution(tmp_path: Path) -> None:
    rows = [{"question": f"{i}+1", "answer": f"{i} and one\n#### {i + 1}"} for i in range(3)]
    rows += [{"question": "1+4", "answer": "so \\boxed{5}"}, {"question": "0+0", "answer": "who knows"}]
    data = write(tmp_path / "raw.jsonl", [row | {"candidates": []} for row in rows])
    recipe = recorded(data, source={"answer": "answer", "solutions": "answer"})
    with WorkFile(tmp_path / "work.db") as work:
        work.begin("problems")
        counts = make_problems(Run(recipe, tmp_path, work, print))[0].rows
        assert counts[1:] == (("has an answer", 4, 4), ("answers agree within a problem", 4, 4))
        assert work.rows("SELECT answer FROM problems ORDER BY n") == [("1",), ("2",), ("3",), ("5",)]


def test_a_limit_reads_no_more(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, 3) for i in range(9)])
    assert _counted(recorded(data, source={"limit": 4}), tmp_path)["Filter"].rows[0][1] == 4


@pytest.mark.parametrize(
    ("value", "rate"), [("0.5", 0.5), (1, 1.0), ("n/a", None), ("", None), (None, None), (float("nan"), None)]
)
def test_pass_rates(value: object, rate: float | None) -> None:
    assert pass_rate(value) == rate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            'filter.where={used_in_kaggle="maybe"}',
            r"none of 12 rows passes the rule 'used_in_kaggle = \"maybe\"'; change",
        ),
        ("filter.pass_rate=[0.6, 0.7]", r"none of 8 rows passes the rule '0.6 ≤ pass_rate_72b_tir ≤ 0.7'; widen"),
        ("source.pass_rate=pass_rate", r"source.pass_rate: there is no column 'pass_rate' in .*; it has 'expected_ans"),
        ("filter.where={kaggle=true}", r"filter.where.kaggle: there is no column 'kaggle'"),
        ("source.solutions=solution", r"source.solutions: there is no column 'solution'"),
        ("source.answer=gold", r"no column 'gold'"),
        ("source.id=problem_source", r"line 4: the id 'aops_c4_high_school_math' is already that of another problem"),
        (
            "source.solutions=used_in_kaggle",
            r"line 1: the column 'used_in_kaggle' holds True; it must be text or a list of texts",
        ),
    ],
)
def test_bad_columns_and_empty_filters(tmp_path: Path, change: str, message: str) -> None:
    rows = [{**row, "used_in_kaggle": True, "problem_type": "has_answer_extracted"} for row in ROWS]
    rows = ROWS if "id" not in change and "used_in" not in change else rows
    with pytest.raises(tts.TTSError, match=message):
        count_only(_gsr(write(tmp_path / "raw.jsonl", rows), tmp_path, change), tmp_path)


def test_duplicate_ids_name_the_line(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(1, 3), own(2, 3) | {"id": "own-1"}])
    with pytest.raises(
        tts.TaskError, match=r"line 2: the id 'own-1' is already that of another problem; ids must differ"
    ):
        count_only(recorded(data), tmp_path)


def test_nothing_but_evaluation_problems(tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [own(i, 3) for i in range(3)])
    with pytest.raises(tts.ConfigError, match=r"none of 3 rows .*all that is left is also in .*train on other data"):
        count_only(recorded(data, filter={"evaluation": [str(data)]}), tmp_path)
