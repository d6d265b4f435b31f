"""What a request is answered with where it cannot be, in OpenAI's form."""

from __future__ import annotations

from typing import Any, NamedTuple

from tts.vocabulary.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    BudgetExceededError,
    ConfigError,
    ContextLengthError,
    DeadlineError,
    NoCandidatesError,
    StoreError,
    StrategyError,
    TaskError,
    TTSError,
)

INVALID = "invalid_request_error"


class Failure(Exception):  # noqa: N818 - it is no error of ours: it is what is answered
    """A status with its sentence; `retry_after` is in seconds."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status: int = status
        self.message: str = message
        self.kind: str = kind
        self.code: str | None = code
        self.param: str | None = param
        self.retry_after: int | None = retry_after

    def body(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        told = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": told}


class _Kind(NamedTuple):
    status: int
    kind: str
    code: str | None


# The first that fits; what is not here is nobody's to read.
_KINDS: tuple[tuple[type[Exception], _Kind], ...] = (
    (ContextLengthError, _Kind(400, INVALID, "context_length_exceeded")),
    (ConfigError, _Kind(400, INVALID, None)),
    (TaskError, _Kind(400, INVALID, None)),
    (BudgetExceededError, _Kind(400, INVALID, "budget_exceeded")),
    (DeadlineError, _Kind(504, "timeout_error", "deadline_exceeded")),
    (BackendTimeout, _Kind(504, "timeout_error", "policy_timeout")),
    (BackendUnavailable, _Kind(503, "service_unavailable_error", "policy_unavailable")),
    (BackendError, _Kind(502, "server_error", "policy_failed")),
    (NoCandidatesError, _Kind(502, "server_error", "no_candidates")),
    (StrategyError, _Kind(500, "server_error", "strategy_failed")),
    (StoreError, _Kind(503, "server_error", "store_failed")),
    (TTSError, _Kind(500, "server_error", None)),
)


def failure_of(error: BaseException) -> Failure:
    """The answer to a request that ended with an error; one that is not ours tells nothing of itself."""
    if isinstance(error, Failure):
        return error
    for cls, (status, kind, code) in _KINDS:
        if isinstance(error, cls):
            return Failure(status, " ".join(str(error).split()), kind=kind, code=code)
    return Failure(500, "the gateway failed; its log has more", kind="server_error", code="internal_error")
