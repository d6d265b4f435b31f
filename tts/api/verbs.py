"""The verbs of the synchronous face: `solve`, `run`, `sample`, `compare`."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar

from tts.api.candidate_sets import candidate_sets
from tts.api.problems import Found as ProblemsFound
from tts.api.problems import asked_again, problems_of
from tts.api.samples import Samples
from tts.api.told import tell, tell_understood
from tts.api.warm_models import WarmModels
from tts.bridge.loop import run_sync
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.grader import grader as grader_of
from tts.contracts.labels import label_strategies
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.contracts.task import Task
from tts.contracts.task import task as task_of
from tts.engine.built_in import check_sum
from tts.engine.engine import Engine
from tts.engine.reference import DEFAULT_MODEL, ModelKind, placed
from tts.metrics.comparison import Comparison
from tts.metrics.grading import SILENT, grade
from tts.metrics.own_verdicts import own_verdicts
from tts.metrics.run import Run
from tts.registry.instance import build
from tts.sources.layout import named
from tts.sources.opening import Source, at_hand
from tts.sources.reading import OnError
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
    _checked(engine)
    if engine.get("model") is None and (text := problem.text if isinstance(problem, Problem) else str(problem)).strip():
        check_sum(text)

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
    `hub:ID`, `-`; candidate sets, as in `compare`, are decided on in groups of k. `on_result` hears each result as it
    is decided. All results are held; for more than memory takes, iterate over `Engine.run`. `engine` takes the
    arguments of `tts.Engine`.
    """
    chosen = [strategy_of(strategy)]
    source, grader = _task_settings(problems, grader, engine)

    def read() -> _Plan:
        return _read(source, chosen, k, None, columns, limit, on_error, None, grader, engine)

    return _evaluate(Run, read, chosen, k, grader, on_result, engine)  # type: ignore[return-value]  # it builds the class it is given


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

    `problems` and `engine` as in `run`; of candidate sets the problems are sampled anew, with a warning.
    """
    source, grader = _task_settings(problems, None, engine)
    _checked(engine)
    wanted, understood = _to_sample(source, columns, limit, on_error, engine)
    tell_understood(understood, (), grader, engine, sampling=True)

    async def work(one: Engine) -> Samples:
        order: dict[str, int] = {}

        def examples() -> Iterator[Any]:
            for example in wanted:
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

    def read() -> _Plan:
        return _read(source, chosen, k, n, columns, limit, on_error, think, grader, engine, order_trials, shuffle)

    return _evaluate(Comparison, read, chosen, k, grader, on_result, engine)


class _Plan(NamedTuple):
    """What an engine is to decide on, and whether candidates are sampled for it."""

    outcomes_of: Callable[[Engine], AsyncGenerator[Outcome, None]]
    sampling: bool


def _read(
    source: Any,
    strategies: Sequence[Strategy],
    k: int,
    n: int | None,
    columns: Mapping[str, str] | None,
    limit: int | None,
    on_error: OnError,
    think: tuple[str, str] | None,
    grader: str,
    engine: dict[str, Any],
    order_trials: int = 0,
    shuffle: bool = False,
) -> _Plan:
    """The source, read: candidate sets to decide on, or problems to sample candidates of."""
    sets, understood = candidate_sets(source, columns, limit, on_error, engine, think)
    if sets is not None:
        given = sets
        _same_model(source, given, strategies, k, engine)
        tell_understood(understood, strategies, grader, engine, sampling=False)
        seed = engine.get("seed", 0) if shuffle else None
        return _Plan(lambda one: one.compare(_first(given, n, seed), strategies, k, order_trials=order_trials), False)
    examples, understood = problems_of(source, columns, limit, on_error, engine.get("model"))
    tell_understood(understood, strategies, grader, engine, sampling=True)
    return _Plan(lambda one: one.run(examples, strategies, k, n=n, order_trials=order_trials), True)


def _to_sample(
    source: Any, columns: Mapping[str, str] | None, limit: int | None, on_error: OnError, engine: dict[str, Any]
) -> ProblemsFound:
    """The problems of a source; raises `ConfigError` where it has candidates and no model is named for others."""
    sets, _ = candidate_sets(source, columns, limit, on_error, engine)
    if sets is None:
        return problems_of(source, columns, limit, on_error, engine.get("model"))
    if engine.get("model") is None:
        raise ConfigError(
            f"{named(source)} holds candidates already: compare them (tts compare), or name the model that is to "
            "sample others with --model (model= in Python)"
        )
    return ProblemsFound(asked_again(sets, source))


def _same_model(
    source: Any, sets: Iterable[Sampled], strategies: Sequence[Strategy], k: int, engine: dict[str, Any]
) -> None:
    """Samples of this process are completed, or refined, by the model that made them."""
    if isinstance(source, Samples) and engine.get("model") is None:
        short = any(len(one.candidates) < k for one in sets)
        if short or any(one.required().policy for one in strategies):
            engine["model"] = source.model


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
    read: Callable[[], _Plan],
    strategies: Sequence[Strategy],
    k: int,
    grader: str,
    on_result: OnResult | None,
    engine: dict[str, Any],
) -> Comparison:
    labelled = label_strategies(strategies)
    judge = grader_of(grader)
    _checked(engine)
    outcomes_of, sampling = read()

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
            if (own := own_verdicts(graded)) is not None:
                tell(lambda: str(own), engine)
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


def _task_settings(source: Any, grader: str | None, engine: dict[str, Any]) -> tuple[Any, str]:
    """A named task as an object, with its extractor and grader unless the call names others."""
    if source is None or (isinstance(source, str) and source.startswith("task:")):
        reference = parse_reference("sums" if source is None else source.removeprefix("task:"))
        source = task_of(reference.name, **reference.options)
    if isinstance(source, Task):
        engine.setdefault("extractor", source.extractor)
        return source, grader or source.grader
    return at_hand(source), grader or "math"
