"""The verbs of the synchronous face: `solve`, `run`, `sample`, `compare`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar, Unpack

from tts.api.candidate_sets import candidate_sets
from tts.api.progress import following, total_of
from tts.api.samples import Samples
from tts.api.settings import KINDS, Settings, checked, grader_given, settle_names, spelled_out
from tts.api.tally import Unit
from tts.api.warm_models import WarmModels
from tts.bridge.loop import run_sync
from tts.contracts.grader import grader as grader_of
from tts.contracts.labels import label_strategies
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.contracts.task import Task
from tts.contracts.task import task as task_of
from tts.engine.engine import Engine
from tts.engine.reference import DEFAULT_MODEL, placed
from tts.metrics.comparison import Comparison
from tts.metrics.grading import SILENT, Graded, grade
from tts.metrics.made import made_today
from tts.metrics.run import Run
from tts.registry.user_code import Same
from tts.sources.reading import OnError, Source, read_examples, told_source
from tts.sources.reference import parse_reference
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.records import Problem, Result, Sampled

T = TypeVar("T")
OnResult = Callable[[Result], None]
OnRecord = Callable[[dict[str, Any]], None]
DEFAULT_STRATEGIES = ("first", "majority", "gsr")


@spelled_out
def solve(
    problem: str | Problem, *, strategy: str | Strategy = "gsr", k: int = 4, **engine: Unpack[Settings]
) -> Result:
    """Sample k candidates of one problem and decide.

    `engine` takes the arguments of `tts.Engine`: model, scorer, judge, synthesizer, store, sampling, seed and others.
    With no model the embedded miniature is used, which only knows the built-in task. Raises what goes wrong.
    """
    chosen = strategy_of(strategy)

    async def work(one: Engine) -> Result:
        return await one.solve(problem, chosen, k)

    return _with_engine(work, engine, sampling=True, unit="candidate", total=k)


@spelled_out
def run(
    problems: Source = None,
    *,
    strategy: str | Strategy = "gsr",
    k: int = 4,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    on_result: OnResult | None = None,
    on_record: OnRecord | None = None,
    grader: str | Same | None = None,
    **engine: Unpack[Settings],
) -> Run:
    """Sample k candidates for each problem and decide with one strategy; a problem that fails is a result with `error`.

    `problems` is anything that `read_examples` takes: nothing (the built-in task), a text, a list, a file, `task:NAME`,
    `hub:ID`, `-`. `on_result` hears each result as it is decided, `on_record` its row of `Run.records` as
    soon as it is graded, too. All results are held; for more than memory takes,
    iterate over `Engine.run`. `engine` takes the arguments of `tts.Engine`.
    """
    chosen = strategy_of(strategy)
    source, grader = _task_settings(problems, grader, engine)

    def outcomes(one: Engine) -> AsyncGenerator[Outcome, None]:
        return one.run(_examples(source, columns, limit, on_error), [chosen], k)

    total, hears = total_of(source, limit, 1), _Hears(on_result, on_record)
    return _evaluate(
        Run, outcomes, [chosen], k, grader, hears, engine, sampling=True, total=total, told=told_source(problems)
    )  # type: ignore[return-value]  # it builds the class it is given


@spelled_out
def sample(
    problems: Source = None,
    *,
    k: int = 4,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    **engine: Unpack[Settings],
) -> Samples:
    """Sample k candidates for each problem; with a store, only those that are not there yet.

    `problems` and `engine` as in `run`.
    """
    source, _ = _task_settings(problems, None, engine)

    async def work(one: Engine) -> Samples:
        order: dict[str, int] = {}

        read = _examples(source, columns, limit, on_error)  # its first row, before a model is loaded for it

        def examples() -> Iterator[Any]:
            for example in read:
                order[example.problem.id] = len(order)
                yield example

        async with aclosing(one.sample(examples(), k)) as arriving:
            sampled = [each async for each in arriving]
        sampled.sort(key=lambda each: order[each.candidates.problem.id])
        return Samples(sampled, one.model, one.sampling, one.spent)

    return _with_engine(work, engine, sampling=True, unit="candidate", total=total_of(source, limit, k))


@spelled_out
def compare(
    samples: Samples | Source = None,
    *,
    strategies: Sequence[str | Strategy] = DEFAULT_STRATEGIES,
    k: int = 4,
    n: int | None = None,
    order_trials: int = 0,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    on_result: OnResult | None = None,
    grader: str | Same | None = None,
    think: tuple[str, str] | None = None,
    **engine: Unpack[Settings],
) -> Comparison:
    """Let several strategies decide on the same candidates.

    `samples` are candidate sets: of `tts.sample`, a list of `CandidateSet`, a file of `{problem, answer, candidates}`,
    or a store (`.db`, `postgresql://…`); they are taken in non-overlapping groups of k and nothing is sampled. Anything
    else is a source of problems, as in `run`, and is sampled first. With `n`, so many candidates of each problem are
    sampled, and of stored ones no more are taken, for n // k groups; without, k are sampled and all stored ones taken.
    With `order_trials`, strategies that mind the order of their candidates decide again on so many other orders, and
    the comparison says how often that changes the answer. `think` are the tags around the thinking in a file of
    candidates; without, the dialects of models are recognised.
    """
    chosen = _chosen(strategies)
    source, grader = _task_settings(samples, grader, engine)
    sets = candidate_sets(source, columns, limit, on_error, engine, think)
    if isinstance(source, Samples) and engine.get("model") is None:
        short = any(len(one.candidates) < k for one in source.sampled)
        if short or any(one.required().policy for one in chosen):
            engine["model"] = source.model

    def outcomes(one: Engine) -> AsyncGenerator[Outcome, None]:
        if sets is None:
            return one.run(_examples(source, columns, limit, on_error), chosen, k, n=n, order_trials=order_trials)
        return one.compare(_first(sets, n), chosen, k, order_trials=order_trials)

    total = total_of(source, limit, len(chosen)) if sets is None and n in (None, k) else None
    hears = _Hears(on_result, None)
    return _evaluate(
        Comparison,
        outcomes,
        chosen,
        k,
        grader,
        hears,
        engine,
        sampling=sets is None,
        total=total,
        told=told_source(samples),
    )


class _Hears(NamedTuple):
    """Who hears of results: as they are decided, and as rows once they are graded."""

    result: OnResult | None
    record: OnRecord | None


def _chosen(given: object) -> list[Strategy]:
    """Strategies that were given as a list, or one alone."""
    several = [given] if isinstance(given, str | Strategy | type) else given
    if not isinstance(several, Iterable):
        raise ConfigError(f"strategies={given!r}: give a list of names, such as ['majority', 'gsr']")
    return [strategy_of(one) for one in several]


def _first(sets: Iterable[Sampled], n: int | None) -> Iterator[Sampled]:
    """The sets with their first n candidates."""
    for found, answer in sets:
        kept = tuple(c for c in found if n is None or c.index < n)
        yield Sampled(found if len(kept) == len(found) else found.model_copy(update={"candidates": kept}), answer)


def _evaluate(
    kind: type[Comparison],
    outcomes_of: Callable[[Engine], AsyncGenerator[Outcome, None]],
    strategies: Sequence[Strategy],
    k: int,
    grader: str | Same,
    hears: _Hears,
    engine: Settings,
    *,
    sampling: bool,
    total: int | None,
    told: str,
) -> Comparison:
    labelled = label_strategies(strategies)
    judge = grader_of(grader)

    async def work(one: Engine) -> Comparison:
        started = time.monotonic()
        limit = engine.get("request_timeout", "auto")
        seconds = SILENT if limit == "auto" else limit
        outcomes: list[Outcome] = []
        graded: list[Graded] = []
        try:
            async with aclosing(outcomes_of(one)) as arriving:
                async for outcome in arriving:
                    outcomes.append(outcome)
                    for result in outcome.results.values() if hears.result else ():
                        hears.result(result)  # type: ignore[misc]  # not None here
                    if hears.record is not None:
                        graded += await grade([outcome], judge, seconds)
                        for record in kind(graded[-1:], labelled, k, {}, 0.0).records():
                            hears.record(record)
            took = time.monotonic() - started
            outcomes.sort(key=lambda outcome: outcome.order)
            rows = graded or await grade(outcomes, judge, seconds)
            rows.sort(key=lambda row: row.outcome.order)
            done = kind(rows, labelled, k, one.spent, took, one.sampling.max_tokens, engine.get("answers"))
            done.made = made_today(told, one.sampling if sampling else None)
            return done
        finally:
            await judge.aclose()

    return _with_engine(work, engine, sampling=sampling, unit="decision", total=total)


def _with_engine(
    work: Callable[[Engine], Coroutine[Any, Any, T]], asked: Settings, *, sampling: bool, unit: Unit, total: int | None
) -> T:
    settings = checked(asked)
    progress = settings.pop("progress", None)
    given = {role: settings.get(role) for role in KINDS}
    if sampling and given["model"] is None:
        given["model"] = DEFAULT_MODEL
    executor = settings.get("executor")
    texts = {(KINDS[role], text) for role, text in given.items() if isinstance(text, str)}
    references = {(kind, placed(kind, text, executor)) for kind, text in texts}

    async def main() -> T:
        async with WarmModels(references) as models, Engine(models=models, **settings) as engine:
            return await work(engine)

    with following(progress, unit, total) as bars:
        settings["listeners"] = [*(settings.get("listeners") or ()), *bars]
        return run_sync(main)


def _examples(source: Source, columns: Any, limit: int | None, on_error: OnError) -> Iterator[Any]:
    return read_examples(source, columns=columns, limit=limit, on_error=on_error)


def _task_settings(source: Any, grader: str | Same | None, engine: Settings) -> tuple[Any, str | Same]:
    """A named task as an object, with its extractor and grader unless the call names others."""
    settle_names(engine)
    if source is None or (isinstance(source, str) and source.startswith("task:")):
        reference = parse_reference("sums" if source is None else source.removeprefix("task:"))
        source = task_of(reference.name, **reference.options)
    if isinstance(source, Task):
        if engine.get("answers") in (None, "auto"):
            engine.setdefault("extractor", source.extractor)
        return source, grader_given(engine, grader, source.grader)
    return source, grader_given(engine, grader, None)
