from __future__ import annotations

import pytest
from installing import Environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    pytest.importorskip("hatchling")
    return Environment(tmp_path_factory.mktemp("environment"))
