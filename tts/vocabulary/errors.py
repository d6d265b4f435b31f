"""Every error the library raises on purpose, grouped by what the reader can do about it.

TTSError
├── ConfigError              change the call: raised before any token is spent
│   ├── UnknownPluginError     no such name; lists the known ones and the nearest
│   ├── DuplicateNameError     two distributions offer one name
│   ├── MissingRoleError       the strategy needs a model that was not given
│   └── MissingCapabilityError the model given cannot do what the strategy needs
├── MissingDependencyError   install the extra that the message names (also an ImportError)
├── BackendError             the model or its server failed; `.retryable` says whether again may help
│   ├── BackendTimeout
│   ├── BackendUnavailable
│   └── ContextLengthError     the prompt does not fit; names both numbers
├── StrategyError            a strategy plugin misbehaved; names strategy and problem, `__cause__` has the rest
├── NoCandidatesError        nothing to aggregate: every candidate failed
│   └── DeadlineError          nothing was there at the deadline; give more time
├── BudgetExceededError      the budget of the run is spent: tokens or money
├── IncompleteError          more problems failed than are tolerated; all the others are there
├── StoreError               the store cannot be used
└── TaskError                a problem, task or candidate file cannot be read
PluginWarning                a plugin was left out, and why
MismatchWarning              a checkpoint is used otherwise than it was trained
OriginWarning                stored samples that a run uses came from another server
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

FOREIGN = (Exception, SystemExit)
"""What code that is not ours may raise: `sys.exit` in a plugin ends its work, not the program's."""


class TTSError(Exception):
    """The root of every error that the library raises on purpose."""


class ConfigError(TTSError):
    """The call is wrong; nothing was spent."""


class UnknownPluginError(ConfigError):
    """No plugin of this kind has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(f"no {kind} is called {name!r}{did_you_mean(name, known)}")
        self.kind: str = kind
        self.name: str = name
        self._known = known

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.name, self._known)  # errors come from other processes, too


class DuplicateNameError(ConfigError):
    """Two distributions offer one name."""


class MissingRoleError(ConfigError):
    """A strategy needs a scorer, judge, synthesizer or policy that the call does not name."""


class MissingCapabilityError(ConfigError):
    """A model cannot do what the strategy or the sampling asks of it."""


class MissingDependencyError(TTSError, ImportError):
    """An optional dependency is not installed; the message has the pip command."""


class BackendError(TTSError):
    """A model or its server failed.

    `retryable` says whether the same request may succeed later.
    """

    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class BackendTimeout(BackendError):  # noqa: N818 - the house tree names it so
    """The model did not answer in time."""

    retryable: bool = True


class BackendUnavailable(BackendError):  # noqa: N818 - the house tree names it so
    """The model cannot be reached or loaded."""

    retryable: bool = True


class ContextLengthError(BackendError):
    """A prompt is longer than the model's context; raised before generation."""

    def __init__(self, prompt_tokens: int, context_length: int, model: str) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens:,} tokens and {model!r} takes {context_length:,} (prompt and response "
            "together); shorten the problem, show fewer or shorter candidates, or use a model with a longer context"
        )
        self.prompt_tokens: int = prompt_tokens
        self.context_length: int = context_length
        self._model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.prompt_tokens, self.context_length, self._model)


class StrategyError(TTSError):
    """A strategy plugin raised, hung or returned something that is not a decision."""


class NoCandidatesError(TTSError):
    """There is nothing to aggregate."""


class DeadlineError(NoCandidatesError):
    """The time of a problem was over before any candidate was there."""


class BudgetExceededError(TTSError):
    """The budget of the run, or of a problem, is spent: tokens or money."""


class IncompleteError(TTSError):
    """Something of more problems is missing than is tolerated; what is there was told and written."""


class StoreError(TTSError):
    """The store cannot be opened, read or written."""


class OutputError(TTSError, OSError):
    """A file or stream of results cannot be written: the disk is full or has failed."""


class TaskError(TTSError):
    """A problem, task or candidate file cannot be read."""


class PluginWarning(UserWarning):
    """A plugin was left out; the message names its distribution and the reason."""


class MismatchWarning(UserWarning):
    """A model is prompted otherwise than it was trained; the message has both ways and what to do."""


class OriginWarning(UserWarning):
    """Stored samples that a run uses came from another server than it asks; the message says how many, from where."""


for _public in [one for one in vars().values() if isinstance(one, type) and issubclass(one, TTSError | UserWarning)]:
    _public.__module__ = "tts"  # as users write it: `tts.ConfigError`, in tracebacks, too


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of an unknown-name message: the nearest known names, then all of them."""
    names = sorted(known)
    begun = [one for one in names if len(name) > 1 and one.startswith(name)]  # `temp`
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6) or begun[:2]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
    return f"{hint} known: {', '.join(names) or 'none'}"
