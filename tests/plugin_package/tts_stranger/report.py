"""A section of reports."""

from __future__ import annotations

from tts.report import ReportData, Section, Table


def words(data: ReportData) -> Section:
    """How long the strategies' names are."""
    rows = [[one.label, str(len(one.label))] for one in data.strategies]
    return Section("words", "Words of a stranger", tables=(Table("Names", ["strategy", "letters"], rows),))
