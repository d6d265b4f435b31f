"""Tables 6, 7: how many problems were left, how many rows were made, the counts of a data card below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tts import ConfigError
from tts_trainers.paper.markdown import table
from tts_trainers.paper.published import FILTERS, ROWS

_OF_FILTERS = ("Filter", "Pool")


def table_6(card: Path | None) -> str:
    """How many problems and generations each filter leaves."""
    head = ["OpenMathReasoning, published", "problems", "generations"]
    return _with_card("Table 6: the filters of the problems", head, FILTERS, card, of_filters=True)


def table_7(card: Path | None) -> str:
    """How many rows each step leaves."""
    head = ["published", "problems", "rows"]
    return _with_card("Table 7: from problems to rows", head, ROWS, card, of_filters=False)


def _with_card(
    title: str, head: Sequence[str], published: Sequence[Sequence[str]], card: Path | None, *, of_filters: bool
) -> str:
    printed = table(title, head, published, [] if card else ["--card FOLDER puts the counts of `tts train-data` below"])
    if card is None:
        return printed
    parts = [text for name, text in card_tables(card) if (name in _OF_FILTERS) == of_filters]
    return "\n".join([printed, f"Counted by the card of {card}:", "", "\n\n".join(parts), ""])


def card_tables(folder: Path) -> list[tuple[str, str]]:
    """The tables of counts of a data card, by their titles; raises `ConfigError` where there is none."""
    path = folder / "README.md" if folder.is_dir() else folder
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"--card {str(folder)!r}: there is no README.md; give a folder of tts train-data") from error
    counts = re.search(r"^## Counts\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    found = [] if counts is None else re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", counts[1], re.DOTALL | re.MULTILINE)
    if not found:
        raise ConfigError(f"--card {str(folder)!r}: its README.md has no counts; give a folder of tts train-data")
    return [(name, f"### {name}\n\n{body.strip()}") for name, body in found]
