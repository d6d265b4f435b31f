"""The records that flow one way: problem → candidates → decision → result.

All are frozen pydantic models that refuse unknown fields. A `Problem` has no answer field, so that no strategy can see
one; the gold answer travels beside it, in an `Example`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from tts.vocabulary.errors import ConfigError
from tts.vocabulary.record import Grown, Record, digest
from tts.vocabulary.refusal import refusal
from tts.vocabulary.time_limits import TimeLimits

FinishReason = Literal["stop", "length", "error", "refused"]
Role = Literal["policy", "scorer", "judge", "synthesizer"]
CurveName = Literal["pass@1", "maj@k", "weighted maj@k", "BoN@k", "knockout@k"]


class Message(Grown):
    """One chat turn.

    `raw` is the turn as OpenAI's interface has it, where it is more than a text: with tool calls, the result of one,
    content parts such as images. A backend with `Capabilities.raw` sends that unchanged; `content` is its text.
    """

    _added: ClassVar[frozenset[str]] = frozenset({"raw"})

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    raw: dict[str, Any] | None = None

    def __hash__(self) -> int:
        return hash((self.role, self.content))

    @property
    def row(self) -> list[Any]:
        """As stores and keys have it; `Message.of(row)` is the inverse."""
        return [self.role, self.content] if self.raw is None else [self.role, self.content, self.raw]

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """The turn of a `row`."""
        return cls(role=row[0], content=row[1], raw=row[2] if len(row) > 2 else None)


class Problem(Record):
    """What is asked: a prompt, or chat messages that are sent as they are.

    A `prompt` is wrapped in the direct-solving template; `messages` are not. The content, not the `id`, decides what is
    sampled and stored: two problems of one text share their candidates.
    """

    id: str
    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError(f"problem {self.id!r} needs either a prompt or messages, not both and not neither")
        if not self.text.strip() and not any(turn.raw for turn in self.messages or ()):
            raise ValueError(f"problem {self.id!r} is empty")
        return self

    @property
    def text(self) -> str:
        """The question as one string: the prompt, or the last user message."""
        if self.prompt is not None:
            return self.prompt
        return next((m.content for m in reversed(self.messages or ()) if m.role == "user"), "")

    @cached_property
    def digest(self) -> str:
        """Content hash of prompt or messages; id and metadata do not count."""
        return digest(self.prompt, self.messages)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, without the cached digest, which may not fit the copy."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("digest", None)
        return copy


class Example(Record):
    """A problem with its gold answer (`None` where none is known)."""

    problem: Problem
    answer: str | None = None


class Usage(Record):
    """Tokens of model calls; adds up with `+`.

    `prompt_tokens` counts every completion's prompt in full, `cached_tokens` the part of it that was served from a
    shared prefill or a cache, so fresh prompt work is the difference. `thinking_tokens` and `answer_tokens` add up to
    what was generated. `estimated_tokens` says how many of all these nobody has counted, so that they are an estimate.
    `cancelled` counts completions that were cut short; their tokens, where the backend reports them, are in the other
    fields. `seconds` is how long the model worked on calls, added up, as far as the backend says
    (`hf` shares out each step over the sequences in it); else how long each call was under way, calls side by side
    counted each. It is another in every run, so it does not count where usages are compared.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    estimated_tokens: int = 0

    def took(self, seconds: float) -> Usage:
        """The same with its seconds, where none are told and a model was called."""
        if self.seconds or not self.calls:
            return self
        return Usage(**{**self.__dict__, "seconds": round(seconds, 6)})  # cheaper than a copy

    @property
    def generated_tokens(self) -> int:
        """Thinking and answer tokens together."""
        return self.thinking_tokens + self.answer_tokens

    @property
    def total_tokens(self) -> int:
        """Prompt (cached or not) and generated tokens."""
        return self.prompt_tokens + self.thinking_tokens + self.answer_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage.total((self, other))

    @classmethod
    def total(cls, usages: Sequence[Usage]) -> Usage:
        """All of them added up, in their order."""
        return cls(
            calls=sum([one.calls for one in usages]),
            prompt_tokens=sum([one.prompt_tokens for one in usages]),
            cached_tokens=sum([one.cached_tokens for one in usages]),
            thinking_tokens=sum([one.thinking_tokens for one in usages]),
            answer_tokens=sum([one.answer_tokens for one in usages]),
            cancelled=sum([one.cancelled for one in usages]),
            seconds=sum([one.seconds for one in usages], 0.0),
            estimated_tokens=sum([one.estimated_tokens for one in usages]),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and self._counts() == other._counts()

    def __hash__(self) -> int:
        return hash(self._counts())

    def _counts(self) -> tuple[int, ...]:
        tokens = (self.prompt_tokens, self.cached_tokens, self.thinking_tokens, self.answer_tokens)
        return (self.calls, *tokens, self.cancelled, self.estimated_tokens)


class Sampling(Grown):
    """How completions are drawn; the paper's evaluation settings by default (arXiv 2509.00084).

    `response_format` and what concerns tools are as OpenAI's interface has them, for backends whose capabilities name
    them. Tools are offered to the candidates; what a strategy writes is text, in the format that was asked for.
    """

    _added: ClassVar[frozenset[str]] = frozenset({"response_format", "tools", "tool_choice", "parallel_tool_calls"})
    model_config: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    temperature: float = Field(default=0.6, ge=0, allow_inf_nan=False)
    """Sampling temperature; 0 is greedy. By default the paper's."""

    top_p: float = Field(default=0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default the paper's."""

    top_k: int | None = Field(default=None, ge=1)
    """How many of the likeliest tokens are drawn from. By default all."""

    max_tokens: int | None = Field(default=None, ge=1)
    """The most new tokens of a completion. By default up to 32,768, as in the paper, or what the model's context
    leaves.
    """

    stop: tuple[str, ...] = ()
    """Texts that end a completion. By default none."""

    logprobs: bool = False
    """Whether log-probabilities are asked for."""

    thinking: bool | None = None
    """Handed to the chat template as `enable_thinking`; by default it is not."""

    seed: int = 0
    """The run's seed; each completion derives its own."""

    response_format: dict[str, Any] | None = None
    """The form of answers: `{"type": "json_object"}`, or `json_schema` with one. By default text."""

    tools: tuple[dict[str, Any], ...] | None = None
    """The tools that may be called, each `{"type": "function", "function": {...}}`. By default none."""

    tool_choice: str | dict[str, Any] | None = None
    """Whether a tool must be called, and which. By default the model decides."""

    parallel_tool_calls: bool | None = None
    """Whether a response may call several tools. By default the server decides."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_a_sentence(cls, given: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """As pydantic does it; a call that is wrong is a `ConfigError`, for users make samplings themselves."""
        try:
            return handler(given)
        except ValidationError as error:
            if info.mode != "python":
                raise
            raise ConfigError(refusal("sampling", error, cls.model_fields).sentence) from None


class Completion(Record):
    """One finished completion of a request, as a backend yields it.

    `index` is its place in the request (0 … n-1), whatever the order of arrival. `text` is all that was generated,
    `thinking` the part inside the think block (`None`: the model wrote none), `summary` the visible part (`None`: the
    think block was never closed). `logprob` is the sum over generated tokens, in nats.

    One that failed for good in this run, while others of its request may have come, has `error`, which says why, no
    text, and the finish reason "error", or "refused" where the model or a content filter declined to answer.

    `server` is the address of the server that it came from, without anything secret, `system_fingerprint` what that
    said of itself, `model` the name by which it was asked, with options that change its outputs. `dropped` are the
    parameters of the sampling that it refused, so that it was drawn without them. The store keeps all of these.
    """

    index: int = Field(ge=0)
    text: str
    thinking: str | None = None
    summary: str | None = None
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    logprob: float | None = None
    error: str | None = None
    server: str | None = None
    system_fingerprint: str | None = None
    model: str | None = None
    dropped: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """The model came to its end or to the token limit; any other is not kept."""
        return self.error is None and self.finish_reason in ("stop", "length")


class Candidate(Record):
    """One completion of the policy for the problem; `index` is request order, never arrival order.

    Without a think block `summary` is the text itself. One that failed has `error` and an empty text; where it was
    refused, by the model or by a content filter, its finish reason is "refused".
    """

    index: int = Field(ge=0)
    text: str
    thinking: str | None = None
    summary: str | None = None
    answer: str | None = None
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    logprob: float | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """It was sampled and it is not blank."""
        return self.error is None and bool(self.text.strip())


class CandidateSet(Record):
    """The candidates of one problem, in index order, with what produced them."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    policy: str = ""
    sampling: Sampling | None = None

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[Candidate]:  # type: ignore[override]  # a set of candidates iterates over them, not over fields
        return iter(self.candidates)

    def __getitem__(self, position: int) -> Candidate:
        return self.candidates[position]

    @property
    def usable(self) -> tuple[Candidate, ...]:
        """The candidates that were sampled and are not blank."""
        return tuple(c for c in self.candidates if c.ok)


class Sampled(NamedTuple):
    """A candidate set with the gold answer of its problem (`None` where none is known)."""

    candidates: CandidateSet
    answer: str | None = None


class Score(Record):
    """A reward model's score of one response; higher is better."""

    value: float = Field(allow_inf_nan=False)
    usage: Usage = Usage()


class Verdict(Record):
    """A judge's verdict on a pair: which is better, "tie" where neither is, or `None` where its output was invalid."""

    winner: Literal["a", "b", "tie"] | None
    text: str = ""
    usage: Usage = Usage()


class Decision(Record):
    """All that a strategy returns.

    `text` is the final response; where it is a candidate's own, `chosen` is that candidate's index. `confidence` is in
    0 … 1 where the strategy has one. `alternatives` are further independent draws of the same decision, for estimators
    that average several outputs per group. `trace` is JSON-able and explains the decision. `rates` says how often
    something happened, of how many times it could have, e.g. `{"invalid verdicts": (2, 14)}`; reports add them up.
    """

    text: str
    chosen: int | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    alternatives: tuple[str, ...] = ()
    trace: dict[str, Any] = Field(default_factory=dict)
    rates: dict[str, tuple[int, int]] = Field(default_factory=dict)


class Provenance(Record):
    """What produced a result, enough to do it again; `k` is the size of its group of candidates.

    `code` identifies what is not this version's own: the code of the strategy, of those among its fields, of extractor
    and judge format, and the content of files that parameters name. `dropped` has, by role, the sampling parameters
    that a model's server has refused and that were left out from then on, with its words. `limits` are those of time,
    where there are any; `stopped` says how many candidates were not waited for, by reason. `named` has the models as
    the call named them, and under "candidates" those that made stored candidates, as their file or store names them,
    where it is another than the policy.
    """

    strategy: str
    k: int
    parameters: dict[str, Any]
    seed: int
    models: dict[str, str]
    version: str
    code: dict[str, str] = Field(default_factory=dict)
    dropped: dict[str, dict[str, str]] = Field(default_factory=dict)
    limits: TimeLimits | None = None
    stopped: dict[str, int] = Field(default_factory=dict)
    named: dict[str, str] = Field(default_factory=dict)

    def model(self, role: str = "policy") -> str:
        """What to call the model of a role: as the call named it, with the beginning of its fingerprint."""
        return shown_model(self.named.get(role, ""), self.models.get(role, ""))

    @property
    def shown(self) -> dict[str, str]:
        """All of them so, by role; `candidates` is who made those that came with a file."""
        return {role: self.model(role) for role in {**self.models, **self.named}}


def shown_model(name: str, fingerprint: str) -> str:
    """A model as it was named, with the beginning of its fingerprint: `hf:miniature (3f9a01c2)`."""
    if not name or not fingerprint or fingerprint == name:
        return name or fingerprint
    plain = fingerprint.removeprefix(f"{name.partition('@')[0]}/")
    return f"{name} ({plain if len(plain) <= 12 else plain[:8]})"


class Result(Record):
    """One problem (one group of k candidates) decided by one strategy; built only by the engine.

    `usage` is what this strategy alone would have cost per role, stored completions and shared calls included; what a
    run really paid is the engine's to say. `seconds` runs from when the model took the problem up to the decision.
    `answer` and `alternatives` are the extracted answers of the decision's texts. `finish_reasons` say how each of
    these texts ended, the decision's own first, as far as models wrote them; empty where all came to their end. A
    failed result has `error` and no decision, and the finish reason "refused" where what the strategy asked for was.
    """

    problem: Problem
    group: int
    candidates: tuple[Candidate, ...]
    decision: Decision | None
    answer: str | None
    alternatives: tuple[str | None, ...] = ()
    usage: dict[str, Usage]
    seconds: float
    provenance: Provenance
    error: str | None = None
    finish_reasons: tuple[FinishReason, ...] = ()

    @property
    def text(self) -> str:
        """The final response, empty where the problem failed."""
        return self.decision.text if self.decision else ""
