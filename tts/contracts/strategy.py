"""What a strategy is: parameters, needs, one verb, the context in which it decides."""

from __future__ import annotations

import abc
import functools
import operator
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tts.prompts import Prompts
from tts.registry.host import plugins
from tts.registry.instance import instance
from tts.registry.parameters import Parameters
from tts.registry.user_code import user_class
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.record import Record
from tts.vocabulary.records import (
    Candidate,
    CandidateSet,
    CurveName,
    Decision,
    Message,
    Problem,
    Sampling,
    Score,
    Verdict,
)


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

    def sample(
        self, n: int | None = None, *, final: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[Candidate]]:
        """Candidates as they arrive, up to `n` (all k by default); `final` says that the first of them is the answer.

        Leaving the block early cancels the rest, unless another strategy is still undecided.
        """

    async def generate(
        self,
        messages: Sequence[Message],
        n: int = 1,
        *,
        sampling: Sampling | None = None,
        final: bool = False,
        formatted: bool = True,
    ) -> list[Candidate]:
        """`n` completions of the policy model itself, in index order; failed ones carry `error`.

        One prompt is one draw: the same messages again give the same completions, and a larger `n` more of them.
        `final` says that the decision is what the first of them says after its thinking, so that whoever waits for it
        can read it while it is written. `formatted=False` says that these are no answers, such as a verdict: they need
        not have the form that was asked of answers (`Sampling.response_format`).
        """

    async def synthesize(
        self, messages: Sequence[Message], n: int = 1, *, sampling: Sampling | None = None, final: bool = False
    ) -> list[Candidate]:
        """`n` completions of the synthesizer model, as `generate` has them of the policy."""

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


def _strategy_of(value: Any) -> Strategy:
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
    One whose decisions say how sure they are sets `tells_confidence`, so that others may go by it. One that may answer
    with a text of its own, which is no candidate's, sets `writes`.

    A strategy may use another as a field, `inner: Strategy = Majority()`, and ask it by `ctx.decide(self.inner)`. Such
    a field takes an instance, a name, or a mapping of name and parameters, `{"name": "gsr", "outputs": 4}`.
    """

    needs: ClassVar[Needs] = Needs()
    order_invariant: ClassVar[bool] = True
    tells_confidence: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    card: ClassVar[Card | None] = None

    def required(self) -> Needs:
        """What this instance needs: `needs` and what the strategies among its fields need."""
        return functools.reduce(operator.or_, (one.required() for one in self._inner()), self.needs)

    def may_write(self) -> bool:
        """Whether this instance, or a strategy among its fields, writes its answer."""
        return self.writes or any(one.may_write() for one in self._inner())

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


def strategy_class(name: str) -> Any:
    """What a strategy's name, `path/to/file.py:Class` or `package.module:Class` stands for."""
    if name.endswith(".py"):
        raise ConfigError(f"strategy {name!r}: say which class of the file, as in '{name}:MyStrategy'")
    if ":" not in name:
        return plugins().resolve("strategy", name)
    return user_class(name)


def strategy(name: str | Strategy | type[Strategy], **parameters: Any) -> Strategy:
    """A strategy by name, class or instance, with its parameters.

    `path/to/file.py:Class` and `package.module:Class` name one that is no plugin. Raises `UnknownPluginError`, and
    `ConfigError` for a parameter that is unknown or out of range.
    """
    if isinstance(name, str) and (":" in name or name.endswith(".py")):
        name = strategy_class(name)
    return instance("strategy", Strategy, name, parameters)  # type: ignore[type-abstract]  # only a bound
