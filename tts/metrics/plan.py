"""How many problems, samples, outputs show a gap: power before tokens are spent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.metrics.difference import ALPHA, POWER
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded
from tts.metrics.tables import Table, quantity
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.outcome_class import is_missing

if TYPE_CHECKING:
    from tts.metrics.comparison import Comparison

GROUPS = (1, 2, 4, 8)
OUTPUTS = (1, 4)


class Spread(NamedTuple):
    """What makes differences of two strategies vary: between problems, between groups of one, between outputs of one.

    Variances of the difference of accuracies; their sum is that of one output on one group of one problem.
    """

    problems: float
    groups: float
    outputs: float

    def of(self, groups: int, outputs: int) -> float:
        """The variance of a problem's mean difference over so many groups, each of so many outputs."""
        return self.problems + (self.groups + self.outputs / outputs) / groups


class Planned(NamedTuple):
    """So many problems, candidates and outputs of each show the gap; `tokens` are generated in all, where known.

    `least` and `most` are the problems at the ends of what the pilot leaves open; the same where rates were stated.
    """

    groups: int
    samples: int
    outputs: int
    problems: int
    least: int
    most: int
    tokens: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict()


def spread_of_rates(rescued: float, harmed: float, alike: float = 0.5) -> Spread:
    """The spread where a strategy alone is right, or wrong, in these shares of groups.

    `alike` is how much of the variance lies between problems. Raises `ConfigError` for what are no such shares.
    """
    if min(rescued, harmed) < 0 or rescued + harmed > 1:
        raise ConfigError(f"rescued={rescued}, harmed={harmed}: give shares of groups that add up to 1 at most")
    if not 0 <= alike <= 1:
        raise ConfigError(f"alike={alike}: give a share, 0 where groups of one problem have nothing in common, up to 1")
    whole = rescued + harmed - (rescued - harmed) ** 2
    return Spread(whole * alike, whole * (1 - alike), 0.0)


def spread_of_pilot(problems: Mapping[str, Sequence[Sequence[float]]]) -> tuple[Spread, Estimate]:
    """The spread in a pilot, and the mean square of one output's difference with its interval.

    For each problem there is a list for each group with the differences of its outputs. Variances within and between
    are those of nested samples (Cochran, Sampling Techniques, 3rd ed., section 10.6), none below 0. Without a second
    group of a problem, or a second output of a group, its part cannot be told from the one above it, and is put there.
    Raises `ConfigError` for fewer than two problems.
    """
    if len(problems) < 2:
        raise ConfigError(
            f"a pilot of {len(problems)} problem says nothing of others; give two or more with gold answers"
        )
    outputs = [own for groups in problems.values() for own in groups]
    means = {name: [_mean(own) for own in groups] for name, groups in problems.items()}
    within_outputs = _pooled(outputs)
    each = _mean([1 / len(own) for own in outputs])
    within_groups = _pooled(list(means.values()))
    within_groups = max(within_groups - within_outputs * each, 0.0)
    tops = [_mean(own) for own in means.values()]
    per = _mean([1 / len(own) for own in means.values()])
    between = _variance(tops) - per * (within_groups + within_outputs * each)
    squares = clustered_mean(
        ((name, one**2) for name, groups in problems.items() for own in groups for one in own), (0.0, 1.0)
    )
    assert squares is not None
    return Spread(max(between, 0.0), within_groups, within_outputs), squares


