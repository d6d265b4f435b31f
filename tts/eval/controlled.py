"""Controls: the same strategies on candidates that were changed, beside those that were not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Unpack

from tts.api.settings import Settings, extractor_given, grader_given, settle_answers, spelled_out
from tts.api.verbs import compare
from tts.bridge.loop import run_sync
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.grader import grader as grader_of
from tts.contracts.strategy import Strategy
from tts.contracts.task import Fault, Task
from tts.contracts.task import task as task_of
from tts.engine.reference import DEFAULT_MODEL
from tts.eval.control_kinds import Control, Group, Plant, controls_of
from tts.metrics.accuracies import share_correct
from tts.metrics.comparison import Comparison
from tts.metrics.difference import clustered_difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded
from tts.metrics.tables import Table, percent
from tts.registry.user_code import Same
from tts.sources.reading import OnError
from tts.sources.reference import parse_reference
from tts.vocabulary.errors import ConfigError, did_you_mean
from tts.vocabulary.records import Candidate, CandidateSet, Problem, Result, Sampled
from tts.vocabulary.thinking import split_thinking

DEFAULT_STRATEGIES = ("majority", "gsr")
# Whose answer the candidates of a control speak for, where that is not the problem's gold answer.
_SPEAKS_FOR: dict[str, Literal["donor", "candidates"]] = {
    "other": "donor",
    "copies": "candidates",
    "consensus": "candidates",
}


class ControlResult(NamedTuple):
    """What one strategy does under one control.

    `groups` is how many groups had what the control takes. `accuracy` is over them, `versus_own` that accuracy minus
    the accuracy with the candidates as they are, `versus_majority` minus the majority's with the changed ones; both
    paired on the same groups, `None` for the strategy that would be compared with itself. `followed` is how often the
    strategy gave the answer that the candidates were changed to speak for, which is another problem's or a wrong one;
    `None` for controls that have no such answer.
    """

    control: str
    strategy: str
    groups: int
    accuracy: Estimate | None
    versus_own: Estimate | None
    versus_majority: Estimate | None
    followed: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {k: v.to_dict() if isinstance(v, Estimate) else v for k, v in self._asdict().items()}


class Controls(NamedTuple):
    """Strategies under controls; prints as one table for each strategy, with sentences below.

    `comparisons` are by control, `says` tells what each does. `chooses` are strategies that only ever chose one of the
    candidates, so that another problem's leave them nothing right to say.
    """

    results: list[ControlResult]
    comparisons: dict[str, Comparison]
    says: dict[str, str]
    chooses: frozenset[str]
    k: int

    def of(self, strategy: str) -> dict[str, ControlResult]:
        """One strategy's results by control."""
        return {one.control: one for one in self.results if one.strategy == strategy}

    def tables(self) -> list[Table]:
        """One for each strategy, then one that says what the controls do."""
        each = [self._table(strategy) for strategy in dict.fromkeys(one.strategy for one in self.results)]
        return [
            *each,
            Table("What the controls do", ["control", "candidates"], [list(one) for one in self.says.items()]),
        ]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def markdown(self) -> str:
        """The tables for a page."""
        return "\n\n".join(table.markdown() for table in self.tables()) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: shares, intervals (low, high)."""
        return {
            "k": self.k,
            "controls": self.says,
            "results": [one.to_dict() for one in self.results],
            "sentences": {name: self.sentences(name) for name in dict.fromkeys(one.strategy for one in self.results)},
        }

    def sentences(self, strategy: str) -> list[str]:
        """What the controls say of a strategy, in words; where intervals do not tell, the words say so."""
        found = self.of(strategy)
        if strategy in self.chooses:
            return ["It chose one of its candidates every time, so its answers can be no better than theirs."]
        told = [_reads(found.get("other")), _uses(found, self.comparisons, strategy), _needs_solutions(found)]
        told += [_copies(found.get(name), self.says[name]) for name in ("copies", "consensus") if name in found]
        return [sentence for sentence in told if sentence]

    def _table(self, strategy: str) -> Table:
        head = ["control", "groups", "accuracy", "minus own", "minus majority"]
        rows = [
            [
                name,
                str(one.groups),
                "–" if one.accuracy is None else percent(one.accuracy.mean),
                _signed(one.versus_own),
                _signed(one.versus_majority),
            ]
            for name, one in self.of(strategy).items()
        ]
        kept = [i for i in range(len(head)) if i < 3 or any(row[i] for row in rows)]
        head, *rows = ([line[i] for i in kept] for line in (head, *rows))
        return Table(
            f"{strategy} under controls, k={self.k}, with 95 % intervals", head, rows, self.sentences(strategy)
        )


@spelled_out
def controls(
    samples: Any = None,
    *,
    strategies: Sequence[str | Strategy] = DEFAULT_STRATEGIES,
    k: int = 4,
    only: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    grader: str | Same | None = None,
    **settings: Unpack[Settings],
) -> Controls:
    """Let strategies decide on their candidates, then on the same candidates changed, to see what they go by.

    Does a strategy read the problem, or would it answer whatever its candidates answer? Does it use them at all? What
    does it copy? The controls are `tts.eval.control_kinds.controls_of`'s; `only` chooses some by name, `own` is always
    among them. `samples` and `settings` are those of `tts.compare`; every group needs a gold answer. What a task can
    plant in a solution (`Task.planted`) it plants; in others a number is changed. Which group is changed how follows
    from `seed`. Groups that lack what a control takes are left out of it. Raises `ConfigError` for a control that is
    not there, and where no group is graded.
    """
    chosen = _chosen(controls_of(k), only)
    source, plant = _task(samples)
    settle_answers(settings, source, columns)
    if isinstance(source, Task):
        grader = grader_given(settings, grader, source.grader)
        if settings.get("answers") is None:
            settings.setdefault("extractor", source.extractor)
        if settings.get("model") is None and source.name == "sums":
            settings["model"] = DEFAULT_MODEL
    shared: dict[str, Any] = {"strategies": strategies, "k": k, "grader": grader, **settings}
    own = compare(source, columns=columns, limit=limit, on_error=on_error, **shared)
    groups = _groups(own, plant, settings.get("seed") or 0)
    if not groups:
        raise ConfigError("nothing to control: no group of candidates was sampled and graded; give gold answers")
    extract = extractor_of(extractor_given(settings))
    made = _Made(own, {}, {})
    for control in chosen:
        changed = [_changed(control, group, extract) for group in groups.values()]
        places = [place for place, one in zip(groups, changed, strict=True) if one is not None]
        sets = [one for one in changed if one is not None]
        if control.name != "own" and sets:
            made.comparisons[control.name] = compare(sets, **shared)
        made.places[control.name] = places
    results = [
        _result(control.name, label, made, groups, grader_given(settings, grader, None))
        for label in own.strategies
        for control in chosen
    ]
    says = {control.name: control.says for control in chosen}
    chooses = frozenset(label for label in own.strategies if _only_chose(own, label))
    return Controls(results, {"own": own, **made.comparisons}, says, chooses, k)


class _Made(NamedTuple):
    """The comparison of the candidates as they are, those of controls, the places in the first of their groups."""

    own: Comparison
    comparisons: dict[str, Comparison]
    places: dict[str, list[int]]


def _chosen(known: Sequence[Control], only: Sequence[str] | None) -> list[Control]:
    if only is None:
        return list(known)
    names = [one.name for one in known]
    for name in only:
        if name not in names:
            raise ConfigError(f"there is no control {name!r}{did_you_mean(name, names)}; they are {', '.join(names)}")
    return [one for one in known if one.name == "own" or one.name in only]


def _task(samples: Any) -> tuple[Any, Plant]:
    """The source, a named task as an object, and what plants faults in its solutions."""
    if samples is None or (isinstance(samples, str) and samples.startswith("task:")):
        reference = parse_reference("sums" if samples is None else samples.removeprefix("task:"))
        samples = task_of(reference.name, **reference.options)
    if isinstance(samples, Task):
        return samples, samples.planted

    def nothing(_problem: Problem, _fault: Fault, _rng: random.Random) -> str | None:
        return None

    return samples, nothing


def _groups(own: Comparison, plant: Plant, seed: int) -> dict[int, Group]:
    """The graded groups by their place in the comparison, each with the group of another problem as its donor."""
    graded = {place: row for place, row in enumerate(own.rows) if row.candidates}
    by_problem: dict[str, list[Graded]] = {}
    for row in graded.values():
        by_problem.setdefault(row.outcome.problem.digest, []).append(row)
    found = {}
    for place, row in graded.items():
        outcome, correct = row.outcome, row.candidates or ()
        rng = random.Random(f"{seed} {place} {outcome.problem.digest}")
        siblings = by_problem[outcome.problem.digest]
        judged = [pair for one in siblings for pair in zip(one.outcome.candidates, one.candidates or (), strict=True)]
        donor, donor_gold = _donor(row, list(graded.values()), rng)
        found[place] = Group(
            problem=outcome.problem,
            gold=outcome.answer or "",
            candidates=outcome.candidates,
            correct=correct,
            wrong=tuple(c for c, right in judged if not right and c.ok),
            right=tuple(c for c, right in judged if right and c.ok),
            donor=donor,
            donor_gold=donor_gold,
            plant=plant,
            rng=rng,
        )
    return found


def _donor(row: Graded, rows: Sequence[Graded], rng: random.Random) -> tuple[tuple[Candidate, ...], str | None]:
    """Candidates of another problem with another gold answer; none where all problems have one answer."""
    start = rng.randrange(len(rows))
    for other in (*rows[start:], *rows[:start]):
        theirs, ours = other.outcome, row.outcome
        if theirs.problem.digest != ours.problem.digest and theirs.answer != ours.answer:
            return theirs.candidates, theirs.answer
    return (), None


def _changed(control: Control, group: Group, extract: Any) -> Sampled | None:
    made = control.change(group)
    if not made:
        return None
    candidates = tuple(_candidate(index, one, extract) for index, one in enumerate(made))
    return Sampled(CandidateSet(problem=group.problem, candidates=candidates), group.gold)


def _candidate(index: int, made: Candidate | str, extract: Any) -> Candidate:
    if isinstance(made, Candidate):
        return made.model_copy(update={"index": index})
    thinking, summary = split_thinking(made)
    return Candidate(index=index, text=made, thinking=thinking, summary=summary, answer=extract(summary or made))


def _result(name: str, label: str, made: _Made, groups: Mapping[int, Group], grader: str | Same) -> ControlResult:
    places = made.places[name]
    if name != "own" and name not in made.comparisons:
        return ControlResult(name, label, 0, None, None, None, None)
    own = [made.own.rows[place] for place in places]
    rows = own if name == "own" else made.comparisons[name].rows
    baseline = made.own.baseline
    return ControlResult(
        name,
        label,
        len(rows),
        _mean([(row, share_correct(row, label)) for row in rows]),
        None if name == "own" else _difference(rows, label, own, label),
        None if baseline in (None, label) else _difference(rows, label, rows, str(baseline)),
        _followed(name, label, rows, [groups[place] for place in places], grader),
    )


def _mean(values: Sequence[tuple[Graded, float | None]]) -> Estimate | None:
    return clustered_mean(((row.outcome.problem.digest, one) for row, one in values if one is not None), (0.0, 1.0))


def _difference(rows: Sequence[Graded], label: str, others: Sequence[Graded], other: str) -> Estimate | None:
    """Paired: the rows at one place are of one group."""
    return clustered_difference(
        (row.outcome.problem.digest, ours - theirs)
        for row, beside in zip(rows, others, strict=True)
        if (ours := share_correct(row, label)) is not None and (theirs := share_correct(beside, other)) is not None
    )


def _followed(
    name: str, label: str, rows: Sequence[Graded], groups: Sequence[Group], grader: str | Same
) -> Estimate | None:
    """How often outputs are what the changed candidates speak for."""
    if name not in _SPEAKS_FOR:
        return None
    asked: list[tuple[Graded, tuple[str, str | None]]] = []
    for row, group in zip(rows, groups, strict=True):
        spoken = row.outcome.candidates[0].answer if _SPEAKS_FOR[name] == "candidates" else group.donor_gold
        if spoken is not None:
            asked += [(row, (spoken, answer)) for answer in _answers(row.outcome.results[label])]
    judge = grader_of(grader)

    async def ask() -> list[bool]:
        try:
            return list(await judge.grade([pair for _, pair in asked]))
        finally:
            await judge.aclose()

    verdicts = run_sync(ask) if asked else []
    return _mean([(row, float(verdict)) for (row, _), verdict in zip(asked, verdicts, strict=True)])


def _answers(result: Result) -> list[str | None]:
    return [result.answer, *result.alternatives]


def _only_chose(own: Comparison, label: str) -> bool:
    decisions = [d for row in own.rows if (d := row.outcome.results[label].decision) is not None]
    return bool(decisions) and all(decision.chosen is not None for decision in decisions)


def _signed(difference: Estimate | None) -> str:
    if difference is None:
        return ""
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _share(share: Estimate) -> str:
    return f"{percent(share.mean)} % [{percent(share.low)}, {percent(share.high)}]"


def _reads(other: ControlResult | None) -> str:
    """Whether it answers its own problem, or the one that its candidates are of."""
    if other is None or other.accuracy is None or other.followed is None:
        return ""
    theirs, own = _share(other.followed), _share(other.accuracy)
    seen = f"shown another problem's candidates it solves that one in {theirs}, its own in {own}"
    if other.followed.low > other.accuracy.high:
        return f"It follows its candidates, not the problem: {seen}."
    if other.accuracy.low > other.followed.high:
        return f"It reads the problem: {seen}."
    return f"Cannot tell whether it reads the problem: {seen}."


def _uses(found: Mapping[str, ControlResult], compared: Mapping[str, Comparison], strategy: str) -> str:
    """Whether candidates are better than none."""
    empty = found.get("empty")
    if empty is None or empty.versus_own is None or strategy not in compared["own"].strategies:
        return ""
    gain = empty.versus_own
    mean, low, high = (100 * (0.0 - share) for share in (gain.mean, gain.high, gain.low))
    points = f"{mean:+.1f} points [{low:+.1f}, {high:+.1f}]"
    if gain.high < 0:
        return f"Its candidates help: {points} over candidates without text."
    if gain.low > 0:
        return f"Its candidates harm: {points} over candidates without text."
    return f"Cannot tell whether its candidates help: {points} over candidates without text."


def _needs_solutions(found: Mapping[str, ControlResult]) -> str:
    """Whether it takes a right answer that comes without a solution."""
    boxes, right = found.get("right boxes"), found.get("right")
    if boxes is None or right is None or boxes.accuracy is None or right.accuracy is None:
        return ""
    return (
        f"With right answers and no solutions it is right in {_share(boxes.accuracy)}, with right solutions in "
        f"{_share(right.accuracy)}."
    )


def _copies(one: ControlResult | None, says: str) -> str:
    """Whether it repeats what all its candidates say, where that is wrong."""
    if one is None or one.followed is None or one.accuracy is None:
        return ""
    return f"Given {says}, it gives that answer in {_share(one.followed)} and the right one in {_share(one.accuracy)}."
