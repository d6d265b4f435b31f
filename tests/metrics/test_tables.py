"""Tables fit the terminal: nothing is wider than it, nothing is lost."""

from __future__ import annotations

import os
import pty
import random
import re
import subprocess
import sys

import pytest

from tts.metrics.estimate import Estimate
from tts.metrics.tables import Table, counted
from tts.output.columns import LEAST, folded, row_lines, widths_of

HEAD = ["strategy", "accuracy", "95 % interval", "answered", "cut", "calls", "tokens out", "tokens in", "s/problem"]
ROWS = [["majority (maj@4)", "81.2", "70.1 … 92.3", "100.0", "3", "1,024", "1,234,567", "234,567", "12.34"]] * 2
NOTE = (
    "really spent in 18.2 s: policy 70 calls, 2,799 generated and 11,887 prompt tokens (182 of them cached), and more"
)


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_a_table_is_no_wider_than_the_terminal_and_keeps_every_cell(width: int) -> None:
    shown = Table("A title that is longer than the narrowest terminal", HEAD, ROWS, [NOTE]).text(width)
    assert max(map(len, shown.splitlines())) <= width
    words = re.findall(r"\S+", shown)
    for cell in (*HEAD[1:], *ROWS[0][1:]):
        assert set(cell.split()) <= set(words), cell


def test_what_is_left_of_a_fold_is_what_comes_first() -> None:
    first, second = _parts(Table("", HEAD, ROWS).text(80))
    assert first.startswith("strategy") and "accuracy" in first and "s/problem" not in first
    assert second.startswith("strategy") and "s/problem" in second


def _parts(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("strategy")]


def test_a_table_of_sentences_wraps_them() -> None:
    shown = Table("Pairs", ["verdict"], [[NOTE], ["short"]]).text(40)
    assert max(map(len, shown.splitlines())) <= 40
    assert set(NOTE.split()) <= set(shown.split())


def test_long_cells_of_any_column_wrap() -> None:
    shown = Table("Checks", ["what", "gold", "verdicts"], [["p1: '4'", NOTE, "math yes"]]).text(50)
    assert max(map(len, shown.splitlines())) <= 50
    assert set(NOTE.split()) <= set(shown.split())


def test_a_long_label_goes_on_below() -> None:
    shown = Table("", ["strategy", "accuracy"], [["a label of many words that goes on and on", "81.2"]]).text(40)
    assert max(map(len, shown.splitlines())) <= 40
    assert "on and on" in " ".join(shown.split())


def test_a_table_for_a_file_is_as_wide_as_it_comes() -> None:
    assert str(Table("", HEAD, ROWS)) == Table("", HEAD, ROWS).text(None)
    assert len(_parts(Table("", HEAD, ROWS).text(None))) == 1


def test_columns_of_any_width_fit_and_lose_no_word() -> None:
    rng = random.Random(3)
    for _ in range(200):
        cells = [
            " ".join("x" * rng.randint(1, 12) for _ in range(rng.randint(1, 12))) for _ in range(rng.randint(2, 6))
        ]
        rows = [cells, [cell[:5] for cell in cells]]
        width = rng.randint(len(cells) * (LEAST + 2), 120)
        lines = row_lines(cells, widths_of(rows, width))
        assert max(map(len, lines)) <= width
        assert sum(line.count("x") for line in lines) == sum(cell.count("x") for cell in cells)


def test_every_column_stands_in_one_part_of_a_fold() -> None:
    rng = random.Random(5)
    for _ in range(200):
        widths = [rng.randint(1, 30) for _ in range(rng.randint(1, 12))]
        parts = folded(widths, 80)
        assert [column for part in parts for column in part if column] == list(range(1, len(widths)))
        assert all(part[0] == 0 for part in parts)


def test_a_terminal_of_eighty_columns_gets_lines_of_eighty() -> None:
    code = f"from tts.metrics.tables import Table\nprint(Table('', {HEAD!r}, {ROWS!r}, [{NOTE!r}]))"
    leader, follower = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=follower, env={**os.environ, "COLUMNS": "80"}, check=True)
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert 70 < max(map(len, shown.split("\r\n"))) <= 80


def test_an_estimate_prints_as_one_would_write_it() -> None:
    assert str(Estimate(0.125, -0.031, 0.281, 8, 32)) == "12.5 % (95 % interval -3.1 to 28.1; 8 problems)"
    assert str(Estimate(1.0, -1.0, 1.0, 1, 4)) == "100.0 % (of one problem, which gives no interval)"


def test_one_is_singular() -> None:
    assert [counted(0, "problem"), counted(1, "problem"), counted(1200, "problem")] == [
        "0 problems",
        "1 problem",
        "1,200 problems",
    ]
