"""Whether models understand what they are asked beyond text: forms of answers, tools, turns with more in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tts.contracts.strategy import Strategy
from tts.engine.models import Loaded
from tts.vocabulary.errors import ConfigError, MissingCapabilityError
from tts.vocabulary.records import Problem, Role, Sampling

_WRITERS: tuple[Role, ...] = ("policy", "synthesizer")


def check_sampling(roles: Mapping[Role, Loaded], sampling: Sampling, strategies: Sequence[Strategy]) -> None:
    """Raise `ConfigError` where the models cannot sample so, or where a strategy would write what a tool is to do."""
    if sampling.response_format is not None:
        _check(roles, strategies, "response_format", does="keep to a response_format")
    if sampling.tools is None:
        return
    _check(roles, [], "tools", does="call tools")
    for strategy in strategies:
        if strategy.may_write():
            raise ConfigError(
                f"tools: strategy {strategy.name!r} writes its answer, and calls of tools are chosen, not written; "
                "take one that chooses, such as 'majority', which votes on them by name and arguments"
            )


def for_text(sampling: Sampling, *, formatted: bool) -> Sampling:
    """The same for what a strategy has written: without tools, in the format of answers only if it is one."""
    update: dict[str, Any] = {} if formatted else {"response_format": None}
    if sampling.tools is not None:
        update |= {"tools": None, "tool_choice": None, "parallel_tool_calls": None}
    return (
        sampling.model_copy(update=update) if any(getattr(sampling, name) is not None for name in update) else sampling
    )


def refusal(
    roles: Mapping[Role, Loaded], strategies: Sequence[Strategy], problem: Problem, *, sampled: bool
) -> ConfigError | None:
    """Why the models cannot be asked this problem, if they cannot; `sampled` says that the policy is to sample it."""
    if all(turn.raw is None for turn in problem.messages or ()):
        return None
    try:
        _check(
            roles,
            strategies,
            "raw",
            sampled=sampled,
            does="take turns with more than text in them, such as tool calls or images",
        )
    except MissingCapabilityError as error:
        return error
    return None


def _check(
    roles: Mapping[Role, Loaded], strategies: Sequence[Strategy], capability: str, *, does: str, sampled: bool = True
) -> None:
    """Raise `MissingCapabilityError` where a model that is to write has it not."""
    for role in _WRITERS:
        needed = (sampled and role == "policy") or any(getattr(one.required(), role) for one in strategies)
        if needed and role in roles and not getattr(roles[role].model.capabilities, capability):
            raise MissingCapabilityError(
                f"{roles[role].reference!r} does not {does} (Capabilities.{capability}); leave that out, or take "
                "another model, such as one behind openai:"
            )
