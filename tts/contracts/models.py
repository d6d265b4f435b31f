"""What a model is to the library: a policy, a reward model, or a judge."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from tts.prompts import Prompts
from tts.vocabulary.record import Record
from tts.vocabulary.records import Candidate, Completion, Message, Problem, Sampling, Score, Usage, Verdict


class Capabilities(Record):
    """What a backend can do; checked before the first token is spent.

    `seed`: one seed gives one output whatever else runs. `concurrency`: how many completions the engine keeps in flight
    at it; more than that for one prompt are asked for in several requests. `context_length` is in tokens, prompt and
    response together. `prompts` are those that the model was trained on, where it says so. `streams`: it tells of
    completions while it writes them, by `Request.on_text`. `response_format`: it keeps to that of the sampling.
    `tools`: it offers those of the sampling to the model, whose calls stand at the end of the text as
    `tts.with_tool_calls` writes them. `raw`: it sends turns that are more than text as they are (`Message.raw`).
    """

    seed: bool = False
    logprobs: bool = False
    exact_token_counts: bool = False
    context_length: int | None = None
    concurrency: int = 64
    prompts: Prompts | None = None
    streams: bool = False
    response_format: bool = False
    tools: bool = False
    raw: bool = False


class Request(Record):
    """One prompt, `n` completions.

    `seeds` has one entry per completion. `context` names the problem, for messages. An engine with a queue of its own
    serves a lower `priority` first. A backend calls `on_cancelled` once for each completion that is cut short, with the
    tokens already spent on it.

    Where somebody listens there is `on_text`. A backend with `streams` calls it on the event loop with the place of a
    completion in the request and what it has written since, thinking with its tags included. All it tells of one
    completion is the beginning of that completion's `text`, told once: after a failure inside the backend it tells no
    more.
    """

    messages: tuple[Message, ...]
    n: int = Field(default=1, ge=1)
    sampling: Sampling = Sampling()
    seeds: tuple[int, ...] = (0,)
    context: str = ""
    priority: int = 0
    on_cancelled: Callable[[Usage], None] = Field(default=lambda _: None, exclude=True, repr=False)
    on_text: Callable[[int, str], None] | None = Field(default=None, exclude=True, repr=False)


class NoOptions(BaseModel):
    """For plugins that take no `@option=value`; the base of options, whose docstrings say what they mean."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Backend(Protocol):
    """A policy model: one verb, `generate`.

    Constructed as `Class(model, options)` on a worker thread, where `options` is an instance of the class's `Options`,
    validated from the reference `backend:model[@option=value,...]`. `fingerprint` identifies whatever changes the
    outputs (weights, template, dtype); stored completions are found again by it.

    A model of files may have a method `outdated()`: whether they have changed since it was loaded. It is asked at each
    call, on a worker thread, and where it says so the model is loaded anew; a scorer or judge may have it, too.

    So may one that can tell, `async at_work()`: whether it works at what it was asked (`None`: it cannot tell now). It
    is asked when it has answered nothing for the limit of silence (`request_timeout`), and who works has as long again.
    One whose answers take hours may have `waits_for`: what it waits for now, in words, which the line adds that tells
    each minute of a silence; it is read on another thread.

    A model behind a service may have `dropped`: a mapping of the sampling parameters that it had to leave out, with the
    reason for each. It is recorded in the provenance of results. It may have `limited`, too: the limits that the
    service has now, in words such as "limited to 1/s", which lines of progress show. One that asks things of its own
    may have `take_aside()`: the `Usage` of what was spent beside requests since this was last asked; it counts as
    really spent. One whose fingerprint follows what a service says of it may have `asked_as`: the name that stands in
    `Completion.model`, by which samples under another fingerprint are found.
    """

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - an attribute of the class
        """The class of its options."""

    capabilities: Capabilities

    @property
    def fingerprint(self) -> str:
        """What identifies its outputs; an attribute will do."""

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
    def Options(self) -> type[BaseModel]:  # noqa: N802 - see Backend
        """The class of its options."""

    fingerprint: str

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """Scores in the order of the responses."""

    async def aclose(self) -> None:
        """Free the model; the scorer is not used again."""


class Judge(Protocol):
    """Compares two responses to one problem by means of its own.

    A judge that is a prompt and a parser over a language model is a `JudgeFormat` instead.
    """

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - see Backend
        """The class of its options."""

    fingerprint: str

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

    temperature: float = Field(default=0.6, ge=0, allow_inf_nan=False)
    """Sampling temperature of the judge's output; 0 is greedy, and then votes in one order are all the same. By default
    that of GSR's evaluation (arXiv 2509.00084).
    """

    top_p: float = Field(default=0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, at most 1. By default that of GSR's evaluation."""

    max_tokens: int | None = Field(default=None, ge=1)
    """The most new tokens of a verdict with its thinking; `none` means up to 32,768 or what the context leaves, as in
    `Sampling`.
    """

    @abc.abstractmethod
    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """The prompt; responses too long for the model have lost their beginnings already."""

    @abc.abstractmethod
    def read(self, text: str) -> Literal["a", "b", "tie"] | None:
        """The winner that the judge's visible text names, "tie" where the format has one, else `None`."""
