"""What the SGLang tests run: a converted copy of the miniature, options for a small CPU, and a server of its own."""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "engines"))

from sglang_checkpoint import convert, shipped

SMALL = {"max_total_tokens": "20000", "max_running_requests": "8", "mem_fraction_static": "0.1"}
# As a user would write it; docs/engines.md shows the same.
COMMAND = shlex.split(
    "-m sglang.launch_server --device cpu --attention-backend torch_native --sampling-backend pytorch --dtype float32 "
    "--disable-cuda-graph --disable-overlap-schedule --grammar-backend none --log-level error "
    "--max-total-tokens 20000 --max-running-requests 8 --mem-fraction-static 0.1"
)


@functools.cache
def model() -> str:
    """The miniature as transformers 4 reads it."""
    return str(convert(shipped(), Path(tempfile.mkdtemp(prefix="tts-sglang-")) / "miniature"))


class Server:
    """`sglang.launch_server` with a model."""

    def __init__(self, folder: str, *further: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process = subprocess.Popen(
            [
                sys.executable,
                *COMMAND,
                "--model-path",
                folder,
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                *further,
            ],
            env=os.environ | {"SGLANG_USE_CPU_ENGINE": "1", "RETURN_ORIGINAL_LOGPROB": "1"},
            start_new_session=True,
        )
        self._wait()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + 400
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError("the server has ended; its messages are above")
            try:
                with urllib.request.urlopen(f"{self.base}/health_generate", timeout=20):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        self.stop()
        raise RuntimeError("the server was not ready in time")


def load(base: str, key: str = "") -> int:
    """How many requests the scheduler has, by its own account."""
    request = urllib.request.Request(f"{base}/get_load", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=20) as response:
        found: list[dict[str, Any]] = json.load(response)
    return sum(int(one["num_reqs"]) for one in found)  # those that wait are among them
