"""What the engine tells the outside while it runs."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

EventKind = Literal[
    "understood", "problem_started", "candidate", "call", "decision", "problem_failed", "log", "loading", "loaded"
]


class Event(NamedTuple):
    """One thing that happened.

    `kind`: a line says how a source was understood, or how its own verdicts agree with the grades; a problem started; a
    candidate arrived (`tokens` generated for it, `stored` when it was not paid for now); a model call of a strategy
    ended (`message` is the role); a strategy decided; a problem failed; a strategy logged something; a model is being
    loaded, is loaded. `seconds` is how long a candidate or a call took from when it was asked for. `details` is
    JSON-able.
    """

    kind: EventKind
    problem: str = ""
    strategy: str = ""
    message: str = ""
    tokens: int = 0
    stored: bool = False
    details: dict[str, Any] | None = None
    seconds: float = 0.0
