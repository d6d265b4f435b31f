"""ttscale: sample k candidate responses once, then turn them into one answer with any strategy."""

from __future__ import annotations

from tts._contracts import (
    Backend,
    Capabilities,
    Context,
    Grader,
    Judge,
    Needs,
    NoOptions,
    Request,
    Scorer,
    Strategy,
    Task,
)
from tts._errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    BudgetExceededError,
    ConfigError,
    ContextLengthError,
    DuplicateNameError,
    MissingCapabilityError,
    MissingDependencyError,
    MissingRoleError,
    NoCandidatesError,
    PluginWarning,
    StoreError,
    StrategyError,
    TaskError,
    TTSError,
    UnknownPluginError,
)
from tts._hooks import Entry, hookimpl
from tts._plugins import extractor, plugins, strategy, task
from tts._records import (
    Candidate,
    CandidateSet,
    Completion,
    Decision,
    Example,
    Message,
    Problem,
    Result,
    Sampling,
    Score,
    Usage,
    Verdict,
)
