"""Starts and steers `openai_server.py`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waiting import line

SCRIPT = Path(__file__).with_name("openai_server.py")


class ServerProcess:
    """One server in a process of its own; `stop` and `start` it on the same port."""

    script = SCRIPT

    def __init__(self, *arguments: str, start: bool = True) -> None:
        self._arguments = arguments
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        if start:
            self.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it unless it runs; the second time on the port of the first."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, str(self.script), "--port", str(self.port), *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(line(self._process))

    def freeze(self) -> None:
        """As a machine that stands still: connections stay, nothing comes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=60)
            self._process = None

    def behave(self, **behaviour: Any) -> None:
        """Set what it does otherwise than it should, and forget what it was asked."""
        self._call("/control", behaviour)

    def stats(self) -> Any:
        return self._call("/stats")

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


class BatchServerProcess(ServerProcess):
    """One of `openai_batch_server.py`."""

    script = SCRIPT.with_name("openai_batch_server.py")

    def fail(self, **faults: Any) -> None:
        """Set what it makes of files and batches otherwise than it should."""
        self._call("/faults", faults)

    def ran(self) -> Any:
        return self._call("/ran")


@contextmanager
def running(*arguments: str) -> Iterator[ServerProcess]:
    server = ServerProcess(*arguments)
    try:
        yield server
    finally:
        server.stop()
