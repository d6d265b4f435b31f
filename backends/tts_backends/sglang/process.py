"""An SGLang engine of our own, from its start to the end of everything it has started."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import wait
from typing import Any, NoReturn

from tts import BackendUnavailable, ConfigError, MissingDependencyError


class EngineProcess:
    """One engine behind a port of this machine, open to who has the key."""

    def __init__(self, name: str, place: str, options: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        """Start it and wait until it is at work; `place` is the model's, the options are SGLang's own.

        Raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`.
        """
        self._name, self.key, port = name, secrets.token_urlsafe(24), _free_port()
        self.address = f"http://127.0.0.1:{port}/v1"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tts_backends.sglang.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us; and the group can be ended as a whole
            # Log-probabilities are the model's own, before temperature.
            env={"RETURN_ORIGINAL_LOGPROB": "1", **os.environ},
        )
        order: dict[str, Any] = {"place": place, "port": port, "key": self.key, "options": options}
        order |= {"defaults": defaults, "parent": os.getpid()}  # a host that starts slowly may be an orphan already
        try:
            said = self._ask(json.dumps(order))
        except BaseException:
            self.stop()
            raise
        if "ready" not in said:
            self._refuse(said)

    def has_ended(self) -> bool:
        """Whether it is gone, or goes within a second: its connections break before it does."""
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End it at once, with all its processes."""
        with contextlib.suppress(ProcessLookupError):  # the group may be gone already
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _ask(self, order: str) -> dict[str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(order, file=self._process.stdin, flush=True)
        # It says one line, or ends without; where others hold its pipe, the pipe does not end with it.
        while not self._readable(1.0) and self._process.poll() is None:
            pass
        line = self._process.stdout.readline() if self._readable(0.0) else ""
        found: dict[str, str] = json.loads(line) if line else {}
        return found

    def _readable(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        return bool(wait([self._process.stdout.fileno()], seconds))

    def _refuse(self, said: dict[str, str]) -> NoReturn:
        self.stop()
        if "refused" in said:
            raise ConfigError(f"{self._name}: {said['refused']}")
        if "missing" in said:
            raise MissingDependencyError(
                f"the sglang backend needs SGLang and {said['missing']!r} is not installed; pip install "
                "'ttscale[sglang]', best in an environment of its own, or give a running server with @base_url="
            )
        reason = said.get("failed", "the engine's process ended while it started")
        raise BackendUnavailable(
            f"sglang cannot start {self._name!r}: {reason}; its messages above say more", retryable=False
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
