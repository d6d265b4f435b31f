"""A request for chat completions, read as OpenAI documents it."""

from __future__ import annotations

import json
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts.serve.failure import Failure
from tts.serve.turns import Format, Tool, ToolChoice, Turn
from tts.vocabulary.errors import did_you_mean
from tts.vocabulary.records import Message, Sampling

T = TypeVar("T", bound=BaseModel)
# What changes no answer here, whatever its value.
_WITHOUT_EFFECT = frozenset({"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"})
# What is understood and cannot be done, with the values that ask for nothing.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "logprobs": ((None, False), "the answer of a strategy has no log-probabilities of its own; leave it out"),
    "top_logprobs": ((None, 0), "the answer of a strategy has no log-probabilities of its own; leave it out"),
    "frequency_penalty": ((None, 0), "samplings here have no penalties; leave it out"),
    "presence_penalty": ((None, 0), "samplings here have no penalties; leave it out"),
    "logit_bias": ((None, {}), "samplings here have no bias of tokens; leave it out"),
    "functions": ((None, []), "they have become tools; give tools instead"),
    "function_call": ((None, "none", "auto"), "it has become tool_choice; give that instead"),
    "modalities": ((None, ["text"]), "only text is answered; leave it out"),
    "audio": ((None,), "only text is answered; leave it out"),
    "prediction": ((None,), "nothing is predicted here; leave it out"),
}


class _StreamOptions(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    include_usage: bool = False


class Own(BaseModel):
    """What a request asks of the gateway itself, in `extra_body={"tts": ...}`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    k: int | None = Field(default=None, ge=1)
    """Candidates."""

    strategy: str | None = None
    """Another strategy, with parameters as in `gsr@outputs=2`."""

    deadline: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds from arrival to answer."""

    budget: int | None = Field(default=None, ge=1)
    """The most tokens that may be paid for."""

    progress: bool = False
    """Whether a stream tells of candidates before the answer, as reasoning."""


class _Body(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    model: str
    messages: list[Turn] = Field(min_length=1)
    n: int = Field(default=1, ge=1)
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    response_format: Format | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool = False
    stream_options: _StreamOptions | None = None
    tts: Own = Own()


class Asked(NamedTuple):
    """What is asked; `own` is beside OpenAI's interface."""

    model: str
    messages: tuple[Message, ...]
    n: int
    drawn: dict[str, Any]  # fields of the sampling that the request sets
    seed: int | None
    stream: bool
    include_usage: bool
    own: Own

    @property
    def tools(self) -> bool:
        """Whether the answer may be calls of tools."""
        return "tools" in self.drawn

    def sampling(self, base: Sampling, seed: int) -> Sampling:
        """The sampling of a served model as this request wants it."""
        return base.model_copy(update={**self.drawn, "seed": seed})


def read_json(raw: bytes) -> dict[str, Any]:
    """The object in a body; raises `Failure` (400)."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Failure(400, f"the body is not JSON: {' '.join(str(error).split())}") from error
    if b"\\ud" in raw.lower() and not _is_text(body):
        raise Failure(400, "the body is not text: it has half of a surrogate pair (\\ud800 to \\udfff); leave it out")
    if not isinstance(body, dict):
        raise Failure(400, f"the body is a JSON {type(body).__name__}; it must be an object with model and messages")
    return body


def _is_text(body: Any) -> bool:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_chat(body: dict[str, Any], longest: int) -> Asked:
    """A request of `/v1/chat/completions`; raises `Failure` (400) that names the parameter.

    `longest` is how many characters the messages may have together.
    """
    taken = _understood(body, set(_Body.model_fields))
    given = validated(_Body, taken)
    messages = tuple(turn.message() for turn in given.messages)
    _check(messages, longest)
    stop = [given.stop] if isinstance(given.stop, str) else given.stop or []
    tokens = given.max_completion_tokens if given.max_completion_tokens is not None else given.max_tokens
    drawn = {"temperature": given.temperature, "top_p": given.top_p, "max_tokens": tokens, "stop": tuple(stop) or None}
    drawn |= _formed(given, body)
    return Asked(
        given.model,
        messages,
        given.n,
        {name: value for name, value in drawn.items() if value is not None},
        given.seed,
        given.stream,
        bool(given.stream_options and given.stream_options.include_usage),
        given.tts,
    )


def _understood(body: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The parameters that count; raises `Failure` for one that is refused, or that nobody knows."""
    for name, value in body.items():
        if name in _REFUSED:
            harmless, why = _REFUSED[name]
            if value not in harmless:
                raise Failure(400, f"{name}: {why}", code="unsupported_parameter", param=name)
        elif name not in known and name not in _WITHOUT_EFFECT:
            hint = did_you_mean(name, known)
            raise Failure(400, f"unknown parameter {name!r}{hint}", code="unknown_parameter", param=name)
    return {name: value for name, value in body.items() if name in known and value is not None}


def validated(cls: type[T], values: dict[str, Any]) -> T:
    """The values as a record; raises `Failure` with the first that is wrong."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if not _is_type(part))
        given = "" if first["type"] == "missing" else f"={_short(first.get('input'))}"
        raise Failure(400, f"{where}{given}: {first['msg']}", code="invalid_value", param=where) from error


def _is_type(part: int | str) -> bool:
    """Whether a part of a place names one of several types, and no field."""
    return isinstance(part, str) and (part in ("str", "_Named") or "[" in part)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _formed(given: _Body, body: dict[str, Any]) -> dict[str, Any]:
    """What form the answer is to have, and which tools may be called, as they were sent."""
    formed: dict[str, Any] = {}
    if given.response_format is not None and given.response_format.type != "text":
        if given.response_format.type == "json_schema" and not (given.response_format.json_schema or {}).get("schema"):
            message = "response_format.json_schema.schema: Field required"
            raise Failure(400, message, code="invalid_value", param="response_format.json_schema.schema")
        formed["response_format"] = body["response_format"]
    if given.tools:
        formed["tools"] = tuple(body["tools"])
        formed |= {name: body.get(name) for name in ("tool_choice", "parallel_tool_calls")}
    elif given.tool_choice not in (None, "none", "auto"):
        message = f"tool_choice={_short(body['tool_choice'])}: there are no tools to choose from; give tools"
        raise Failure(400, message, code="invalid_value", param="tool_choice")
    return formed


def _check(messages: tuple[Message, ...], longest: int) -> None:
    length = sum(len(message.content) for message in messages)
    if length > longest:
        message = f"the messages have {length:,} characters and this gateway takes {longest:,}; shorten them"
        raise Failure(400, message, code="context_length_exceeded", param="messages")
    last = next((message.content for message in reversed(messages) if message.role == "user"), "")
    if not last.strip() and not any(message.raw for message in messages):
        raise Failure(400, "the last message of a user is empty; say something", code="invalid_value", param="messages")
