"""What a judge, a scorer, or a model that selects goes by beside whether a candidate is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from tts.metrics.accuracies import recorded
from tts.metrics.difference import Difference, difference
from tts.metrics.estimate import Estimate
from tts.metrics.grading import Graded
from tts.metrics.strata import Strata
from tts.metrics.tables import counted
from tts.vocabulary.records import Candidate, Result

Kind = Literal["first", "longer", "own"]
_ROLES = ("judge", "scorer", "synthesizer", "policy")
_AUTHORS = ("policy", "model", "models", "author")  # lists beside candidates


class JudgeBias(NamedTuple):
    """How far whoever chooses for a strategy is from even-handed; differences of shares, 0 without a bias.

    `by` is the model that chooses. `first`: verdicts for the one that was shown first, less half of them. `longer`: how
    much more often the chosen candidate is longer than shorter than others that are as right as it is, halved. `own`:
    choices of a candidate that the chooser's model wrote, less the share of those among candidates as right. Intervals
    hold for all of a comparison at once. `flips` are verdicts that change when the pair is shown in the other order, of
    so many; `order` how often another order of the candidates changes the answer (order trials). `unknown` says what
    cannot be known, and why.
    """

    strategy: str
    by: str
    first: Estimate | None
    longer: Estimate | None
    own: Estimate | None
    flips: tuple[int, int] | None
    order: Estimate | None
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = {name: getattr(self, name) for name in ("first", "longer", "own", "order")}
        return self._asdict() | {name: one.to_dict() if one else None for name, one in found.items()}


class Judged(Strata):
    """The question of judges' biases; `Comparison` answers it from its rows."""

    def judge_bias(self, strategy: str) -> JudgeBias | None:
        """What whoever chooses for a strategy goes by; `None` where nobody does, as in a vote.

        Position is that of pairs (a trace with matches); what a list in one prompt does is `position_bias`. Length is
        in characters of what a reader sees, among candidates that are equally right, so that a judge who knows more is
        not called biased because right answers are longer. Authors are lists beside candidates (`policy`, `model`).
        """
        self._check(strategy)
        return self._biases.get(strategy)

    @cached_property
    def _biases(self) -> dict[str, JudgeBias]:
        choosers = {label: role for label in self.strategies if (role := self._chooser(label)) is not None}
        kinds: tuple[Kind, ...] = ("first", "longer", "own")
        seen: dict[tuple[str, Kind], Difference | None] = {
            (label, kind): difference(self._observed(label, role, kind))
            for label, role in choosers.items()
            for kind in kinds
        }
        asked = sum(one is not None for one in seen.values())
        return {label: self._bias(label, role, seen, asked) for label, role in choosers.items()}

    def _bias(self, label: str, role: str, seen: Mapping[tuple[str, Kind], Difference | None], asked: int) -> JudgeBias:
        told = {kind: None if (one := seen[label, kind]) is None else one.interval(asked) for kind in _PREFERS}
        flips = self.rates(label).get("flips")
        order = self.order_sensitivity(label)
        shown = flips if flips and flips[1] else None
        known: dict[str, object] = {str(kind): one for kind, one in told.items()} | {"flips": shown, "order": order}
        unknown = [_WHY[kind] for kind, one in known.items() if one is None and kind in _asked_of(role)]
        unknown += [self._no_author(label, role)] if told["own"] is None else []
        model = self.rows[0].outcome.results[label].provenance.model(role)
        by = f"{role} {model}".strip()
        return JudgeBias(label, by, told["first"], told["longer"], told["own"], shown, order, tuple(unknown))

    def _chooser(self, label: str) -> str | None:
        """The role of the model that chooses one of the candidates; `None` where none does."""
        results = [row.outcome.results[label] for row in self.rows]
        chose = any(r.decision is not None and r.decision.chosen is not None for r in results)
        if not chose or self.curve_names[label] in ("pass@1", "maj@k"):
            return None
        used = {role for r in results for role, usage in r.usage.items() if usage.calls} | _scored(results)
        beyond = {role for r in results if _beyond(r) for role in ("policy",)}
        return next((role for role in _ROLES if role in used - {"policy"} | beyond), None)

    def _observed(self, label: str, role: str, kind: Kind) -> Iterator[tuple[str, float]]:
        for row in self.rows:
            result = row.outcome.results[label]
            problem = row.outcome.problem.digest
            if kind == "first":
                yield from ((problem, value - 0.5) for value in _first_shown(result))
                continue
            peers = _peers(row, result)
            if peers is None:
                continue
            chosen, others = peers
            if kind == "longer":
                sides = [(_length(chosen) > _length(one)) - (_length(chosen) < _length(one)) for one in others]
                yield problem, sum(sides) / len(sides) / 2
            else:
                authors = _authors(row)
                own = [_same(authors.get(one.index), result.provenance, role) for one in (chosen, *others)]
                if None not in own and len(set(own)) > 1:
                    yield problem, float(bool(own[0])) - sum(map(bool, own)) / len(own)

    def _no_author(self, label: str, role: str) -> str:
        if not any(_authors(row) for row in self.rows):
            return "own: who wrote which candidate is not known (no list of models beside the candidates)"
        made = self.rows[0].outcome.results[label].provenance.model(role)
        return f"own: {made or 'the chooser'} wrote none of the candidates, or all that are equally right"

    def judge_bias_lines(self) -> list[str]:
        """The biases whose intervals leave 0 out, a sentence each."""
        lines = []
        for one in self._biases.values():
            for kind, prefers in _PREFERS.items():
                found = getattr(one, kind)
                if found is not None and (found.low > 0 or found.high < 0):
                    more = "more" if found.mean > 0 else "less"
                    points = f"{100 * found.mean:+.1f} points ({100 * found.low:+.1f} … {100 * found.high:+.1f})"
                    told = f"{prefers} {more} often than is even: {points}"
                    lines.append(f"{one.strategy}: {one.by} {told}, {counted(found.problems, 'problem')}")
        return lines


