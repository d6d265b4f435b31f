"""What plugins implement: `Strategy`, `Task` (pydantic classes whose fields are parameters), and the protocols
`Backend`, `Scorer`, `Judge`, `Grader`.
"""

from __future__ import annotations

import abc
import functools
import operator
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tts._errors import ConfigError
from tts._records import (
    Candidate,
    CandidateSet,
    Completion,
    CurveName,
    Decision,
    Example,
    Message,
    Problem,
    Record,
    Sampling,
    Score,
    Usage,
    Verdict,
)
from tts.prompts import Prompts

if TYPE_CHECKING:
    from tts.answers import Clusters


class Capabilities(Record):
    """What a backend can do; checked before the first token is spent.

    `seed`: one seed gives one output whatever else runs. `concurrency`: how many completions the engine keeps in flight
    at it; more than that for one prompt are asked for in several requests. `context_length` is in tokens, prompt and
    response together. `prompts` are those that the model was trained on, where it says so.
    """

    seed: bool = False
    logprobs: bool = False
    exact_token_counts: bool = False
    context_length: int | None = None
    concurrency: int = 64
    prompts: Prompts | None = None


class Request(Record):
    """One prompt, `n` completions.

    `seeds` has one entry per completion. `context` names the problem, for messages. An engine with a queue of its own
    serves a lower `priority` first. A backend calls `on_cancelled` once for each completion that is cut short, with the
    tokens already spent on it.
    """

    messages: tuple[Message, ...]
    n: int = Field(1, ge=1)
    sampling: Sampling = Sampling()
    seeds: tuple[int, ...] = (0,)
    context: str = ""
    priority: int = 0
    on_cancelled: Callable[[Usage], None] = Field(default=lambda _: None, exclude=True, repr=False)


