from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "backends"))  # tiny models

# One thread, bound to no core: models this small gain nothing from more, and waiting threads spin.
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The engine imports much that warns of its own future, and leaves a socket context to the collector.
UNCLOSED = "ignore:Unclosed context:ResourceWarning"
NOT_OURS = ("ignore::DeprecationWarning", "ignore::FutureWarning", UNCLOSED)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", UNCLOSED)  # it may be collected after the last test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.sglang if "sglang" in item.path.name else pytest.mark.vllm)
            item.add_marker(pytest.mark.filterwarnings(*NOT_OURS))
