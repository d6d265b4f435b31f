"""Accuracy apart by what problems have in common: a column of theirs, or how difficult they are."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

from tts.metrics.accuracies import Set, present, recorded, set_of
from tts.metrics.confidence import Confidence
from tts.metrics.difference import Difference, difference
from tts.metrics.estimate import Estimate
from tts.metrics.grading import Graded
from tts.metrics.pairs import Verdict
from tts.vocabulary.errors import ConfigError, did_you_mean

DIFFICULTY = "difficulty"
SMALL = 20  # problems; below, intervals were not tried (benchmarks/calibration.py)
MOST = 12  # values of a column; of numbers with more, there are bands
BANDS = 4
_OTHERS, _NONE = "others", "(none)"


class StratumGap(NamedTuple):
    """A strategy minus the baseline in one stratum, with the interval that holds for all strata and strategies at once.

    The verdict is whether that one leaves 0 out.
    """

    difference: Estimate
    among: Estimate

    @property
    def verdict(self) -> Verdict:
        """Better or worse than the baseline, or one cannot tell."""
        return "better" if self.among.low > 0 else "worse" if self.among.high < 0 else "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = {"difference": self.difference.to_dict(), "among": self.among.to_dict()}
        return found | {"verdict": self.verdict}


class Stratum(NamedTuple):
    """The groups of one value of a column, or of one band: how right candidates and strategies are in it."""

    name: str
    problems: int
    groups: int
    pass_at_1: Estimate | None
    accuracy: dict[str, Estimate]
    gaps: dict[str, StratumGap]

    @property
    def small(self) -> bool:
        """It has fewer problems than intervals were tried with."""
        return self.problems < SMALL

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "problems": self.problems,
            "groups": self.groups,
            "pass@1": self.pass_at_1.to_dict() if self.pass_at_1 else None,
            "accuracy": {label: one.to_dict() for label, one in self.accuracy.items()},
            "gap_to_majority": {label: one.to_dict() for label, one in self.gaps.items()},
        }


class Stratified(NamedTuple):
    """The strata of a column in order; `compared` gaps share one family of intervals. `notes` say what is not as asked.

    `circular` says that difficulty had to be taken from the very candidates that strategies decided on.
    """

    by: str
    strata: tuple[Stratum, ...]
    compared: int
    notes: tuple[str, ...] = ()
    circular: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "by": self.by,
            "compared": self.compared,
            "circular": self.circular,
            "notes": list(self.notes),
            "strata": [one.to_dict() for one in self.strata],
        }


class _Parts(NamedTuple):
    """Rows by stratum, in order."""

    rows: dict[str, list[Graded]]
    notes: tuple[str, ...] = ()
    circular: bool = False


class Strata(Confidence):
    """The questions of strata; `Comparison` answers them from its rows."""

    by: Sequence[str] = ()
    """The columns, or "difficulty", by which tables and reports show strata."""

    def strata(self, by: str) -> Stratified:
        """Accuracy and gap to the majority for each value of a column of the problems' metadata, or "difficulty".

        A column is a key of `metadata`, or of what was recorded beside candidates where all of a group have the same.
        Numbers of more than twelve values are put into four bands of equally many groups; of other columns those with
        the fewest groups are put together. The intervals of all gaps hold at once (Bonferroni). What a number is over,
        groups or subsets, is as elsewhere.

        Difficulty is the accuracy of candidates, in four bands. That of a group is taken from the problem's *other*
        groups: what strategies decided on has no part in it, so that a band of hard problems is not one of unlucky
        candidates, in which everything else does better (regression to the mean). Where a problem has one group there
        are no others; then the group's own candidates count, and a note says so. Over the groups in any case.

        Raises `ConfigError` for a column that no problem has.
        """
        parts = self._by_difficulty() if by == DIFFICULTY else self._by_column(by)
        found = {name: self._of(rows, by) for name, rows in parts.rows.items()}
        gaps = {name: part._gaps_to_baseline() for name, part in found.items()}  # noqa: SLF001 - its own class
        asked = sum(map(len, gaps.values()))
        strata = []
        for name, part in found.items():
            own = {label: StratumGap(one.interval(), one.interval(asked)) for label, one in gaps[name].items()}
            strata.append(part._stratum(name, own))  # noqa: SLF001 - its own class
        return Stratified(by, tuple(strata), asked, parts.notes, parts.circular)

    def stratified(self) -> dict[str, Stratified]:
        """The strata of every column in `by`; one that no problem has is without strata, and a note says so."""
        found = {}
        for name in self.by:
            try:
                found[name] = self.strata(name)
            except ConfigError as error:
                found[name] = Stratified(name, (), 0, (str(error),))
        return found

    def check_by(self) -> None:
        """Raise `ConfigError` for a column in `by` that no problem has."""
        for name in self.by:
            if name != DIFFICULTY:
                self._check_column(name)

    def _strata_summary(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for."""
        return {name: one.to_dict() for name, one in self.stratified().items()}

    @cached_property
    def columns(self) -> list[str]:
        """The columns that `strata` can go by: of problems, and texts beside their candidates."""
        names: dict[str, None] = {}
        for row in self.rows:
            known = row.outcome.problem.metadata
            names |= dict.fromkeys(name for name in known if name != "recorded")
            names |= dict.fromkeys(name for name in recorded(row) if _texts(row, name))
        return list(names)

    def _gaps_to_baseline(self) -> dict[str, Difference]:
        """The difference of each strategy that has one, of two problems or more."""
        baseline = self.baseline
        found = {
            label: difference(sorted((problem, float(one)) for problem, one in observed))
            for label in self.strategies
            if baseline not in (None, label) and (observed := self._differences(label, str(baseline)))
        }
        return {label: one for label, one in found.items() if one is not None and one.problems > 1}

    def _stratum(self, name: str, gaps: dict[str, StratumGap]) -> Stratum:
        accuracy = {}
        for label in self.strategies:
            over = self.unbiased(label) if self.estimated(label) == "subsets" else self.accuracy(label)
            if over is not None:
                accuracy[label] = over
        problems = len({row.outcome.problem.digest for row in self.rows})
        return Stratum(name, problems, len(self.rows), self._mean(_right), accuracy, gaps)

    def _of(self, rows: Sequence[Graded], by: str) -> Self:
        """The same comparison of some of its rows."""
        part = copy.copy(self)
        for name in list(vars(part)):
            if isinstance(getattr(type(self), name, None), cached_property):
                del vars(part)[name]
        part.rows = list(rows)
        part.estimator = "groups" if by == DIFFICULTY else self.estimator
        return part

    def _by_column(self, by: str) -> _Parts:
        self._check_column(by)
        values = [_value(row, by) for row in self.rows]
        numbers = {one for one in values if one is not None}
        if len(numbers) > MOST and all(isinstance(one, int | float) for one in numbers):
            return self._banded(values)
        texts = [_NONE if one is None else str(one) for one in values]
        rows: dict[str, list[Graded]] = defaultdict(list)
        for text, row in zip(texts, self.rows, strict=True):
            rows[text].append(row)
        notes = [f"{len(rows[_NONE]):,} groups have no {by}"] if _NONE in rows else []
        ranked = sorted(rows, key=lambda name: -len(rows[name]))
        if len(ranked) > MOST:
            rest = [name for name in rows if name in ranked[MOST - 1 :]]
            kept = {name: own for name, own in rows.items() if name not in rest}
            kept[_OTHERS] = [row for name in rest for row in rows[name]]
            notes.append(f"{_OTHERS}: {len(rest):,} values of {by} with the fewest groups")
            rows = kept
        ordered = sorted(rows, key=lambda name: (name == _OTHERS, name == _NONE, _natural(name)))
        return _Parts({name: rows[name] for name in ordered}, tuple(notes))

    def _check_column(self, by: str) -> None:
        if by not in self.columns:
            raise ConfigError(f"no problem has a column {by!r}{did_you_mean(by, [*self.columns, DIFFICULTY])}")

    def _banded(self, values: Sequence[Any]) -> _Parts:
        """Numbers in bands of about equally many groups; what is equal is in one band."""
        known = sorted((value, place) for place, value in enumerate(values) if value is not None)
        bands: list[list[tuple[float, int]]] = [[]]
        for value, place in known:
            full = len(bands[-1]) >= len(known) / BANDS
            if full and len(bands) < BANDS and value > bands[-1][-1][0]:
                bands.append([])
            bands[-1].append((value, place))
        rows = {
            f"{own[0][0]:g} … {own[-1][0]:g}": [self.rows[place] for place in sorted(place for _, place in own)]
            for own in bands
        }
        missing = [row for row, value in zip(self.rows, values, strict=True) if value is None]
        return _Parts({**rows, _NONE: missing} if missing else rows)

    def _by_difficulty(self) -> _Parts:
        right: dict[Set, list[bool]] = defaultdict(list)
        for row in self.rows:
            right[set_of(row)] += present(row) if row.candidates is not None else ()
        alone = all(len(right[set_of(row)]) == len(present(row)) for row in self.rows if row.candidates is not None)
        bands: dict[int, list[Graded]] = defaultdict(list)
        left = 0
        for row in self.rows:
            own = present(row) if row.candidates is not None else []
            every = right[set_of(row)]
            of = len(own) if alone else len(every) - len(own)
            if row.candidates is None or not of:
                left += row.candidates is not None
                continue
            share = (sum(own) if alone else sum(every) - sum(own)) / of
            bands[min(math.floor(BANDS * share + 1e-9), BANDS - 1)].append(row)
        return _Parts({_band(place): bands[place] for place in sorted(bands)}, tuple(_said(left, alone=alone)), alone)


