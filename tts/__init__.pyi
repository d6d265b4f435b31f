# Read by `tts.door` too.
from tts import answers as answers
from tts import eval as eval  # noqa: A004 - the name of the room
from tts import interop as interop
from tts import prompts as prompts
from tts import report as report
from tts import tasks as tasks
from tts import testing as testing
from tts._version import __version__
from tts.api.join import join_candidates
from tts.api.samples import Samples
from tts.api.settings import ComparisonSettings, Settings
from tts.api.verbs import compare, run, sample, solve
from tts.bridge.loop import run_sync
from tts.contracts.grader import Grader, grader
from tts.contracts.models import Backend, Capabilities, Judge, JudgeFormat, NoOptions, Request, Scorer
from tts.contracts.strategy import Card, Context, Needs, Strategy, strategy
from tts.contracts.task import Task, task
from tts.engine.engine import Engine
from tts.engine.reference import find_model
from tts.registry.code import code_of
from tts.registry.host import plugins
from tts.sources.reading import ReadRow, read_candidate_sets, read_examples, read_rows
from tts.store.store import Store
from tts.vocabulary.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    BudgetExceededError,
    ConfigError,
    ContextLengthError,
    DeadlineError,
    DuplicateNameError,
    IncompleteError,
    MismatchWarning,
    MissingCapabilityError,
    MissingDependencyError,
    MissingRoleError,
    NoCandidatesError,
    OriginWarning,
    OutputError,
    PluginWarning,
    StoreError,
    StrategyError,
    TaskError,
    TTSError,
    UnknownPluginError,
)
from tts.vocabulary.events import Event
from tts.vocabulary.hooks import Entry, hookimpl
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.records import (
    Candidate,
    CandidateSet,
    Completion,
    Decision,
    Example,
    Message,
    Problem,
    Result,
    Sampled,
    Sampling,
    Score,
    Usage,
    Verdict,
)
from tts.vocabulary.thinking import split_thinking
from tts.vocabulary.time_limits import TimeLimits
from tts.vocabulary.tool_calls import ToolCall, split_tool_calls, with_tool_calls

__all__ = [
    "Backend",
    "BackendError",
    "BackendTimeout",
    "BackendUnavailable",
    "BudgetExceededError",
    "Candidate",
    "CandidateSet",
    "Capabilities",
    "Card",
    "ComparisonSettings",
    "Completion",
    "ConfigError",
    "Context",
    "ContextLengthError",
    "DeadlineError",
    "Decision",
    "DuplicateNameError",
    "Engine",
    "Entry",
    "Event",
    "Example",
    "Grader",
    "IncompleteError",
    "Judge",
    "JudgeFormat",
    "Message",
    "MismatchWarning",
    "MissingCapabilityError",
    "MissingDependencyError",
    "MissingRoleError",
    "Needs",
    "NoCandidatesError",
    "NoOptions",
    "OriginWarning",
    "Outcome",
    "OutputError",
    "PluginWarning",
    "Problem",
    "ReadRow",
    "Request",
    "Result",
    "Sampled",
    "Samples",
    "Sampling",
    "Score",
    "Scorer",
    "Settings",
    "Store",
    "StoreError",
    "Strategy",
    "StrategyError",
    "TTSError",
    "Task",
    "TaskError",
    "TimeLimits",
    "ToolCall",
    "UnknownPluginError",
    "Usage",
    "Verdict",
    "__version__",
    "code_of",
    "compare",
    "find_model",
    "grader",
    "hookimpl",
    "join_candidates",
    "plugins",
    "read_candidate_sets",
    "read_examples",
    "read_rows",
    "run",
    "run_sync",
    "sample",
    "solve",
    "split_thinking",
    "split_tool_calls",
    "strategy",
    "task",
    "with_tool_calls",
]
