"""A folder of a protocol is that protocol's: another one does not write over its report unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main

PROBLEMS = [tts.Example(problem=tts.Problem(id=str(n), prompt=f"What is {n}+1?"), answer=str(n + 1)) for n in range(3)]
ASKED: dict[str, Any] = {
    "strategies": ["first", "majority"], "k": 2, "n": 4, "report": None, "model": lambda _: r"\boxed{2}",
    "grader": lambda gold, answer: gold == answer,
}  # fmt: skip


def test_the_same_protocol_again_writes_the_same_report(tmp_path: Path) -> None:
    tts.eval.evaluate(PROBLEMS, tmp_path, **ASKED)
    before = (tmp_path / "report.json").read_bytes()
    tts.eval.evaluate(PROBLEMS, tmp_path, **ASKED)
    assert (tmp_path / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"k": 4}, "k=2, not 4"),
        ({"n": 6}, "n=4, not 6"),
        ({"strategies": ["first"]}, "other strategies"),
        ({"estimator": "subsets"}, "estimator='groups', not 'subsets'"),
    ],
)
def test_another_protocol_is_refused_before_anything_is_spent(
    tmp_path: Path, other: dict[str, Any], sentence: str
) -> None:
    tts.eval.evaluate(PROBLEMS, tmp_path, **ASKED)
    before = (tmp_path / "report.json").read_bytes()

    def never(_: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(tts.ConfigError, match=sentence) as caught:
        tts.eval.evaluate(PROBLEMS, tmp_path, **{**ASKED, "model": never, **other})
    assert "--overwrite" in str(caught.value)
    assert (tmp_path / "report.json").read_bytes() == before
    tts.eval.evaluate(PROBLEMS, tmp_path, overwrite=True, **{**ASKED, **other})
    assert (tmp_path / "report.json").read_bytes() != before


def test_the_command_prints_a_screen_or_the_report_as_json(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def reply(prompt):\n    return r'\\boxed{2}'\n\n\ndef same(gold, answer):\n    return gold == answer\n"
    )
    (tmp_path / "p.jsonl").write_text(
        "".join(json.dumps({"problem": f"{n}+1?", "answer": str(n + 1)}) + "\n" for n in range(3))
    )
    command = ["eval", str(tmp_path / "p.jsonl"), "-m", f"{tmp_path / 'mine.py'}:reply", "--grader"]
    command += [f"{tmp_path / 'mine.py'}:same", "-o", str(tmp_path / "out"), "-k", "2", "--samples", "4"]
    command += ["-s", "first,majority", "--report", str(tmp_path / "page.md")]
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 0, shown.stderr
    assert 5 < len(shown.stdout.splitlines()) <= 24
    assert "majority" in shown.stdout
    told = CliRunner().invoke(main, [*command, "--json"])
    assert json.loads(told.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert json.loads(told.stdout)["protocol"]["named"]["policy"].startswith(f"{tmp_path / 'mine.py'}:reply (")
