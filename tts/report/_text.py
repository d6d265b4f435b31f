"""The report as text: Markdown, or its tables as LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tts.metrics.tables import Table
from tts.report.section import Section

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#$])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "…": r"\dots{}",
}


def markdown(title: str, parts: Sequence[Section], figures: str | None = None, facts: Sequence[str] = ()) -> str:
    """The whole report; with `figures`, the folder that holds them, pictures are linked."""
    return "\n\n".join(_markdown(title, parts, figures, facts)) + "\n"


def _markdown(title: str, parts: Sequence[Section], figures: str | None, facts: Sequence[str]) -> Iterator[str]:
    yield f"# {_plain(title)}"
    if facts:
        yield _plain(" · ".join(facts))
    for part in parts:
        yield f"## {_plain(part.title)}"
        yield from map(_plain, part.text)
        if figures is not None:
            yield from (f"![{_plain(one.title)}]({figures}/{one.name}.svg)" for one in part.figures)
        for table in part.tables:
            if table.title != part.title:
                yield f"**{_plain(table.title)}**"
            yield _markdown_table(table)
            yield from map(_plain, table.notes)


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(_plain, cells))} |"

    rule = "|".join([":--", *["--:"] * (len(table.head) - 1)])
    return "\n".join([line(table.head), f"|{rule}|", *map(line, table.rows)])


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def latex(parts: Sequence[Section]) -> str:
    """Every table as a `table` environment; needs the package booktabs."""
    tables = [_latex_table(table, part.name, place) for part in parts for place, table in enumerate(part.tables)]
    return "% \\usepackage{booktabs}\n\n" + "\n".join(tables)


def _latex_table(table: Table, name: str, place: int) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(_latex, cells)) + r" \\"

    columns = "l" + "r" * (len(table.head) - 1)
    label = f"tab:{name}{f'-{place + 1}' if place else ''}"
    rows = "\n".join(map(line, table.rows))
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{_latex(table.title)}}}\n\\label{{{label}}}\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{line(table.head)}\n\\midrule\n{rows}\n\\bottomrule\n"
        "\\end{tabular}\n\\end{table}\n"
    )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
