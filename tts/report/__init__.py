"""Reports: one self-contained page, tables in Markdown or LaTeX, data files, figures for papers.

`ReportData` is all that is shown, as plain data; a section is a function from it to a `Section` of words, tables and
figures, found by the hook `tts_reports`, and every output is made of the sections. Nothing here computes a statistic.
"""

from __future__ import annotations

from tts.metrics.tables import Table
from tts.report._data import ReportData, StrategyData, report_data
from tts.report._section import Figure, Point, Section, Series
from tts.report.writer import write_report

__all__ = [
    "Figure",
    "Point",
    "ReportData",
    "Section",
    "Series",
    "StrategyData",
    "Table",
    "report_data",
    "write_report",
]
