"""The verbs of the synchronous face: `solve`, `run`, `sample`, `compare`."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar, Unpack

from tts.api.candidate_sets import candidate_sets
from tts.api.problems import Found as ProblemsFound
from tts.api.problems import asked_again, problems_of
from tts.api.progress import following, total_of
from tts.api.reading import OnText, Reader
from tts.api.samples import Samples
from tts.api.settings import KINDS, Settings, checked, grader_given, settle_answers, settle_names, spelled_out
from tts.api.tally import Unit
from tts.api.told import hint_answers, tell, tell_understood
from tts.api.warm_models import WarmModels
from tts.bridge.loop import run_sync
from tts.contracts.grader import grader as grader_of
from tts.contracts.labels import label_strategies
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.contracts.task import Task
from tts.contracts.task import task as task_of
from tts.engine.built_in import check_sum
from tts.engine.engine import Engine
from tts.engine.reference import DEFAULT_MODEL, placed
from tts.engine.terms import Terms
from tts.metrics.comparison import Comparison
from tts.metrics.grading import SILENT, Graded, grade
from tts.metrics.made import made_today
from tts.metrics.own_verdicts import own_verdicts
from tts.metrics.run import Run
from tts.registry.user_code import Same
from tts.sources.layout import named
from tts.sources.opening import Source, at_hand
from tts.sources.reading import OnError, told_source
from tts.sources.reference import parse_reference
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.record import digest
from tts.vocabulary.records import Problem, Result, Sampled

T = TypeVar("T")
OnResult = Callable[[Result], None]
OnRecord = Callable[[dict[str, Any]], None]
DEFAULT_STRATEGIES = ("first", "majority", "gsr")


@spelled_out
def solve(
    problem: str | Problem,
    *,
    strategy: str | Strategy = "gsr",
    k: int = 4,
    on_text: OnText | None = None,
    **engine: Unpack[Settings],
) -> Result:
    """Sample k candidates of one problem and decide.

    `on_text` hears the answer without its thinking, bit by bit where a model that can tell of it writes it, a chosen
    one at once. Where it became another one after its beginning had been told, no more is told; the result has it.

    `engine` takes the arguments of `tts.Engine`: model, scorer, judge, synthesizer, store, sampling, seed and others.
    With no model the embedded miniature is used, which only knows the built-in task. Raises what goes wrong.
    """
    chosen = strategy_of(strategy)
    checked(engine)
    settle_names(engine)
    if engine.get("model") is None and (text := problem.text if isinstance(problem, Problem) else str(problem)).strip():
        check_sum(text)

    reader = None if on_text is None else Reader(on_text)

    async def work(one: Engine) -> Result:
        return await one.solve(problem, chosen, k, terms=Terms(tell=reader))

    result = _with_engine(work, engine, sampling=True, unit="candidate", total=k)
    if reader is not None:
        reader.end(result)
    return result


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
    `hub:ID`, `-`; candidate sets, as in `compare`, are decided on in groups of k. `on_result` hears each result as it
    is decided, `on_record` its row of `Run.records` as soon as it is graded, too. All results are held; for more than
    memory takes, iterate over `Engine.run`. `engine` takes the arguments of `tts.Engine`.
    """
    chosen = [strategy_of(strategy)]
    source, grader = _task_settings(problems, columns, grader, engine)

    def read() -> _Plan:
        return _read(source, chosen, k, None, columns, limit, on_error, None, grader, engine)

    hears = _Hears(on_result, on_record)
    return _evaluate(Run, read, chosen, k, grader, hears, engine, told_source(problems))  # type: ignore[return-value]  # it builds the class it is given


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

    `problems` and `engine` as in `run`; of candidate sets the problems are sampled anew, with a warning.
    """
    source, grader = _task_settings(problems, columns, None, engine)
    checked(engine)
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

    return _with_engine(work, engine, sampling=True, unit="candidate", total=total_of(source, limit, k))


@spelled_out
def compare(
    samples: Samples | Source = None,
    *,
    strategies: Sequence[str | Strategy] = DEFAULT_STRATEGIES,
    k: int = 4,
    n: int | None = None,
    order_trials: int = 0,
    shuffle: bool = False,
    balanced: bool = False,
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
    the comparison says how often that changes the answer. With `shuffle`, stored candidates of each problem come in a
    random order, drawn by the seed, before they are put into groups: for sets that are pooled from several models or
    settings, where neighbours are alike. With `balanced`, groups overlap where k does not divide how many candidates
    there are: each is in equally many of n / gcd(n, k) groups, drawn by the seed, and none is left out. `think` are the
    tags around the thinking in a file of candidates; without, the dialects of models are recognised.
    """
    chosen = _chosen(strategies)
    source, grader = _task_settings(samples, columns, grader, engine)

    def read() -> _Plan:
        return _read(
            source, chosen, k, n, columns, limit, on_error, think, grader, engine, order_trials, shuffle, balanced
        )

    return _evaluate(Comparison, read, chosen, k, grader, _Hears(on_result, None), engine, told_source(samples))


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


