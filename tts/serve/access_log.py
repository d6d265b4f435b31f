"""The access log: one JSON object a request, without what was asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tts.output.text import json_line


class AccessLog:
    """Writes a line per request; what a request notes of itself stands in it."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, request: web.Request, request_id: str, status: int, seconds: float, noted: dict[str, Any]) -> None:
        """One request is over; status 499 is a client that went away."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": request_id,
            "client": request.remote,
            "method": request.method,
            "path": request.path,
            "status": status,
            "seconds": round(seconds, 6),
            **noted,
        }
        self._write(json_line(line))
