from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import tts

sys.path.insert(0, str(Path(__file__).parent))

import time_limits
from doubles import FakeBackend, FirstJudge, LengthScorer

collect_ignore = ["plugin_package"]  # tests/testing installs it, and runs its tests then
os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is first imported
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker for each core: with more threads they would wait for each other
    os.environ["OMP_NUM_THREADS"] = "1"
# A script that runs the suite in the background has it ignore Ctrl-C, and so would every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("ttscale", deadline=None)  # a busy machine is not a failing test
settings.load_profile("ttscale")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(time_limits, "time_limits")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine can be reached; a hub cannot."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def fake() -> Callable[..., type[FakeBackend]]:
    """Registers a fresh fake backend as `fake:` with the behaviour given, and returns its class."""

    def build(**behaviour: Any) -> type[FakeBackend]:
        values = {k: v if k in {"fingerprint", "capabilities"} else staticmethod(v) for k, v in behaviour.items()}
        cls = type("Fake", (FakeBackend,), values)
        tts.plugins().register("backend", "fake", cls)
        return cls

    return build


@pytest.fixture
def helpers() -> None:
    """Registers the fake scorer `fake:` and the fake judge `fake:`."""
    LengthScorer.batches = []
    FirstJudge.calls = []
    tts.plugins().register("scorer", "fake", LengthScorer)
    tts.plugins().register("judge", "fake", FirstJudge)
