"""A report's numbers, recomputed by a script that has no code of ours."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import FakeBackend

import tts
from tts.cli import main

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "recompute.py"


def _reply(request: tts.Request, index: int) -> str:
    """A sum of products, wrong now and then in one of two ways, or without an answer."""
    prompt = request.messages[-1].content
    draw = random.Random(f"{request.seeds[index]} {prompt}")
    asked = prompt.partition("Candidate Response")[0]
    total = sum(int(a) * int(b) for a, b in re.findall(r"(\d+) ?(?:\*|\\cdot|×|\\times) ?(\d+)", asked))
    said = draw.choice([total, total, total, total + 1, total - 10, None])
    return "I do not know." if said is None else f"<think>so</think>It is $\\boxed{{{said}}}$."


class Erring(FakeBackend):
    script = staticmethod(_reply)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("recompute")
    found = tts.eval.evaluate(
        "task:sums@size=14", target, model=Erring("erring", None), n=5, k=2, outputs=2, report=None,
        strategies=["first", "majority", "gsr"],
    )  # fmt: skip
    assert 0.2 < found.report()["pass@1"]["mean"] < 0.9  # else nothing is told apart
    return target


def _run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _changed(folder: Path, target: Path, *path: str, to: Any) -> Path:
    """A copy whose report.json says something else at one place."""
    target.mkdir()
    for name in ("results.jsonl", "store.db"):
        (target / name).write_bytes((folder / name).read_bytes())
    report = json.loads((folder / "report.json").read_text())
    place = report
    for name in path[:-1]:
        place = place[int(name) if isinstance(place, list) else name]
    assert path[-1] in place or isinstance(place, list)
    place[int(path[-1]) if isinstance(place, list) else path[-1]] = to
    (target / "report.json").write_text(json.dumps(report))
    return target


def test_every_number_that_an_outsider_can_recompute_is_the_printed_one(folder: Path) -> None:
    shown = _run(folder)
    assert shown.returncode == 0, "\n".join(line for line in shown.stdout.splitlines() if line.endswith("NO"))
    for number in (
        *("pass@1 / mean", "pass@2 / interval / 0", "strategies / gsr / gap_to_majority / interval / 1"),
        *("strategies / gsr / by_n_correct / 1 / mean", "curves / maj@k / points / 3 / mean", "g_pass / 0.5 / mean"),
        *("rescue / gsr / majority / rescued / mean", "pairs / 0 / p", "pairs / 0 / among / interval / 0"),
        *("strategies / majority / unbiased / mean", "calibration / majority / brier / mean"),
    ):
        assert f"\n{number} | " in shown.stdout
    assert "Numbers of the report that are not recomputed:" in shown.stdout
    assert "equal_budgets" in shown.stdout.partition("not recomputed")[2]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pass@1", "mean"), 0.99),
        (("strategies", "gsr", "accuracy", "interval", "0"), 0.123),
        (("strategies", "gsr", "gap_to_majority", "mean"), 0.5),
        (("curves", "maj@k", "points", "3", "mean"), 0.123),
        (("pairs", "1", "verdict"), "better by far"),
        (("rescue", "gsr", "majority", "harmed", "mean"), 0.123),
    ],
)
def test_a_report_that_says_something_else_is_caught(
    folder: Path, tmp_path: Path, path: tuple[str, ...], value: Any
) -> None:
    shown = _run(_changed(folder, tmp_path / "changed", *path, to=value))
    assert shown.returncode == 1
    wrong = [line for line in shown.stdout.splitlines() if line.endswith("| NO")]
    assert [line.split(" | ")[0] for line in wrong] == [" / ".join(path)]


def test_rows_that_say_something_else_are_caught_by_the_candidates(folder: Path, tmp_path: Path) -> None:
    target = _changed(folder, tmp_path / "changed", "k", to=2)
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    rows[0]["n_correct"] = (rows[0]["n_correct"] + 1) % 3
    (target / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = _run(target)
    assert shown.returncode == 1
    assert "rows by N_c" in next(line for line in shown.stdout.splitlines() if line.endswith("| NO"))


def test_candidates_may_come_as_a_file(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "candidates.jsonl"
    told = CliRunner().invoke(main, ["store", "export", str(folder / "store.db"), "-o", str(kept)])
    assert told.exit_code == 0, told.output
    shown = _run(folder, "--candidates", str(kept))
    assert shown.returncode == 0, shown.stdout[-500:] + shown.stderr


def test_a_folder_without_a_report_is_one_sentence(tmp_path: Path) -> None:
    shown = _run(tmp_path)
    assert shown.returncode == 2
    assert shown.stderr.startswith(f"{tmp_path} cannot be read as a folder of `tts eval`")
    assert "Traceback" not in shown.stderr


def test_the_script_has_no_code_of_ours() -> None:
    imports = re.findall(r"^(?:from|import) (\w+)", SCRIPT.read_text(), re.MULTILINE)
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    assert imports
    assert set(imports) <= allowed
