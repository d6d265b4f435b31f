from tts.metrics.tables import Table
from tts.report.data import ReportData, StrategyData, report_data
from tts.report.section import Figure, Point, Section, Series
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
