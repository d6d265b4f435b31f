from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

# Read by the cluster's processes when they start: a busy machine is not a failing one, and workers import our backend.
for setting in ("raylet_start_wait_time_s", "worker_register_timeout_seconds", "gcs_server_request_timeout_seconds"):
    os.environ.setdefault(f"RAY_{setting}", "400")
os.environ.setdefault("RAY_agent_register_timeout_ms", "400000")
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.ray)
            # Sockets and processes of the cluster live until the interpreter ends.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A cluster on this machine with room for eight actors, or that of `RAY_ADDRESS`; its address."""
    import ray

    own: dict[str, Any] = {
        "address": "local",
        "num_cpus": 8,
        "include_dashboard": False,
        "object_store_memory": 80 * 2**20,
    }
    context: Any = ray.init(log_to_driver=False, **({} if os.environ.get("RAY_ADDRESS") else own))
    yield context.address_info["address"]
    ray.shutdown()


@pytest.fixture(autouse=True)
def adder(cluster: str) -> None:
    """Registers `adder:` and the scorer and judge `shorter:`."""
    from worker_backend import Adder, Shorter

    import tts

    tts.plugins().register("backend", "adder", Adder)
    tts.plugins().register("scorer", "shorter", Shorter)
    tts.plugins().register("judge", "shorter", Shorter)
