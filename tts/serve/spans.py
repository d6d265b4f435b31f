"""A request with its stages as OpenTelemetry spans, for whoever has set up an exporter."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from tts._version import __version__
from tts.serve.meters import STAGES
from tts.vocabulary.events import Event

# What a request notes of itself, as OpenTelemetry's conventions call it.
_ATTRIBUTES = {
    "model": "gen_ai.request.model",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "strategy": "tts.strategy",
    "candidates": "tts.candidates",
    "cancelled": "tts.cancelled",
    "error": "error.message",
}


class Spans:
    """One span per request, in the trace that its client began, with a span below it for each candidate and each call
    of a strategy.

    Nothing is kept of requests that nobody records.
    """

    def __init__(self, tracing: Any, propagate: Any) -> None:
        self._tracing, self._propagate = tracing, propagate
        self._tracer = tracing.get_tracer("ttscale", __version__)
        self._open: dict[str, Any] = {}

    @classmethod
    def where_installed(cls) -> Self | None:
        """They, or nothing where OpenTelemetry's interface is not installed."""
        try:
            from opentelemetry import propagate, trace
        except ModuleNotFoundError:
            return None
        return cls(trace, propagate)

    def begin(self, request_id: str, method: str, path: str, headers: Mapping[str, str]) -> None:
        """A request has come."""
        span = self._tracer.start_span(
            f"{method} {path}",
            context=self._propagate.extract({name.lower(): value for name, value in headers.items()}),
            kind=self._tracing.SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": path, "tts.request_id": request_id},
        )
        if span.is_recording():
            self._open[request_id] = span

    def heard(self, event: Event) -> None:
        """Something happened in an engine: what has just ended becomes a span that began so long ago."""
        span = self._open.get(event.problem)
        if span is None or event.kind not in ("candidate", "call"):
            return
        now = time.time_ns()
        stage = self._tracer.start_span(
            "candidate" if event.kind == "candidate" else STAGES.get(event.message, event.message),
            context=self._tracing.set_span_in_context(span),
            start_time=now - int(event.seconds * 1e9),
            attributes={"tts.tokens": event.tokens, "tts.stored": event.stored, "tts.strategy": event.strategy},
        )
        stage.end(now)

    def end(self, request_id: str, status: int, noted: Mapping[str, Any]) -> None:
        """A request is over; status 499 is a client that went away."""
        span = self._open.pop(request_id, None)
        if span is None:
            return
        span.set_attribute("http.response.status_code", status)
        for name, attribute in _ATTRIBUTES.items():
            if name in noted:
                span.set_attribute(attribute, noted[name])
        if status >= 500:
            span.set_status(self._tracing.StatusCode.ERROR)
        span.end()