class NoOptions(BaseModel):
    """For plugins that take no `@option=value`; the base of options, whose docstrings say what they mean."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Backend(Protocol):
    """A policy model: one verb, `generate`.

    Constructed as `Class(model, options)` on a worker thread, where `options` is an instance of the class's `Options`,
    validated from the reference `backend:model[@option=value,...]`. `fingerprint` identifies whatever changes the
    outputs (weights, template, dtype); stored completions are found again by it.
    """

    @property
    def Options(self) -> type[BaseModel]: ...  # noqa: N802 - an attribute of the class

    capabilities: Capabilities

    def __init__(self, model: str, options: Any) -> None: ...

    @property
    def fingerprint(self) -> str: ...  # an attribute will do

    def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield `request.n` completions, each when it is finished, in any order.

        Closing the generator cancels what is left, reports it to `request.on_cancelled` and frees its place in the
        model. Raises `ContextLengthError` before generating where the prompt does not fit, another `BackendError` where
        the model fails.
        """

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens read as plain text; an estimate unless `exact_token_counts`."""

    async def aclose(self) -> None:
        """Free the model; the backend is not used again."""


class Scorer(Protocol):
    """A reward model: a scalar for each response to one problem, higher is better.

    A score is stored under the problem's text and the response's. A scorer that goes by something else, such as the
    problem's metadata or what is recorded with the candidate, sets `by_content = False`, and may have `check(problem,
    candidates)`: it is given the first stored set (no candidates, where they are yet to be sampled) before anything is
    spent, and raises `ConfigError` where the call is wrong. One that goes by the candidates' log-probabilities sets
    `logprobs = True`, and they are asked for when sampling. One that computes next to nothing sets `light = True` and
    is not sent to other machines.
    """

    @property
    def Options(self) -> type[BaseModel]: ...  # noqa: N802 - see Backend

    fingerprint: str

    def __init__(self, model: str, options: Any) -> None: ...

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """Scores in the order of the responses."""

    async def aclose(self) -> None:
        """Free the model; the scorer is not used again."""


class Judge(Protocol):
    """Compares two responses to one problem by means of its own.

    A judge that is a prompt and a parser over a language model is a `JudgeFormat` instead.
    """

    @property
    def Options(self) -> type[BaseModel]: ...  # noqa: N802 - see Backend

    fingerprint: str

    def __init__(self, model: str, options: Any) -> None: ...

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:
        """Which of the two is better; an output without a valid verdict gives `winner=None`."""

    async def aclose(self) -> None:
        """Free the model; the judge is not used again."""


class JudgeFormat(BaseModel, abc.ABC):
    """How a generative judge is asked and how its verdict is read; the model behind it is any backend.

    A judge reference `FORMAT:BACKEND:MODEL[@option=value,...]` names the format and the backend. The fields are
    options: those that the format declares are its own, the others the backend's. Its calls are completions like all
    others: seeded, stored, limited and charged to the judge.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    temperature: float = Field(0.6, ge=0, allow_inf_nan=False)
    """Sampling temperature of the judge's output; 0 is greedy, and then votes in one order are all the same. By default
    that of GSR's evaluation (arXiv 2509.00084).
    """

    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, at most 1. By default that of GSR's evaluation."""

    max_tokens: int | None = Field(None, ge=1)
    """The most new tokens of a verdict with its thinking; `none` means up to 32,768 or what the context leaves, as in
    `Sampling`.
    """

    @abc.abstractmethod
    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """The prompt; responses too long for the model have lost their beginnings already."""

    @abc.abstractmethod
    def read(self, text: str) -> Literal["a", "b", "tie"] | None:
        """The winner that the judge's visible text names, "tie" where the format has one, else `None`."""


class Grader(Protocol):
    """Says whether an extracted answer equals the gold answer."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer); `None` as answer is wrong."""

    async def aclose(self) -> None:
        """Free what the grader holds."""


class Needs(Record):
    """Which models a strategy calls besides reading candidates, and what it asks of the policy."""

    policy: bool = False
    scorer: bool = False
    judge: bool = False
    synthesizer: bool = False
    logprobs: bool = False

    def __or__(self, other: Needs) -> Needs:
        """What either needs."""
        return Needs(**{name: getattr(self, name) or getattr(other, name) for name in Needs.model_fields})


class Card(Record):
    """What a reader wants to know before choosing a strategy: its row in `docs/strategies.md`, in a few words each.

    `calls` is what it asks of models per problem with k candidates, by default parameters; `use` is when to use it,
    `weakness` what it is known to get wrong. `metric` is what papers call its accuracy, such as "maj@k", for tables.
    Paper and summary are in the plugin's `Entry`.
    """

    calls: str
    use: str
    weakness: str
    metric: str | None = None


class Context(Protocol):
    """All that a strategy can see and do: one problem, its candidates, and metered model calls.

    There is no backend, tokenizer, gold answer or clock in it. A role that the strategy's `needs` does not declare
    raises `ConfigError`.
    """

    @property
    def problem(self) -> Problem:
        """The problem to decide, without its metadata, which may hold recorded verdicts."""

    @property
    def k(self) -> int:
        """How many candidates there are to be."""

    @property
    def prompts(self) -> Prompts | None:
        """What the policy was trained on, where it says so."""

    @property
    def rng(self) -> random.Random:
        """Seeded by run seed, problem and strategy, so a decision never depends on arrival order."""

    async def candidates(self) -> CandidateSet:
        """All k candidates, in index order, once they are there; raises `NoCandidatesError` where none is usable."""

    def sample(self, n: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[Candidate]]:
        """Candidates as they arrive, up to `n` (all k by default).

        Leaving the block early cancels the rest, unless another strategy is still undecided.
        """

    async def generate(
        self, messages: Sequence[Message], n: int = 1, *, sampling: Sampling | None = None
    ) -> list[Candidate]:
        """`n` completions of the policy model itself, in index order; failed ones carry `error`.

        One prompt is one draw: the same messages again give the same completions, and a larger `n` more of them.
        """

    async def synthesize(
        self, messages: Sequence[Message], n: int = 1, *, sampling: Sampling | None = None
    ) -> list[Candidate]:
        """`n` completions of the synthesizer model, in index order; failed ones carry `error`."""

    async def score(self, responses: Sequence[Candidate]) -> list[Score]:
        """Reward-model scores in the order of the responses."""

    async def judge(self, a: Candidate, b: Candidate, n: int = 1) -> list[Verdict]:
        """`n` independent verdicts on a pair shown in this order; a larger `n` gives the same ones and more.

        Raises `BackendError` where the judge fails; a verdict that cannot be read has no winner.
        """

    async def cluster(self, answers: Sequence[str | None]) -> Clusters:
        """Equivalence classes of answers; `None` belongs to none."""

    async def decide(self, strategy: Strategy) -> Decision:
        """What another strategy decides here, exactly as it would alone: same draws, same calls.

        What it costs is charged to the one that asks; the other's `rates` and `trace` are its to pass on.
        """

    def extract(self, text: str) -> str | None:
        """The final answer in a response's visible text."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text for the policy (an estimate of four characters a token where there is no policy)."""

    def log(self, message: str, **details: Any) -> None:
        """Tell the user something about this problem: it becomes an event."""


class Parameters(BaseModel):
    """Base of plugins whose fields are parameters, each with its docstring: for calls, JSON, command line and docs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: ClassVar[str]


def _strategy_of(value: Any) -> Strategy:
    from tts._plugins import strategy

    try:
        if not isinstance(value, Mapping):
            return strategy(value)
        if not isinstance(value.get("name"), str):
            raise ConfigError('a strategy with parameters has a "name" among them, as in {"name": "gsr", "outputs": 4}')
        return strategy(**value)
    except ConfigError as error:
        raise PydanticCustomError("strategy", "{reason}", {"reason": str(error)}) from error


def _written(value: Strategy, info: Any) -> Any:
    parameters = value.model_dump(mode=info.mode, exclude_defaults=info.exclude_defaults)
    return {"name": value.name, **parameters} if parameters else value.name


class Strategy(Parameters, abc.ABC):
    """Turns one candidate set into one decision.

    Subclasses set `name`, declare what they call in `needs`, and name their paper in the docstring. One that says the
    same whatever order its candidates come in, under one seed, leaves `order_invariant`; any other sets it to `False`.
    One whose decisions say how sure they are sets `tells_confidence`, so that others may go by it.

    A strategy may use another as a field, `inner: Strategy = Majority()`, and ask it by `ctx.decide(self.inner)`. Such
    a field takes an instance, a name, or a mapping of name and parameters, `{"name": "gsr", "outputs": 4}`.
    """

    needs: ClassVar[Needs] = Needs()
    order_invariant: ClassVar[bool] = True
    tells_confidence: ClassVar[bool] = False
    card: ClassVar[Card | None] = None

    def required(self) -> Needs:
        """What this instance needs: `needs` and what the strategies among its fields need."""
        return functools.reduce(operator.or_, (one.required() for one in self._inner()), self.needs)

    def curve(self) -> CurveName | None:
        """What estimates this instance over all subsets of k; the Refinement Gap is against "maj@k"."""
        return None

    def mismatches(self, trained: Prompts, k: int) -> list[str]:
        """What this instance does otherwise than the policy was trained to, each with what to do; k candidates come.

        The engine warns of them before anything is sampled. By default those of the strategies among its fields.
        """
        return [mismatch for one in self._inner() for mismatch in one.mismatches(trained, k)]

    def _inner(self) -> list[Strategy]:
        """The strategies among the fields."""
        return [value for _, value in self if isinstance(value, Strategy)]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if Parameters not in cls.__bases__:
            return handler(source)
        # `Strategy` itself is only ever the type of a field: any strategy, written down by its name and parameters.
        return core_schema.no_info_plain_validator_function(
            _strategy_of,
            serialization=core_schema.plain_serializer_function_ser_schema(_written, info_arg=True),
            json_schema_input_schema=core_schema.union_schema([core_schema.str_schema(), core_schema.dict_schema()]),
        )

    @abc.abstractmethod
    async def aggregate(self, ctx: Context) -> Decision:
        """Decide; raises `NoCandidatesError` where there is nothing to decide on."""


class Task(Parameters, abc.ABC):
    """A source of examples with the grader that judges answers to them and the extractor that finds the answers.

    All that a grader gets to know of a problem is its gold answer, so a tolerance or the like is part of that text.
    `argument` names the field that takes what follows the name in `task:NAME:ARGUMENT`.
    """

    argument: ClassVar[str | None] = None

    grader: str = "math"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default mathematical equality.
    """

    extractor: str = "auto"
    """What finds the final answer in a candidate's visible text: an extractor's name. By default a box, else other
    signs of an answer.
    """

    @abc.abstractmethod
    def examples(self) -> Iterable[Example]:
        """The examples, in a fixed order; may be lazy."""
