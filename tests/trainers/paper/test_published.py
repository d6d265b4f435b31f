"""What `tts paper` prints of the paper is what the paper has."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import published_numbers as paper
import pytest
from click.testing import CliRunner
from doubles import LengthScorer, sums
from published_numbers import rows

import tts
from tts.cli import main
from tts.eval import Comparison

SHARE = r"\d+\.\d \[\d+\.\d, \d+\.\d\]"


def spoken(request: tts.Request, index: int) -> str:
    """Every other candidate is right; refinements are, and are half as long."""
    refined = "Candidate Response" in request.messages[-1].content
    left = re.search(r"(\d+)\+\d+", request.messages[-1].content)
    right = refined or (request.seeds[index] % 2 == 0)
    text = f"\\boxed{{{2 * int(left[1]) + 1 if right and left else 'x'}}}"
    return f"<think>{'so ' * (3 if refined else 20)}</think>{text}"


@pytest.fixture
def run(fake: Any, tmp_path: Path) -> Comparison:
    """A comparison saved as `run.json` where the test runs."""
    fake(script=spoken)
    gsr = tts.strategy("gsr", outputs=2)
    scored: list[str | tts.Strategy] = ["majority", "best_of_n", gsr]
    compared = tts.compare(sums(8), strategies=scored, k=4, n=8, model="fake:m", scorer=LengthScorer("", None))
    compared.save(tmp_path / "run.json")
    return compared


def printed(name: str, *arguments: object) -> list[list[str]]:
    """The head and the rows of a table as the command prints it."""
    done = CliRunner().invoke(main, ["paper", name, *map(str, arguments)], prog_name="tts")
    assert done.exit_code == 0, done.output
    lines = [line[1:-1].split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in [lines[0], *lines[2:]]]


def of(name: str, place: Path, label: str = "aime24") -> list[dict[str, str]]:
    head, *found = printed(name, "--runs", f"{label}={place / 'run.json'}")
    return [dict(zip(head, line, strict=True)) for line in found]


@pytest.mark.usefixtures("run")
def test_table_1_has_every_number(tmp_path: Path) -> None:
    found = of("table1", tmp_path)
    shown = [[row["method"], row["of"], *(row[name] for name in paper.BENCHMARKS)] for row in found]
    published = [row for row in shown if row[1] != "ours"]
    assert sorted(published) == sorted(rows(paper.TABLE_1))


@pytest.mark.usefixtures("run")
def test_table_2_has_both_benchmarks(tmp_path: Path) -> None:
    columns = ("trained on", "AIME24, pass@1", "AIME24, selfRef@k", "AIME25, pass@1", "AIME25, selfRef@k")
    found = [[row[name] for name in columns] for row in of("table2", tmp_path) if row["of"] == "paper"]
    assert found == rows(paper.TABLE_2)


@pytest.mark.usefixtures("run")
def test_table_3_has_both_sizes_before_and_after(tmp_path: Path) -> None:
    found = {row["model"]: row for row in of("table3", tmp_path)}
    for name, *values in rows(paper.TABLE_3):
        when, kind = name.split(", ")
        places = [(size, benchmark) for size in ("14B", "32B") for benchmark in ("AIME24", "AIME25")]
        assert [found[f"{size}, {when}"][f"{benchmark}, {kind}"] for size, benchmark in places] == values


@pytest.mark.usefixtures("run")
def test_table_4_has_lengths_and_reductions(tmp_path: Path) -> None:
    found = [list(row.values())[:1] + list(row.values())[2:] for row in of("table4", tmp_path) if row["of"] == "paper"]
    assert found == rows(paper.TABLE_4)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("name", ["table5", "figure5"])
def test_table_5_has_the_counts_of_all_benchmarks(tmp_path: Path, name: str) -> None:
    found = of(name, tmp_path)
    refined = {row["of"]: row for row in found if row["method"] == "self-refinement" and row["of"].startswith("GSR")}
    for name_of, *counts in rows(paper.TABLE_5):
        for benchmark, count in zip(paper.BENCHMARKS, counts, strict=False):
            correct, total = map(int, count.split("/"))
            assert refined[f"GSR-7B, {benchmark}"][name_of] == f"{count} ({100 * correct / total:.1f})"
    assert sum(int(row[1].split("/")[1]) for row in rows(paper.TABLE_5)) == 30 * 8 * 4, "groups and outputs of AIME24"


def test_tables_6_and_7_stand_beside_a_data_card(tmp_path: Path) -> None:
    assert printed("table6")[1:] == rows(paper.TABLE_6)
    assert printed("table7")[1:] == rows(paper.TABLE_7)
    rules = "### Filter\n\n| rule | rows |\n| --- | ---: |\n| all | 12 |\n\n"
    sides = "### Rows\n\n| side | refine |\n| --- | ---: |\n| train | 7 |\n\n"
    (tmp_path / "README.md").write_text(f"# Data\n\n## Counts\n\n{rules}{sides}## Files\n\n| file |\n")
    assert ["all", "12"] in printed("table6", "--card", tmp_path)
    assert ["train", "7"] in printed("table7", "--card", tmp_path)
    assert ["train", "7"] not in printed("table6", "--card", tmp_path), "each has its own counts"


@pytest.mark.usefixtures("run")
def test_figures_have_what_the_paper_says_of_them(tmp_path: Path) -> None:
    sizes = {row["model"]: row["AIME24, pass@1"] for row in of("figure2", tmp_path)}
    assert (sizes["DeepSeek-R1-Distill-Qwen-7B"], sizes["Qwen2.5-32B-Instruct"]) == ("54.4", "18.6")
    two = of("figure6", tmp_path)[0]
    assert [two[name] for name in ("candidates", "AIME24, selfRef@k", "AIME24, pass@k")] == ["k = 2", "63.2", "62.5"]
    puzzles = of("figure7", tmp_path, "knights_knaves")
    shown = [[row["knights_knaves, pass@1"], row["knights_knaves, gap, % of maj@k"]] for row in puzzles[:2]]
    assert shown == [["12.9", "-7.6"], ["37.3", "+7.2"]]
    assert list(of("figure8", tmp_path)[0].values())[1:] == ["6.6–14.8", "570–960", "> 13,000 (AIME)"]


def test_what_the_text_says_stands_below(run: Comparison, tmp_path: Path) -> None:
    told = {
        "table1": "+5.5 (GSR-7B), +1.15 (QwQ-32B)",
        "table2": "as 9.6 here and as 11.3 in Table 1",
        "figure2": "the regime shifts at about 14B",
        "figure5": "selfRef@4 60.2, maj@4 18.8",
    }
    for name, text in told.items():
        given = ["paper", name, "--runs", f"aime24={tmp_path / 'run.json'}"]
        assert text in CliRunner().invoke(main, given, prog_name="tts").stdout
    assert run.pass_at_1 is not None


def cell(estimate: Any, sign: str = "") -> str:
    low, high = (f"{100 * one:{sign}.1f}" for one in (estimate.low, estimate.high))
    return f"{100 * estimate.mean:{sign}.1f} [{low}, {high}]"


def test_own_numbers_are_those_of_the_run(run: Comparison, tmp_path: Path) -> None:
    found = {row["method"]: row["AIME24"] for row in of("table1", tmp_path) if row["of"] == "ours"}
    gsr = next(label for label in run.strategies if label.startswith("gsr"))
    assert found["pass@1"] == cell(run.pass_at_1)
    assert found["maj@4"] == cell(run.accuracy("majority"))
    assert found["maj@5"] == cell(run.curves()["maj@k"].points[5])
    assert found["BoN@4, reward model"] == cell(run.accuracy("best_of_n"))
    assert found["BoN@5, reward model"] == cell(run.curves()["BoN@k"].points[5])
    assert found["selfRef@4"] == cell(run.accuracy(gsr))
    assert found["gap, selfRef@4 − maj@4"] == cell(run.gap(gsr, "majority"), "+")
    equal = next(one for one in run.equal_budgets() if one.curve == "maj@k")
    assert found[f"maj at the cost of {gsr}"] == f"{cell(equal.accuracy)} (k = {equal.k:.1f})"
    assert found[f"{gsr} − maj at its cost"] == cell(equal.difference, "+")
    lengths = run.lengths(gsr)
    assert lengths is not None
    tokens = {row[""]: row["AIME24"] for row in of("table4", tmp_path) if row["of"] == "ours"}
    assert tokens["direct"].startswith(f"{lengths.direct.mean:,.1f} [")
    assert tokens["reduction, %"] == f"{100 * (lengths.written.mean / lengths.direct.mean - 1):+.1f}"
    summary = of("figure8", tmp_path)[1]
    assert summary["all tokens"] == f"{lengths.direct.mean:,.1f}"
    assert summary["tokens of the summary"] == f"{lengths.answer[0]:,.1f}"
    strata = {row["method"]: row for row in of("table5", tmp_path) if row["of"] == "ours, AIME24"}
    for n, estimate in run.by_n_correct("majority").items():
        assert strata["majority"][f"N_c = {n}"] == cell(estimate)
        assert strata["groups"][f"N_c = {n}"] == str(estimate.n)


def test_the_average_is_there_where_all_five_are(run: Comparison, tmp_path: Path) -> None:
    place = tmp_path / "run.json"
    every = ",".join(f"{task}={place}" for task in ("aime24", "aime25", "amc22_23", "math500", "olympiadbench"))
    head, *lines = printed("table1", "--runs", every)
    ours = {line[0]: dict(zip(head, line, strict=True)) for line in lines if line[1] == "ours"}
    mean, half = run.pass_at_1.mean, (run.pass_at_1.high - run.pass_at_1.mean) / math.sqrt(5)
    assert ours["pass@1"]["average"].startswith(f"{100 * mean:.1f} [")
    assert ours["pass@1"]["average"].endswith(f"{100 * (mean + half):.1f}]"), "five independent ones"
    assert of("table1", tmp_path)[4]["average"] == ""


@pytest.mark.usefixtures("run")
def test_runs_stand_below_the_row_of_their_label(tmp_path: Path) -> None:
    found = [(row["trained on"], row["of"]) for row in of("table2", tmp_path, "refine/aime25")]
    assert found[2:4] == [("refine", "paper"), ("refine", "ours")]
    assert any("x/sums" not in row["of"] and row["method"] == "pass@1" for row in of("table1", tmp_path, "x/sums"))
    assert "sums" in printed("table1", "--runs", f"x/sums={tmp_path / 'run.json'}")[0], "a column of its own"


def test_unknown_tokens_are_unknown(run: Comparison, tmp_path: Path) -> None:
    told = run.to_dict() | {"usage_known": False}
    (tmp_path / "run.json").write_text(json.dumps(told))
    tokens = {row[""]: row["AIME24"] for row in of("table4", tmp_path) if row["of"] == "ours"}
    assert set(tokens.values()) == {"unknown"}
    assert of("figure8", tmp_path)[1]["all tokens"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table1", "--runs", "aime24"], "give BENCHMARK=FOLDER"),
        (["table1", "--runs", "aime24=nowhere"], "give a folder of `tts eval`"),
        (["table1", "--runs", "aime24=x", "--groups", "2"], "--runs and the family's options exclude each other"),
        (["table6", "--runs", "aime24=x"], "table6 counts training data, not runs"),
        (["table6", "--card", "nowhere"], "there is no README.md"),
        (["table1", "--card", "x"], "--card is for table6 and table7"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["paper", *arguments], prog_name="tts")
    assert done.exit_code != 0
    assert message in done.output and "Traceback" not in done.output