_WHY = {
    "first": "first: its trace has no pairs with the order in which they were shown",
    "longer": "longer: no group has other candidates that are as right as the chosen one",
    "flips": "flips: no pair was asked for in both orders (both_orders=true)",
    "order": "order: no other order was tried (--order-trials)",
}
_PREFERS: dict[Kind, str] = {
    "first": "prefers what it is shown first",
    "longer": "prefers the longer of equally right candidates",
    "own": "prefers what its own model wrote",
}


def _asked_of(role: str) -> set[str]:
    """What can be asked: a scorer sees one candidate at a time, so no order; only a judge compares pairs."""
    asked = {"scorer": {"longer"}, "judge": set(_WHY)}
    return asked.get(role, {"longer", "order"})


def _scored(results: Sequence[Result]) -> set[str]:
    """A scorer whose scores cost nothing, such as those that came with a file."""
    return {"scorer"} if any("scorer" in one.provenance.models for one in results) else set()


def _beyond(result: Result) -> bool:
    """The policy was called for more than the candidates."""
    return result.usage.get("policy") is not None and result.usage["policy"].calls > len(result.candidates)


def _first_shown(result: Result) -> Iterator[float]:
    """For each verdict with a winner whether that was shown first."""
    trace = result.decision.trace if result.decision is not None else {}
    rounds = [one.get("matches", ()) for one in trace.get("rounds", ()) if isinstance(one, Mapping)]
    for match in (one for own in (trace.get("matches", ()), *rounds) for one in own if isinstance(one, Mapping)):
        for winner, first in zip(match.get("votes") or (), match.get("first") or "", strict=False):
            if winner in ("a", "b"):
                yield float(winner == first)


def _peers(row: Graded, result: Result) -> tuple[Candidate, list[Candidate]] | None:
    """The chosen candidate, and the others that could have been chosen and are as right as it is."""
    chosen = result.decision.chosen if result.decision is not None else None
    if chosen is None or row.candidates is None:
        return None
    right = dict(zip((one.index for one in row.outcome.candidates), row.candidates, strict=True))
    known = {one.index: one for one in result.candidates if one.ok and one.index in right}
    if chosen not in known:
        return None
    others = [one for index, one in known.items() if index != chosen and right[index] == right[chosen]]
    return (known[chosen], others) if others else None


def _length(one: Candidate) -> int:
    return len((one.summary or one.text).strip())


def _authors(row: Graded) -> dict[int, str]:
    """Who wrote each candidate, by its index, where that stands beside them."""
    for name in _AUTHORS:
        told = recorded(row).get(name)
        if isinstance(told, list) and any(isinstance(one, str) and one for one in told):
            return {index: one for index, one in enumerate(told) if isinstance(one, str) and one}
    return {}


def _same(author: str | None, made: Any, role: str) -> bool | None:
    """Whether the author is the model of a role: by its reference without backend and options, or its fingerprint."""
    if author is None:
        return None
    names = {made.named.get(role, ""), made.models.get(role, "")} - {""}
    return any(_plain(author) == _plain(name) for name in names)


def _plain(name: str) -> str:
    """`generic:hf:Qwen/Qwen3-4B@dtype=x` is Qwen/Qwen3-4B, and so is hf:Qwen/Qwen3-4B."""
    return name.partition("@")[0].rpartition(":")[2].strip().lower()
