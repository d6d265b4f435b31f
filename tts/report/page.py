"""The page: one HTML file that fetches nothing. Words, tables and charts are in its markup, candidates in its data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from tts.metrics.tables import Table, counted
from tts.report._mathematics import FORMULA
from tts.report._palette import variables
from tts.report.data import ReportData
from tts.report.section import Section

_HERE = Path(__file__).parent
_BROWSER = ("candidates.js", "formulas.js", "problem.js", "list.js")  # one script, in this order
_LINE = 520  # CSS pixels of a table that stands beside a chart, below the words
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")  # what ends or opens a script element, and what is no UTF-8


class Document(NamedTuple):
    """A report before it is a file; `data` is that of the candidate browser, where there is to be one.

    `command` made it, where that is known.
    """

    title: str
    facts: tuple[str, ...]
    sections: list[Section]
    data: ReportData | None = None
    command: str = ""


def document(data: ReportData, sections: list[Section]) -> Document:
    """The report of one comparison or run."""
    groups = f"{counted(data.groups, 'group')} of {data.k}"
    named = [f"{role} {name}" for role, name in data.models.items()]
    facts = (counted(data.problems, "problem"), groups, *named, *data.made.facts, f"ttscale {data.version}")
    return Document(data.title, facts, sections, data, data.made.command)


def page(made: Document, live: str = "") -> str:
    """The HTML text; with the address of what is going on, `live`, the page asks for that again and again."""
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup

    from tts.report._draw import NARROW, WIDE, svg

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    scripts = ("theme.js", *(_BROWSER if made.data else ()), *(("live.js",) if live else ()))
    script = "\n".join((_HERE / name).read_text("utf-8") for name in scripts)
    figures = (one for part in made.sections for one in part.figures)
    drawn = {one.name: [Markup(svg(one, width)) for width in (WIDE, NARROW)] for one in figures}  # noqa: S704 - matplotlib escapes texts
    return environment.get_template("report.html.jinja").render(
        made=made,
        drawn=drawn,
        live=live,
        narrow=narrow,
        style=Markup(style()),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        index=Markup(embedded(_index(made.data))) if made.data else "",  # noqa: S704 - escaped for where it stands
        details=[Markup(embedded(one.detail)) for one in (made.data.shown if made.data else ())],  # noqa: S704 - as above
    )


def narrow(table: Table) -> bool:
    """Whether a table, with its cells in one line each, has room beside a chart."""
    cells = zip(table.head, *table.rows, strict=True)
    return sum(26 + 7.5 * max(map(len, column)) for column in cells) <= _LINE


def embedded(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever its texts say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _index(data: ReportData) -> dict[str, Any]:
    labels = [one.label for one in data.strategies]
    problems = [one.entry for one in data.shown]
    return {"strategies": labels, "baseline": labels.index(data.baseline), "problems": problems, "formula": FORMULA}


def style() -> str:
    """The style sheet with the palette in front; dark where the reader's system or the button says so."""
    light = "".join(f"{name}:{pair[0]};" for name, pair in variables().items())
    dark = "".join(f"{name}:{pair[1]};" for name, pair in variables().items())
    head = (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
    )
    return head + (_HERE / "report.css").read_text("utf-8")