def _right(row: Graded) -> float | None:
    """The share of a group's candidates that is right.

    Groups count alike: in a band of difficulty are the more groups of a problem, the less right its candidates are
    there, so that a mean over problems would be another band's.
    """
    there = present(row) if row.candidates is not None else []
    return sum(there) / len(there) if there else None


def _texts(row: Graded, name: str) -> list[str]:
    """The texts in a list beside the candidates."""
    beside = recorded(row).get(name)
    return [one for one in beside if isinstance(one, str)] if isinstance(beside, list) else []


def _value(row: Graded, by: str) -> Any:
    """A row's value of a column: a number or text; `None` for nothing, "mixed" where its candidates differ in it."""
    value = row.outcome.problem.metadata.get(by)
    if value is None and (each := set(_texts(row, by))):
        value = each.pop() if len(each) == 1 else "mixed"
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        return str(value)
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def _band(place: int) -> str:
    return ("under 25 %", "25 to 50 %", "50 to 75 %", "75 % and up")[place]


def _said(left: int, *, alone: bool) -> list[str]:
    if alone:
        told = (
            "each problem has one group, so its difficulty is that of the very candidates that were decided on: a band "
            "is in part luck, and differences in it are partly regression to the mean; sample twice k or more"
        )
        return [told]
    notes = ["a group's difficulty is how often the candidates of the problem's other groups are right"]
    return [*notes, f"{left:,} groups are of problems without another"] if left else notes


def _natural(name: str) -> tuple[bool, float, str]:
    """Numbers by their value, then texts."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