class _Plan(NamedTuple):
    """What an engine is to decide on, whether candidates are sampled for it, how many decisions there will be."""

    outcomes_of: Callable[[Engine], AsyncGenerator[Outcome, None]]
    sampling: bool
    total: int | None = None


def _read(
    source: Any,
    strategies: Sequence[Strategy],
    k: int,
    n: int | None,
    columns: Mapping[str, str] | None,
    limit: int | None,
    on_error: OnError,
    think: tuple[str, str] | None,
    grader: str | Same,
    engine: Settings,
    order_trials: int = 0,
    shuffle: bool = False,
    balanced: bool = False,
) -> _Plan:
    """The source, read: candidate sets to decide on, or problems to sample candidates of."""
    sets, understood = candidate_sets(source, columns, limit, on_error, engine, think)
    if sets is not None:
        given = sets
        _same_model(source, given, strategies, k, engine)
        tell_understood(understood, strategies, grader, engine, sampling=False)
        seed = (engine.get("seed") or 0) if shuffle else None

        def decide(one: Engine) -> AsyncGenerator[Outcome, None]:
            taken = _first(given, n, seed)
            return one.compare(taken, strategies, k, order_trials=order_trials, balanced=balanced)

        return _Plan(decide, False)
    examples, understood = problems_of(source, columns, limit, on_error, engine.get("model"))
    tell_understood(understood, strategies, grader, engine, sampling=True)
    total = total_of(source, limit, len(strategies)) if n in (None, k) else None

    def sample_and_decide(one: Engine) -> AsyncGenerator[Outcome, None]:
        return one.run(examples, strategies, k, n=n, order_trials=order_trials, balanced=balanced)

    return _Plan(sample_and_decide, True, total)


def _to_sample(
    source: Any, columns: Mapping[str, str] | None, limit: int | None, on_error: OnError, engine: Settings
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


def _same_model(source: Any, sets: Iterable[Sampled], strategies: Sequence[Strategy], k: int, engine: Settings) -> None:
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
    grader: str | Same,
    hears: _Hears,
    engine: Settings,
    told: str,
) -> Comparison:
    labelled = label_strategies(strategies)
    judge = grader_of(grader)
    checked(engine)
    outcomes_of, sampling, total = read()

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
            if (own := own_verdicts(rows)) is not None:
                tell(lambda: str(own), engine)
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


def _task_settings(
    source: Any, columns: Mapping[str, str] | None, grader: str | Same | None, engine: Settings
) -> tuple[Any, str | Same]:
    """A named task as an object, with its extractor and grader unless the call names others.

    Of any other source the kind of answers is found out where the call asks for that.
    """
    settle_names(engine)
    if source is None or (isinstance(source, str) and source.startswith("task:")):
        reference = parse_reference("sums" if source is None else source.removeprefix("task:"))
        source = task_of(reference.name, **reference.options)
    source = at_hand(source)
    settle_answers(engine, source, columns)
    if not isinstance(source, Task):
        if grader is None:
            hint_answers(source, columns, engine)
        return source, grader_given(engine, grader, None)
    if engine.get("answers") is None:
        engine.setdefault("extractor", source.extractor)
    return source, grader_given(engine, grader, source.grader)
