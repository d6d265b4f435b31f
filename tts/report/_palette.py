"""Colours that stay apart under the common colour blindnesses, on paper as on a dark screen.

The page replaces each light colour by its CSS variable, so every one is used for one thing only. Lightness differs
between neighbours, and every strategy has a marker of its own, so that nothing is told by hue alone.
"""

from __future__ import annotations

from tts.report.section import Color

LIGHT = ("#0067a9", "#c44f00", "#00805d", "#a84d86", "#8b6a01", "#4a3fb0", "#2a8fc5", "#a3123f")
DARK = ("#5cb3f0", "#ff9152", "#3fcf9f", "#e59ac8", "#dcb53f", "#a79bff", "#9ad7ff", "#ff7b98")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "*")
MEANINGS = {
    "good": ("#00795a", "#3bc79b"),
    "bad": ("#c24c02", "#ff8d4f"),
    "shade-1": ("#08477d", "#2f7fc4"),
    "shade-2": ("#3d8cc9", "#79bdf0"),
    "shade-3": ("#7d6b9e", "#a795cf"),
    "shade-4": ("#c3b8d6", "#5d5275"),
}
INK, MUTED, GRID, PAPER = "#1b1f24", "#5c6672", "#dde2e8", "#fefefe"
_ROLES = {
    "ink": (INK, "#e8eaed"),
    "muted": (MUTED, "#a3acb8"),
    "grid": (GRID, "#343b45"),
    "paper": (PAPER, "#16191e"),
}


def color(given: Color) -> str:
    """The colour of a series on paper."""
    if given is None:
        return MUTED
    return MEANINGS[given][0] if isinstance(given, str) else LIGHT[given % len(LIGHT)]


def marker(given: Color) -> str:
    """The marker of a series; colours come back after eight, the pair of both after 72."""
    return MARKERS[given % len(MARKERS)] if isinstance(given, int) else "d"


def variables() -> dict[str, tuple[str, str]]:
    """Every CSS variable with its light and its dark colour."""
    series = {f"series-{i}": pair for i, pair in enumerate(zip(LIGHT, DARK, strict=True))}
    return {f"--{name}": pair for name, pair in (_ROLES | series | MEANINGS).items()}
