"""What a gateway has done so far, in numbers that Prometheus collects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from tts._version import __version__
from tts.vocabulary.events import Event
from tts.vocabulary.records import Result, Usage

# The stage that a model call of a strategy is, by the role of the model.
STAGES = {"policy": "refinement", "synthesizer": "synthesis", "judge": "verdict", "scorer": "score"}
# Seconds: from a small model's vote to a large one's refinement of long texts.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)


class State(NamedTuple):
    """What is read of the gateway when somebody collects."""

    inside: Callable[[], float]
    waiting: Callable[[], float]
    ready: Callable[[], float]
    paid: Callable[[], Mapping[str, Usage]]


class Meters:
    """The counters of one gateway, in a registry of its own: several of one process do not mix.

    `content_type` is that of what `text` returns.
    """

    def __init__(self, prometheus: Any, state: State) -> None:
        self._client = prometheus
        self._registry = prometheus.CollectorRegistry()
        self.content_type: str = prometheus.CONTENT_TYPE_LATEST
        counter, seconds = self._counter, self._histogram
        self._requests = counter(
            "requests", "Requests, by path and status; 499 is a client that went away", "path status"
        )
        self._request = seconds("request", "From a request's arrival to its end", "path")
        self._stage = seconds(
            "stage", "Stages of an answer: queue, candidate, each call of a strategy, decision", "stage"
        )
        self._answers = counter("answers", "Decisions, by strategy", "strategy")
        self._candidates = counter(
            "candidates", "Candidates that decisions were made of, by what became of them", "outcome"
        )
        self._stored = counter("candidates_stored", "Candidates that were taken from the store", "")
        self._early = counter("decided_early", "Decisions that needed no more candidates, by strategy", "strategy")
        self._unawaited = counter("candidates_not_waited_for", "Candidates that a limit of time cut off", "")
        self._deadlines = counter("deadline_hits", "Deadlines: a vote stood in, or nothing was there", "outcome")
        for name, what, read in (
            ("requests_inside", "Requests that are being answered", state.inside),
            ("requests_waiting", "Requests that wait for their turn", state.waiting),
            ("ready", "Whether the models are loaded", state.ready),
            ("tasks", "Tasks of the event loop", lambda: len(asyncio.all_tasks())),
        ):
            prometheus.Gauge(f"tts_{name}", what, registry=self._registry).set_function(read)
        prometheus.Info("tts_build", "The version", registry=self._registry).info({"version": __version__})
        self._registry.register(_Paid(prometheus, state.paid))
        prometheus.ProcessCollector(registry=self._registry)

    @classmethod
    def where_installed(cls, state: State) -> Self | None:
        """They, or nothing where Prometheus's client is not installed."""
        try:
            import prometheus_client
        except ModuleNotFoundError:
            return None
        return cls(prometheus_client, state)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return self._client.generate_latest(self._registry)  # type: ignore[no-any-return]  # it may not be installed

    def _counter(self, name: str, what: str, labels: str) -> Any:
        return self._client.Counter(f"tts_{name}", what, labels.split(), registry=self._registry)

    def _histogram(self, name: str, what: str, labels: str) -> Any:
        return self._client.Histogram(
            f"tts_{name}_seconds", what, labels.split(), buckets=_BUCKETS, registry=self._registry
        )

    # --- what happens ----------------------------------------------------------------------------------------------

    def requested(self, path: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._requests.labels(path, str(status)).inc()
        self._request.labels(path).observe(seconds)

    def waited(self, seconds: float) -> None:
        """A request has its turn."""
        self._stage.labels("queue").observe(seconds)

    def heard(self, event: Event) -> None:
        """Something happened in an engine."""
        if event.kind == "candidate" and event.stored:
            self._stored.inc()
        elif event.kind == "candidate":
            self._stage.labels("candidate").observe(event.seconds)
        elif event.kind == "call":
            self._stage.labels(STAGES.get(event.message, "other")).observe(event.seconds)

    def decided(self, result: Result) -> None:
        """A strategy has decided."""
        strategy, unawaited = result.provenance.strategy, sum(result.provenance.stopped.values())
        self._answers.labels(strategy).inc()
        self._stage.labels("decision").observe(result.seconds)
        for candidate in result.candidates:
            lost = "refused" if candidate.finish_reason == "refused" else "failed"
            self._candidates.labels("usable" if candidate.ok else lost).inc()
        if unawaited:
            self._unawaited.inc(unawaited)
        elif len(result.candidates) < result.provenance.k:
            self._early.labels(strategy).inc()
        if result.decision is not None and "instead" in result.decision.trace:
            self._deadlines.labels("vote").inc()

    def too_late(self) -> None:
        """Nothing was there at a deadline."""
        self._deadlines.labels("nothing").inc()


class _Paid:
    """Calls and tokens as the engines have paid for them, read when somebody collects: attempts that came to nothing,
    and what was cancelled, are in it; what the store had is not.
    """

    def __init__(self, prometheus: Any, paid: Callable[[], Mapping[str, Usage]]) -> None:
        self._family, self._paid = prometheus.metrics_core.CounterMetricFamily, paid

    def collect(self) -> Iterator[Any]:
        """As Prometheus's client asks for it."""
        tokens = self._family("tts_tokens", "Tokens paid for", labels=["role", "kind"])
        calls = self._family("tts_calls", "Completions, scores and verdicts paid for", labels=["role"])
        cancelled = self._family("tts_cancelled", "Completions that were cut short", labels=["role"])
        for role, usage in self._paid().items():
            tokens.add_metric([role, "prompt"], usage.prompt_tokens)
            tokens.add_metric([role, "completion"], usage.generated_tokens)
            calls.add_metric([role], usage.calls)
            cancelled.add_metric([role], usage.cancelled)
        yield from (tokens, calls, cancelled)