def plan(
    gap: float, spread: Spread, *, k: int = 4, pairs: int = 1, open_by: tuple[float, float] = (1.0, 1.0)
) -> list[Planned]:
    """Problems that show a gap of so much in four of five trials, for 1 to 8 groups and 1 or 4 outputs.

    (z(1 − α/2) + z(0.8))² σ² / δ², with α = 5 % over the number of pairs that are asked about at once, and two more
    problems, which the interval adds. `open_by` are factors of the variance between which it may lie. Raises
    `ConfigError` for a gap that is none.
    """
    if not 0 < abs(gap) <= 1:
        raise ConfigError(f"gap={gap}: give a difference of accuracies between 0 and 1, such as 0.05")
    normal = NormalDist()
    factor = (normal.inv_cdf(1 - ALPHA / (2 * pairs)) + normal.inv_cdf(POWER)) ** 2 / gap**2
    least = math.ceil(1 - math.log2(ALPHA / pairs))  # unanimous ones that the exact sign test would need

    def needed(variance: float) -> int:
        return max(least, math.ceil(factor * variance) + 2)

    found = []
    for groups in GROUPS:
        for outputs in OUTPUTS if spread.outputs else OUTPUTS[:1]:
            variance = spread.of(groups, outputs)
            ends = [needed(variance * one) for one in open_by]
            found.append(Planned(groups, k * groups, outputs, needed(variance), *ends))
    return found


def with_tokens(planned: Iterable[Planned], per_candidate: float, per_output: float) -> list[Planned]:
    """The same with what is generated in all: so much for a candidate, so much for an output."""
    return [
        one._replace(tokens=round(one.problems * (one.samples * per_candidate + one.groups * one.outputs * per_output)))
        for one in planned
    ]


def pilot_plan(compared: Comparison, strategy: str, baseline: str, gap: float) -> list[Planned]:
    """A plan from a comparison on a few problems: how they spread, and what tokens they took.

    Raises `ConfigError` where one of the two is not there, or nothing is graded.
    """
    differences: dict[str, list[list[float]]] = {}
    for row in compared.rows:
        ours, theirs = (_outputs(row, label) for label in (strategy, baseline))
        if ours and theirs:
            base = _mean(theirs)
            differences.setdefault(row.outcome.problem.digest, []).append([one - base for one in ours])
    spread, squares = spread_of_pilot(differences)
    whole = max(squares.mean, 1e-9)
    found = plan(gap, spread, k=compared.k, pairs=max(len(compared.pairs()), 1),
                 open_by=(squares.low / whole, squares.high / whole))  # fmt: skip
    lengths = compared.lengths(strategy)
    if not compared.usage_known:
        return found
    each = compared.candidate_tokens or 0.0
    return with_tokens(found, each, lengths.written.mean if lengths is not None else 0.0)


def plan_table(planned: Sequence[Planned], gap: float, strategy: str, *, pilot: bool) -> Table:
    """One row for each choice, the cheapest marked where tokens are known."""
    known = [one.tokens for one in planned if one.tokens is not None]
    cheapest = min(known, default=None)
    head = ["candidates per problem", "groups", "outputs", "problems"]
    head += ["from … to"] if pilot else []
    head += ["generated tokens"] if known else []
    rows = []
    for one in planned:
        row = [str(one.samples), str(one.groups), str(one.outputs), quantity(one.problems)]
        row += [f"{quantity(one.least)} … {quantity(one.most)}"] if pilot else []
        tokens = quantity(one.tokens) if one.tokens is not None else ""
        row += [f"{tokens} (least)" if one.tokens == cheapest else tokens] if known else []
        rows.append(row)
    title = f"A gap of {100 * gap:+.1f} points of {strategy}: problems that show it in 4 of 5 trials"
    notes = ["from … to: what the pilot leaves open of how often the two differ"] if pilot else []
    return Table(title, head, rows, notes)


def _outputs(row: Graded, strategy: str) -> list[float]:
    """Whether each output is right; none where the decision is missing."""
    if row.decisions is None or is_missing(row.outcome.results[strategy]):
        return []
    return list(map(float, row.decisions[strategy]))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    centre = _mean(values)
    return math.fsum((one - centre) ** 2 for one in values) / (len(values) - 1)


def _pooled(lists: Sequence[Sequence[float]]) -> float:
    """The variance within lists; 0 where none has two values."""
    spare = sum(len(own) - 1 for own in lists)
    squares = math.fsum((one - _mean(own)) ** 2 for own in lists for one in own)
    return squares / spare if spare else 0.0
