"""Figures drawn by matplotlib: SVG for the page, files for papers. Imported when something is to be drawn."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts.report._palette import GRID, INK, MUTED, PAPER, color, marker, variables
from tts.report.section import Figure, Kind, Point, Series
from tts.vocabulary.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 10.0, 4.9  # inches of 72 CSS pixels: the page's column, and a phone
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 2,
    "lines.markersize": 7,
    "svg.fonttype": "none",
    "svg.hashsalt": "ttscale",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


def svg(figure: Figure, width: float) -> str:
    """The figure as an SVG element that takes its colours from the page's CSS variables and its font from the page."""
    drawn = io.StringIO()
    _saved(figure, width, lambda made: made.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None}))
    text = drawn.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", text)
    place = f"{figure.name}-{'wide' if width == WIDE else 'narrow'}-"  # several figures share a page, and so its ids
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{place}", text)
    for name, (light, _) in variables().items():
        text = text.replace(light, f"var({name})")
    return text


def save_figure(figure: Figure, path: Path) -> Path:
    """The figure as a file for a paper, by ending: .pdf, .svg, .png."""
    _saved(figure, 6.5, lambda made: made.savefig(path, dpi=200, metadata=_undated(path.suffix)))
    return path


def _undated(suffix: str) -> dict[str, None]:
    """What keeps a file the same when it is made again."""
    return {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(suffix, {})


def _saved(figure: Figure, width: float, save: Callable[[Any], object]) -> None:
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingDependencyError("drawing figures needs matplotlib; pip install 'ttscale[report]'") from error
    with mpl.rc_context(_STYLE):
        made = Canvas(figsize=(width, _height(figure, width)), layout="constrained")
        FigureCanvasAgg(made)
        axes = made.add_subplot()
        _DRAW[figure.kind](axes, figure)
        _labels(axes, figure, narrow=width < WIDE)
        save(made)


def _height(figure: Figure, width: float) -> float:
    if figure.kind in ("interval", "bars"):
        rows = len({point.at for one in figure.series for point in one.points})
        return 1.0 + 0.38 * rows + (0.4 if figure.kind == "bars" else 0)
    entries = -(-len(figure.series) // (4 if width == WIDE else 2))
    return (4.2 if width == WIDE else 3.4) + 0.25 * entries


def _labels(axes: Axes, figure: Figure, *, narrow: bool) -> None:
    axes.set_xlabel(figure.x, labelpad=8)
    axes.set_ylabel(figure.y)
    axes.tick_params(length=0)
    if figure.zero:
        axes.axvline(0, color=MUTED, linewidth=1, zorder=1)
    if figure.kind in ("curve", "line", "groups", "bars") and len(figure.series) > 1:
        columns = min(len(figure.series), 2 if narrow else 4)
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=columns)
    if figure.kind in ("interval", "bars"):
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.invert_yaxis()


def _curve(axes: Axes, figure: Figure) -> None:
    """Lines with bands, but for the reference; series of one point are markers with bars, side by side."""
    from matplotlib.ticker import MaxNLocator

    logarithmic = max(float(p.at) for one in figure.series for p in one.points) > 8
    lines = [one for one in figure.series if len(one.points) > 1]
    for one in lines:
        at, shade = [float(p.at) for p in one.points], color(one.color)
        style = "--" if one.color is None else "-"
        axes.plot(at, [p.value for p in one.points], color=shade, label=one.name, linestyle=style, zorder=3)
        if one.color is not None and all(p.low is not None for p in one.points):
            low, high = [p.low or 0.0 for p in one.points], [p.high or 0.0 for p in one.points]
            axes.fill_between(at, low, high, color=shade, alpha=0.07, linewidth=0)
    singles = [one for one in figure.series if len(one.points) == 1]
    for place, one in enumerate(singles):
        step = place - (len(singles) - 1) / 2
        middle = float(one.points[0].at)
        at = [middle * 2 ** (0.09 * step) if logarithmic else middle + 0.09 * step]
        axes.errorbar(at, [one.points[0].value], _bars(one.points), fmt=marker(one.color), color=color(one.color),
                      label=one.name, zorder=4, markeredgecolor=PAPER, markersize=9, elinewidth=1.5)  # fmt: skip
    if logarithmic:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(top=min(axes.get_ylim()[1], 101))


def _line(axes: Axes, figure: Figure) -> None:
    """Lines with markers and intervals, each a little beside the others; a reference is dashed, without markers."""
    lines = [one for one in figure.series if one.color is not None]
    every = [float(p.at) for one in figure.series for p in one.points]
    step = 0.006 * (max(every) - min(every))
    for place, one in enumerate(lines):
        at = [float(p.at) + step * (place - (len(lines) - 1) / 2) for p in one.points]
        axes.errorbar(at, [p.value for p in one.points], _bars(one.points), fmt=f"-{marker(one.color)}", zorder=3,
                      color=color(one.color), label=one.name, markeredgecolor=PAPER, elinewidth=1.2)  # fmt: skip
    for one in (one for one in figure.series if one.color is None):
        axes.plot([float(p.at) for p in one.points], [p.value for p in one.points], color=color(None), label=one.name,
                  linestyle="--", linewidth=1.5, zorder=2)  # fmt: skip


def _groups(axes: Axes, figure: Figure) -> None:
    """Whole numbers, the series side by side so that intervals can be seen."""
    wide = 0.6 / max(len(figure.series), 1)
    for place, one in enumerate(figure.series):
        at = [float(p.at) + wide * (place - (len(figure.series) - 1) / 2) for p in one.points]
        axes.errorbar(at, [p.value for p in one.points], _bars(one.points), fmt=marker(one.color), label=one.name,
                      color=color(one.color), elinewidth=1.5, markeredgecolor=PAPER, markersize=8)  # fmt: skip
    ticks = sorted({int(p.at) for one in figure.series for p in one.points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(-4, 104)


def _scatter(axes: Axes, figure: Figure) -> None:
    """Points with their names beside them."""
    for one in figure.series:
        (point,) = one.points
        axes.errorbar([float(point.at)], [point.value], _bars(one.points), fmt=marker(one.color), markersize=10,
                      color=color(one.color), elinewidth=1.5, markeredgecolor=PAPER, label=one.name)  # fmt: skip
    spread = [float(p.at) for one in figure.series for p in one.points]
    if max(spread) > 8 * min(spread):
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.15)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _interval(axes: Axes, figure: Figure) -> None:
    """A row for each point, with its interval."""
    names: list[str] = []
    for one in figure.series:
        for point in one.points:
            axes.errorbar([point.value], [len(names)], xerr=_bars([point]), fmt=marker(one.color), markersize=9,
                          color=color(one.color), elinewidth=2.5, markeredgecolor=PAPER)  # fmt: skip
            names.append(str(point.at))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)


def _stacked(axes: Axes, figure: Figure) -> None:
    """Rows of bars; what is negative goes to the left."""
    rows = list(dict.fromkeys(str(p.at) for one in figure.series for p in one.points))
    ends: dict[tuple[str, bool], float] = {}
    for one in figure.series:
        _bar(axes, one, rows, ends)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):,.6g}")


def _bar(axes: Axes, one: Series, rows: list[str], ends: dict[tuple[str, bool], float]) -> None:
    lefts = []
    for point in one.points:
        side = (str(point.at), point.value < 0)
        lefts.append(ends.get(side, 0.0))
        ends[side] = lefts[-1] + point.value
    places = [rows.index(str(point.at)) for point in one.points]
    axes.barh(places, [p.value for p in one.points], left=lefts, color=color(one.color), label=one.name, height=0.62)


def _bars(points: tuple[Point, ...] | list[Point]) -> list[list[float]]:
    """Lengths of the error bars, below and above."""
    below = [p.value - (p.value if p.low is None else p.low) for p in points]
    above = [(p.value if p.high is None else p.high) - p.value for p in points]
    return [[max(0.0, one) for one in below], [max(0.0, one) for one in above]]


_DRAW: dict[Kind, Callable[[Axes, Figure], None]] = {
    "curve": _curve,
    "line": _line,
    "groups": _groups,
    "scatter": _scatter,
    "interval": _interval,
    "bars": _stacked,
}
