"""A report as a file, or as a folder of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tts.contracts.prices import Prices
from tts.metrics.checks import Disagreement
from tts.metrics.comparison import Comparison
from tts.output.file import check_file, check_folder, whole_file, write_whole
from tts.report._files import save_csv, save_parquet
from tts.report._text import latex, markdown
from tts.report.data import ReportData, report_data
from tts.report.gather import sections
from tts.report.page import Document, document, page
from tts.store.address import shown_store, store_exists
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError

ENDINGS = (".html", ".md", ".tex")
WITHOUT_FIGURES = (".md", ".tex")


def write_report(
    compared: Comparison,
    path: str | Path,
    *,
    title: str = "",
    store: str | Path | Store | None = None,
    prices: Prices | None = None,
    disagreements: Sequence[Disagreement] | None = None,
    controls: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of a comparison or run: .html the page, .md Markdown, .tex LaTeX tables, no ending a folder.

    The folder has all three, `data/` with each figure's points as CSV and Parquet, and `figures/` with each figure as
    PDF, SVG and PNG. `store` is the one that the run used: with it the page shows the prompts of what strategies wrote.
    `prices` adds what a group costs, `disagreements` (of `tts.eval.grader_disagreements`) the answers to look at,
    `controls` (`tts.eval.Controls.to_dict`) what strategies do on changed candidates.
    Raises `ConfigError` for another ending or a store that is not there, `MissingDependencyError` without matplotlib
    where something is drawn, without pyarrow for a folder.
    """
    target = Path(path)
    check_target(target)
    if isinstance(store, str | Path) and not store_exists(store):
        raise ConfigError(f"there is no store {shown_store(store)!r}; give the one that the run was stored in")
    opened = nullcontext(store) if store is None or isinstance(store, Store) else Store(store, read_only=True)
    with opened as held:
        beside: dict[str, Any] = {"prices": prices, "disagreements": disagreements, "controls": controls}
        data = report_data(compared, title=title, store=held, **beside)
    return write_data(data, target)


def check_target(target: Path) -> None:
    """Raise `ConfigError` for an ending that no report has, or where nothing could be written."""
    if target.suffix and target.suffix not in ENDINGS:
        raise ConfigError(f"cannot write a report to {str(target)!r}: give .html, .md, .tex, or a folder's name")
    if not target.suffix and target.exists() and not target.is_dir():
        raise ConfigError(f"cannot write a report to {str(target)!r}: it is a file; give another name for the folder")
    if target.suffix:
        check_file(target)
    else:
        check_folder(target)


def write_data(data: ReportData, target: Path) -> Path:
    """The same from the data of a report."""
    return write_document(document(data, sections(data)), target)


def write_document(made: Document, target: Path) -> Path:
    """The same from what is on the page. A file is replaced in one step, so a killed process leaves a whole one."""
    if not target.suffix:
        _folder(made, target)
        return target
    return write_whole(target, _text(made, target.suffix))


def _text(made: Document, ending: str, figures: str | None = None) -> str:
    if ending == ".md":
        return markdown(made.title, made.sections, figures, made.facts)
    if ending == ".tex":
        return latex(made.sections)
    return page(made)


def _folder(made: Document, target: Path) -> None:
    from tts.report._draw import save_figure

    for ending in ENDINGS:
        write_whole(target / f"report{ending}", _text(made, ending, "figures"))
    for one in (figure for part in made.sections for figure in part.figures):
        for path in (target / "data" / f"{one.name}.csv", target / "data" / f"{one.name}.parquet"):
            with whole_file(path) as part:
                (save_csv if path.suffix == ".csv" else save_parquet)(one, part)
        for ending in (".pdf", ".svg", ".png"):
            with whole_file(target / "figures" / f"{one.name}{ending}") as part:
                save_figure(one, part)
