"""A stored run as a comparison again: what the store holds, graded anew, without any model."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from tts.answers.forms import form_of
from tts.api.candidate_sets import stored_sets
from tts.bridge.loop import run_sync
from tts.contracts.grader import grader as grader_of
from tts.contracts.labels import label_strategies
from tts.contracts.strategy import Context, Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.metrics.comparison import Comparison
from tts.metrics.grading import Graded, grade
from tts.metrics.made import Made, told_sampling
from tts.store.address import check_exists, is_server, shown_store
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.names import names_from_data
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.record import digest
from tts.vocabulary.records import Candidate, Decision, Provenance, Result, Sampled, Score

_log = logging.getLogger("tts.report")


class _Place(NamedTuple):
    """A group of k candidates of one problem: the number of its set, and of the group in it."""

    order: int
    group: int


class _Held(NamedTuple):
    """A stored result with the number of the set that it decided on."""

    row: dict[str, Any]
    provenance: Provenance
    order: int


class _Recalled(Strategy, extra="allow"):
    """Stands for a strategy that is not here: its name and parameters as the store has them."""

    name: ClassVar[str]

    async def aggregate(self, ctx: Context) -> Decision:
        raise NotImplementedError(f"strategy {self.name!r} is known by its stored decisions only")


def stored_run(
    path: str | Path,
    *,
    k: int | None = None,
    answers: str | None = None,
    grader: str | None = None,
    extractor: str | None = None,
) -> Comparison:
    """The decisions that a store holds, strategies by name, groups that all of them have decided.

    A strategy that is not installed is shown by its name, with a warning; nothing that a store names is imported from a
    file or read from one. `k` chooses where decisions on groups of several sizes are stored; `answers` is the kind of
    answers that the run was told, with its grader and extractor where no other is given. Where a strategy has run with
    other models or another version, the run with the most results counts. Raises `ConfigError` for a store without
    results, with several ks, or with candidates of several models.
    """
    check_exists(path)
    form = form_of(answers or "math")
    sets = list(stored_sets(path, None, {"extractor": extractor or form.extractor}))
    with Store(path, read_only=True) as store:
        held = list(_held(store, sets))
        if not held and (others := store.counts()["results"]):
            raise ConfigError(
                f"store {store.name!r} holds {others:,} decisions on candidates that came from a file and are not in "
                "it: report them with tts compare FILE --report, or import the file (tts store import)"
            )
        size = _only_k(held, k, store.name)
        chosen = _chosen([one for one in held if one.provenance.k == size])
        named = _named(chosen)
        strategies = label_strategies([_recalled(*one) for one in named])
        labels = dict(zip([digest(*one) for one in named], strategies, strict=True))
        outcomes = _outcomes(chosen, sets, labels, size, store)
    graded = _graded(outcomes, grader or form.grader)
    found = Comparison(graded, strategies, size, {}, 0.0, answers=answers)
    samplings = {one.candidates.sampling for one in sets}
    only = next(iter(samplings)) if len(samplings) == 1 else None
    found.made = Made(_name(path), told_sampling(only) if only else "")
    return found


def _name(path: str | Path) -> str:
    """A store as others may read it: without the folder of this machine."""
    return shown_store(path) if is_server(path) else Path(path).name


def _recalled(name: str, parameters: dict[str, object]) -> Strategy:
    """The strategy that a store names, or what stands for it."""
    try:
        with names_from_data():
            return strategy_of(name, **parameters)
    except Exception as error:  # unknown here, or of another version
        _log.warning("strategy %r is shown by its name: %s", name, error)
        known: type[_Recalled] = type("_Recalled", (_Recalled,), {"name": name, "__module__": __name__})
        return known(**parameters)


def _held(store: Store, sets: Sequence[Sampled]) -> Iterator[_Held]:
    places: dict[str, list[int]] = {}  # problems of one text have one decision, and an answer each
    for order, one in enumerate(sets):
        places.setdefault(one.candidates.problem.digest, []).append(order)
    for problem, row in store.results():
        # A result of an early version does not say k: which candidates it decided on cannot be told.
        if problem in places and "k" in row["provenance"]:
            provenance = Provenance.model_validate(row["provenance"])
            yield from (_Held(row, provenance, order) for order in places[problem])


def _group(sampled: Sampled, group: int, k: int) -> tuple[Candidate, ...]:
    """The candidates of a group, indices from 0 as strategies saw them; one that failed is not stored."""
    known = {candidate.index: candidate for candidate in sampled.candidates}
    missing = Candidate(index=0, text="", finish_reason="error", error="it could not be sampled")
    members = (known.get(index, missing) for index in range(group * k, group * k + k))
    return tuple(one.model_copy(update={"index": place}) for place, one in enumerate(members))


def _chosen(held: Sequence[_Held]) -> list[_Held]:
    """For each strategy with its parameters the run with the most results."""
    runs: dict[str, Counter[str]] = defaultdict(Counter)
    for one in held:
        runs[_strategy_of(one)][_run_of(one)] += 1
    kept = {strategy: max(sorted(counts), key=counts.__getitem__) for strategy, counts in runs.items()}
    several = sorted({one.provenance.strategy for one in held if len(runs[_strategy_of(one)]) > 1})
    if several:
        names = ", ".join(several)
        _log.warning("%s: several runs are stored, with other models or versions; the largest is shown", names)
    return [one for one in held if _run_of(one) == kept[_strategy_of(one)]]


def _run_of(one: _Held) -> str:
    """What results of one run have in common: neither what a group did without, nor what models are called."""
    return digest(one.provenance.model_dump(mode="json", exclude={"dropped", "stopped", "named"}))


def _strategy_of(one: _Held) -> str:
    return digest(one.provenance.strategy, one.provenance.parameters)


def _only_k(held: Sequence[_Held], k: int | None, name: str) -> int:
    if not held:
        raise ConfigError(f"store {name!r} holds no decisions of strategies on stored candidates; run tts compare")
    ks = sorted({one.provenance.k for one in held})
    found = f"store {name!r} holds decisions on groups of {', '.join(map(str, ks))}"
    if k is None and len(ks) > 1:
        raise ConfigError(f"{found}; say which with k= (-k)")
    if k is not None and k not in ks:
        raise ConfigError(f"{found}, none of k={k}")
    return ks[0] if k is None else k


def _named(held: Iterable[_Held]) -> list[tuple[str, dict[str, object]]]:
    found = {_strategy_of(one): (one.provenance.strategy, one.provenance.parameters) for one in held}
    order = {"first": "0", "majority": "1"}  # baselines lead
    return sorted(found.values(), key=lambda pair: (order.get(pair[0], "2"), pair[0], str(pair[1])))


def _outcomes(
    held: Sequence[_Held], sets: Sequence[Sampled], labels: dict[str, str], k: int, store: Store
) -> list[Outcome]:
    """The groups that every strategy decided; `labels` by digest of name and parameters."""
    rows: dict[_Place, dict[str, Result]] = defaultdict(dict)
    for one in held:
        problem = sets[one.order].candidates.problem
        candidates = _group(sets[one.order], one.row["group"], k)
        result = Result.model_validate(one.row | {"problem": problem, "candidates": candidates})
        rows[_Place(one.order, result.group)][labels[_strategy_of(one)]] = result
    whole = {place: found for place, found in sorted(rows.items()) if len(found) == len(labels)}
    if len(whole) < len(rows):
        _log.warning("%d groups that not every strategy has decided are left out", len(rows) - len(whole))
    return [_outcome(place, found, sets[place.order], list(labels.values()), store) for place, found in whole.items()]


def _outcome(place: _Place, found: dict[str, Result], sampled: Sampled, labels: list[str], store: Store) -> Outcome:
    results = {label: found[label] for label in labels}
    candidates = results[labels[0]].candidates
    problem = sampled.candidates.problem
    scores = _scores(results, candidates, problem.digest, store)
    return Outcome(place.order, problem, sampled.answer, place.group, candidates, results, {}, None, scores)


def _scores(
    results: dict[str, Result], candidates: Sequence[Candidate], problem: str, store: Store
) -> dict[int, float] | None:
    """What a scorer that goes by the text alone said of the candidates."""
    scorers = {one.provenance.models["scorer"] for one in results.values() if "scorer" in one.provenance.models}
    calls = ((c.index, store.call(digest("score", name, problem, c.text))) for name in scorers for c in candidates)
    return {index: Score.model_validate_json(text).value for index, text in calls if text is not None} or None


def _graded(outcomes: Sequence[Outcome], grader: str) -> list[Graded]:
    async def work() -> list[Graded]:
        judge = grader_of(grader)
        try:
            return await grade(outcomes, judge)
        finally:
            await judge.aclose()

    return run_sync(work)
