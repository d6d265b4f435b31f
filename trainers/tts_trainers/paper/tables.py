"""Every table, or figure, by its name, for runs of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tts_trainers.paper import before_after, lengths, methods, strata
from tts_trainers.paper.runs import Own

TABLES: dict[str, Callable[[Sequence[Own]], str]] = {
    "table1": methods.table_1,
    "table2": before_after.table_2,
    "table3": before_after.table_3,
    "table4": lengths.table_4,
    "table5": strata.table_5,
    "figure2": before_after.figure_2,
    "figure5": strata.table_5,
    "figure6": before_after.figure_6,
    "figure7": before_after.figure_7,
    "figure8": lengths.figure_8,
}
"""What measured runs are put into; Tables 6 and 7 are counts (`counts`)."""
