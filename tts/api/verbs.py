"""The verbs of the synchronous face: `solve`, `run`, `sample`, `compare`."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from tts.api.candidate_sets import candidate_sets
from tts.api.samples import Samples
from tts.api.warm_models import WarmModels
from tts.bridge.loop import run_sync
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.grader import grader as grader_of
from tts.contracts.labels import label_strategies
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.contracts.task import Task
from tts.contracts.task import task as task_of
from tts.engine.engine import Engine
from tts.engine.reference import DEFAULT_MODEL, ModelKind, placed
from tts.metrics.comparison import Comparison
from tts.metrics.grading import SILENT, grade
from tts.metrics.run import Run
from tts.registry.instance import build
from tts.sources.reading import OnError, Source, read_examples
from tts.sources.reference import parse_reference
from tts.vocabulary.errors import ConfigError, did_you_mean
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.record import digest
from tts.vocabulary.records import Problem, Result, Sampled, Sampling

T = TypeVar("T")
OnResult = Callable[[Result], None]
DEFAULT_STRATEGIES = ("first", "majority", "gsr")


def solve(problem: str | Problem, *, strategy: str | Strategy = "gsr", k: int = 4, **engine: Any) -> Result:
    """Sample k candidates of one problem and decide.

    `engine` takes the arguments of `tts.Engine`: model, scorer, judge, synthesizer, store, sampling, seed and others.
    With no model the embedded miniature is used, which only knows the built-in task. Raises what goes wrong.
    """
    chosen = strategy_of(strategy)

    async def work(one: Engine) -> Result:
        return await one.solve(problem, chosen, k)

    return _with_engine(work, engine, sampling=True)


def run(
    problems: Source = None,
    *,
    strategy: str | Strategy = "gsr",
    k: int = 4,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    on_result: OnResult | None = None,
    grader: str | None = None,
    **engine: Any,
) -> Run:
    """Sample k candidates for each problem and decide with one strategy; a problem that fails is a result with `error`.

    `problems` is anything that `read_examples` takes: nothing (the built-in task), a text, a list, a file, `task:NAME`,
    `hub:ID`, `-`. `on_result` hears each result as it is decided. All results are held; for more than memory takes,
    iterate over `Engine.run`. `engine` takes the arguments of `tts.Engine`.
    """
    chosen = strategy_of(strategy)
    source, grader = _task_settings(problems, grader, engine)

    def outcomes(one: Engine) -> AsyncGenerator[Outcome, None]:
        return one.run(_examples(source, columns, limit, on_error), [chosen], k)

    return _evaluate(Run, outcomes, [chosen], k, grader, on_result, engine, sampling=True)  # type: ignore[return-value]  # it builds the class it is given


def sample(
    problems: Source = None,
    *,
    k: int = 4,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    **engine: Any,
) -> Samples:
    """Sample k candidates for each problem; with a store, only those that are not there yet.

    `problems` and `engine` as in `run`.
    """
    source, _ = _task_settings(problems, None, engine)

    async def work(one: Engine) -> Samples:
        order: dict[str, int] = {}

        def examples() -> Iterator[Any]:
            for example in _examples(source, columns, limit, on_error):
                order[example.problem.id] = len(order)
                yield example

        async with aclosing(one.sample(examples(), k)) as arriving:
            sampled = [each async for each in arriving]
        sampled.sort(key=lambda each: order[each.candidates.problem.id])
        return Samples(sampled, one.model, one.sampling, one.spent)

    return _with_engine(work, engine, sampling=True)


def compare(
    samples: Samples | Source = None,
    *,
    strategies: Sequence[str | Strategy] = DEFAULT_STRATEGIES,
    k: int = 4,
    n: int | None = None,
    order_trials: int = 0,
    shuffle: bool = False,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    on_result: OnResult | None = None,
    grader: str | None = None,
    think: tuple[str, str] | None = None,
    **engine: Any,
) -> Comparison:
    """Let several strategies decide on the same candidates.

    `samples` are candidate sets: of `tts.sample`, a list of `CandidateSet`, a file of `{problem, answer, candidates}`,
    or a store (`.db`, `postgresql://…`); they are taken in non-overlapping groups of k and nothing is sampled. Anything
    else is a source of problems, as in `run`, and is sampled first. With `n`, so many candidates of each problem are
    sampled, and of stored ones no more are taken, for n // k groups; without, k are sampled and all stored ones taken.
    With `order_trials`, strategies that mind the order of their candidates decide again on so many other orders, and
    the comparison says how often that changes the answer. With `shuffle`, stored candidates of each problem come in a
    random order, drawn by the seed, before they are put into groups: for sets that are pooled from several models or
    settings, where neighbours are alike. `think` are the tags around the thinking in a file of
    candidates; without, the dialects of models are recognised.
    """
    chosen = [strategy_of(one) for one in ([strategies] if isinstance(strategies, str) else strategies)]
    source, grader = _task_settings(samples, grader, engine)
    sets = candidate_sets(source, columns, limit, on_error, engine, think)
    if isinstance(source, Samples) and engine.get("model") is None:
        short = any(len(one.candidates) < k for one in source.sampled)
        if short or any(one.required().policy for one in chosen):
            engine["model"] = source.model

    seed = engine.get("seed", 0) if shuffle else None

    def outcomes(one: Engine) -> AsyncGenerator[Outcome, None]:
        if sets is None:
            return one.run(_examples(source, columns, limit, on_error), chosen, k, n=n, order_trials=order_trials)
        return one.compare(_first(sets, n, seed), chosen, k, order_trials=order_trials)

    return _evaluate(Comparison, outcomes, chosen, k, grader, on_result, engine, sampling=sets is None)


def _first(sets: Iterable[Sampled], n: int | None, seed: int | None) -> Iterator[Sampled]:
    """The sets with n of their candidates: the first ones, or with a seed those that it draws, in its order."""
    for found, answer in sets:
        kept = list(found)
        if seed is not None:
            random.Random(digest("shuffle", seed, found.problem.digest)).shuffle(kept)
        kept = [c for c in kept if c.index < n] if n is not None and seed is None else kept[:n]
        same = seed is None and len(kept) == len(found)
        yield Sampled(found if same else found.model_copy(update={"candidates": tuple(kept)}), answer)


def _evaluate(
    kind: type[Comparison],
    outcomes_of: Callable[[Engine], AsyncGenerator[Outcome, None]],
    strategies: Sequence[Strategy],
    k: int,
    grader: str,
    on_result: OnResult | None,
    engine: dict[str, Any],
    *,
    sampling: bool,
) -> Comparison:
    labelled = label_strategies(strategies)
    judge = grader_of(grader)

    async def work(one: Engine) -> Comparison:
        started = time.monotonic()
        outcomes: list[Outcome] = []
        try:
            async with aclosing(outcomes_of(one)) as arriving:
                async for outcome in arriving:
                    outcomes.append(outcome)
                    for result in outcome.results.values() if on_result else ():
                        on_result(result)  # type: ignore[misc]  # not None here
            seconds = time.monotonic() - started
            outcomes.sort(key=lambda outcome: outcome.order)
            limit = engine.get("request_timeout", "auto")
            graded = await grade(outcomes, judge, SILENT if limit == "auto" else limit)
            return kind(graded, labelled, k, one.spent, seconds, one.sampling.max_tokens)
        finally:
            await judge.aclose()

    return _with_engine(work, engine, sampling=sampling)


def _with_engine(work: Callable[[Engine], Coroutine[Any, Any, T]], settings: dict[str, Any], *, sampling: bool) -> T:
    settings = _checked(settings)
    kinds: dict[str, ModelKind] = {"model": "backend", "synthesizer": "backend", "scorer": "scorer", "judge": "judge"}
    given = {role: settings.get(role) for role in kinds}
    if sampling and given["model"] is None:
        given["model"] = DEFAULT_MODEL
    executor = settings.get("executor")
    texts = {(kinds[role], text) for role, text in given.items() if isinstance(text, str)}
    references = {(kind, placed(kind, text, executor)) for kind, text in texts}

    async def main() -> T:
        async with WarmModels(references) as models, Engine(models=models, **settings) as engine:
            return await work(engine)

    return run_sync(main)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """The engine's arguments; raises `ConfigError` for one that it does not have."""
    known = set(inspect.signature(Engine).parameters) - {"models"}
    for name, value in settings.items():
        if name in Sampling.model_fields and name not in known:
            raise ConfigError(f"{name}= belongs to the sampling: pass sampling=tts.Sampling({name}={value!r})")
        if name not in known:
            raise ConfigError(f"there is no argument {name!r}{did_you_mean(name, known)}")
    extractor_of(settings.get("extractor", "auto"))
    sampling = settings.get("sampling")
    if isinstance(sampling, Mapping):
        return settings | {"sampling": build("sampling", Sampling, sampling)}
    if not isinstance(sampling, Sampling | None):
        raise ConfigError(f"sampling={sampling!r}: give a tts.Sampling or a mapping of its fields")
    return settings


def _examples(source: Source, columns: Any, limit: int | None, on_error: OnError) -> Iterator[Any]:
    return read_examples(source, columns=columns, limit=limit, on_error=on_error)


def _task_settings(source: Any, grader: str | None, engine: dict[str, Any]) -> tuple[Any, str]:
    """A named task as an object, with its extractor and grader unless the call names others."""
    if source is None or (isinstance(source, str) and source.startswith("task:")):
        reference = parse_reference("sums" if source is None else source.removeprefix("task:"))
        source = task_of(reference.name, **reference.options)
    if isinstance(source, Task):
        engine.setdefault("extractor", source.extractor)
        return source, grader or source.grader
    return source, grader or "math"
