from __future__ import annotations

from pathlib import Path

import pytest
from report_sets import compared_with

from tts.eval import Comparison
from tts.report import ReportData, report_data


@pytest.fixture(scope="session")
def compared() -> Comparison:
    return compared_with()


@pytest.fixture(scope="session")
def data(compared: Comparison) -> ReportData:
    return report_data(compared, title="Eight <problems> & more")


@pytest.fixture(scope="session")
def page_file(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tts.report.writer import write_data

    return write_data(data, tmp_path_factory.mktemp("report") / "report.html")
