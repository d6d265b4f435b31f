from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_sets import HOSTILE, a_set, compared_with

import tts
from tts.eval import Comparison
from tts.report import ReportData, Table
from tts.report._text import latex, markdown
from tts.report.gather import sections
from tts.report.page import embedded

SCRIPT = re.compile(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', re.DOTALL)


@given(st.text() | st.text(alphabet="<>/!-script&\u2028\u2029\ud800\udfff\"'\\"))
def test_embedded_texts_end_no_script_and_come_back_as_they_were(text: str) -> None:
    shown = embedded({"text": text})
    assert not re.search("[<>&\u2028\u2029]", shown)
    shown.encode()
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # two halves are one character
    assert json.loads(shown) == {"text": paired}


def test_the_page_holds_its_data_once_and_fetches_nothing(page_file: Path, data: ReportData) -> None:
    page = page_file.read_text("utf-8")
    found = {name: json.loads(text) for name, text in SCRIPT.findall(page)}
    assert list(found) == ["index", *(f"problem-{i}" for i in range(8))]
    assert found["index"]["strategies"] == ["first", "majority", "best_of_n", "writes"]
    assert found["problem-2"]["question"] == data.shown[2].detail["question"] == f"Problem 2: {HOSTILE}"
    assert page.count("Problem 2: \\u003cscript") == 2  # the start in the index, the whole in its own
    markup = SCRIPT.sub("", page)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", markup.replace("http://www.w3.org/", ""))
    assert "default-src 'none'" in markup
    assert html.escape("Eight <problems> & more") in markup
    assert "window.hacked" not in markup


def test_the_data_of_a_problem(data: ReportData) -> None:
    index, detail = data.shown[1]  # 2213 in groups of two
    assert index["any"] == [False, True]
    assert index["correct"][0] == [0.0, 0.0, 0.0, 1.0]
    first, second = detail["groups"]
    assert [one.get("class") for one in first["candidates"]] == [0, 0]
    assert first["decisions"][3]["class"] == 1  # an answer that no candidate has
    assert first["decisions"][3]["thinking"] == HOSTILE.strip()
    assert first["decisions"][3]["trace"]["odd"] == "NaN"
    assert [one["correct"] for one in second["candidates"]] == [True, False]
    assert second["decisions"][2]["chosen"] == 0
    assert [one["score"] for one in second["candidates"]] == [1.0, 0.0]


def test_markdown_and_latex_have_every_table(data: ReportData) -> None:
    parts = sections(data)
    tables = [table for part in parts for table in part.tables]
    text = markdown(data.title, parts)
    assert text.startswith("# Eight \\<problems\\> & more\n")
    assert sum(line.startswith("|:--|") for line in text.splitlines()) == len(tables)
    tex = latex(parts)
    assert tex.count("\\begin{tabular}") == tex.count("\\bottomrule") == len(tables)
    assert "best\\_of\\_n" in tex
    assert "$-$" in tex


def test_latex_and_markdown_take_texts_for_nothing_else() -> None:
    from tts.report import Section

    table = Table("100 % of $x_1$ & {y}", ["a", "b"], [["\\input{x}", "`|`"]])
    parts = [Section("s", "S", (), (table,))]
    assert "100 \\% of \\$x\\_1\\$ \\& \\{y\\}" in latex(parts)
    assert "\\textbackslash{}input\\{x\\} & `|` \\\\" in latex(parts)
    assert "| \\\\input{x} | \\`\\|\\` |" in markdown("t", parts)


def test_a_folder_has_everything(compared: Comparison, tmp_path: Path, data: ReportData) -> None:
    folder = compared.report(tmp_path / "report", title=data.title)
    figures = [one for part in sections(data) for one in part.figures]
    assert {p.name for p in folder.iterdir()} == {"report.html", "report.md", "report.tex", "data", "figures"}
    for one in figures:
        with (folder / "data" / f"{one.name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["value"]) for row in rows] == [row["value"] for row in one.rows()]
        assert pq.read_table(folder / "data" / f"{one.name}.parquet").to_pylist() == _typed(one.rows())
        assert (folder / "figures" / f"{one.name}.pdf").read_bytes().startswith(b"%PDF")
        assert f"figures/{one.name}.svg" in (folder / "report.md").read_text()
    assert len(list((folder / "figures").iterdir())) == 3 * len(figures)


def _typed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"at": row["at"] if isinstance(row["at"], str) else float(row["at"])} for row in rows]


def test_a_report_is_the_same_twice(compared: Comparison, tmp_path: Path) -> None:
    one, two = compared.report(tmp_path / "a.html"), compared.report(tmp_path / "b.html")
    assert one.read_bytes() == two.read_bytes()


def test_where_no_report_can_be_written_one_sentence_says_so(compared: Comparison, tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match=r"give \.html, \.md, \.tex, or a folder"):
        compared.report(tmp_path / "report.docx")
    (tmp_path / "file").write_text("")
    with pytest.raises(tts.ConfigError, match="it is a file"):
        compared.report(tmp_path / "file")
    with pytest.raises(tts.ConfigError, match="there is no store"):
        compared.report(tmp_path / "r.md", store=tmp_path / "none.db")


def test_long_texts_are_cut_in_the_middle() -> None:
    from tts.report import report_data

    sets = [a_set(0, "11", "x" * 30_000)]
    shown = report_data(tts.compare(sets, strategies=["first"], k=2)).shown[0].detail
    text = shown["groups"][0]["candidates"][0]["text"]
    assert len(text) < 20_100
    assert "characters left out" in text
    assert text.endswith("\\boxed{1}")


def test_a_page_of_an_ungraded_comparison(tmp_path: Path) -> None:
    sets = [tts.Sampled(a_set(0, "12").candidates, None)]
    page = tts.compare(sets, strategies=["majority"], k=2).report(tmp_path / "r.html").read_text("utf-8")
    assert "No problem has a gold answer" in page


def test_without_matplotlib_tables_are_written_and_the_page_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    compared = compared_with()
    assert compared.report(tmp_path / "r.md").read_text().startswith("# ")
    with pytest.raises(tts.MissingDependencyError, match=r"pip install 'ttscale\[report\]'"):
        compared.report(tmp_path / "r.html")
