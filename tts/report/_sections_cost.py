"""The built-in sections beside accuracy: cost, candidates, origins of answers, how the run was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tts.metrics.costs import Lengths
from tts.metrics.tables import Table, about, estimated_lines
from tts.report._words import estimate, percent, tokens
from tts.report.data import ReportData
from tts.report.section import Color, Figure, Point, Section, Series
from tts.vocabulary.outcome_class import CLASSES, MISSING
from tts.vocabulary.records import Usage

_SHADES: tuple[Color, ...] = ("shade-1", "shade-2", "shade-3")
_KINDS: dict[str, Callable[[Usage], int]] = {
    "thinking": lambda u: u.thinking_tokens,
    "answer": lambda u: u.answer_tokens,
    "prompt": lambda u: u.prompt_tokens,
}


def cost(data: ReportData) -> Section | None:
    """Calls, tokens and prices by role and kind."""
    if not any(usage != Usage() for one in data.strategies for usage in one.usage.values()):
        return None
    rows = [
        [one.label, role, f"{usage.calls:,}", *(about(usage) + tokens(read(usage)) for read in _KINDS.values()),
         about(usage) + _per(usage, data)]
        for one in data.strategies
        for role, usage in one.usage.items()
        if usage != Usage()
    ]  # fmt: skip
    head = ["strategy", "role", "calls", *(f"{kind} tokens" for kind in _KINDS), "generated per group"]
    series = tuple(
        Series(kind, tuple(Point(one.label, read(one.total) / data.groups) for one in data.strategies), shade)
        for shade, (kind, read) in zip(_SHADES, _KINDS.items(), strict=True)
        if any(read(one.total) for one in data.strategies)
    )
    figure = Figure("cost", "Tokens per group", "bars", "tokens per group", "", series)
    text = "What each strategy would have cost had it run alone, its candidates included."
    notes = estimated_lines({one.label: one.total for one in data.strategies})
    tables = (Table("Calls and tokens", head, rows, notes), *_prices(data))
    return Section("cost", "Cost", (text,), tables, (figure,), order=80)


def _prices(data: ReportData) -> Iterator[Table]:
    """What a group costs in money, and what a thousand right answers do."""
    prices = data.prices
    if prices is None:
        return
    rows = []
    for one in data.strategies:
        each, mark = prices.of(one.usage) / max(data.groups, 1), about(one.total)
        right = f"{mark}{1000 * each / one.accuracy.mean:.4g}" if one.accuracy is not None and one.accuracy.mean else ""
        rows.append([one.label, f"{mark}{each:.4g}", right])
    yield Table("Prices", ["strategy", f"{prices.currency} per group", "per thousand right answers"], rows)


def _per(usage: Usage, data: ReportData) -> str:
    return tokens(usage.generated_tokens / max(data.groups, 1))


def outputs(data: ReportData) -> Section | None:
    """How long direct responses and what strategies write are, and how much of each is the answer a reader sees."""
    found = [(one.label, one.lengths) for one in data.strategies if one.lengths is not None]
    if not found:
        return None
    first = found[0][1]
    rows = [["a candidate", *_parts(first.direct.mean, first.thinking[0], first.answer[0]), ""]]
    rows += [
        [f"{label}, an output", *_parts(one.written.mean, one.thinking[1], one.answer[1]), _shorter(one)]
        for label, one in found
    ]
    head = ["", "generated tokens", "thinking", "answer", "share of the answer, %", "shorter by, %"]
    bars = [("a candidate", first.thinking[0], first.answer[0])]
    bars += [(label, one.thinking[1], one.answer[1]) for label, one in found]
    series = tuple(
        Series(kind, tuple(Point(bar[0], float(bar[place])) for bar in bars), shade)
        for place, kind, shade in ((1, "thinking", _SHADES[0]), (2, "answer", _SHADES[1]))
        if any(bar[place] for bar in bars)
    )
    figure = Figure("lengths", "Generated tokens of one output", "bars", "tokens", "", series)
    text = (
        "What a strategy writes beyond its candidates, for one output, beside one candidate: the answer is what stands "
        "outside the think block. Shorter by: 1 − written / direct, negative where it is longer."
    )
    return Section("outputs", "Length of what is written", (text,), (Table(figure.title, head, rows),), (figure,), 56)


def _parts(whole: float, thinking: float, answer: float) -> list[str]:
    share = percent(answer / (thinking + answer)) if thinking + answer else ""
    return [tokens(whole), tokens(thinking), tokens(answer), share]


def _shorter(found: Lengths) -> str:
    return "" if found.reduction is None else percent(found.reduction, signed=True)


def origins(data: ReportData) -> Section | None:
    """Copied, merged or novel answers of the strategies that write."""
    writers = [
        one for one in data.strategies if any(o.share.mean for kind, o in one.origins.items() if kind != "copied")
    ]
    if not writers:
        return None
    rows = [
        [one.label, kind, estimate(found.share), estimate(found.accuracy)]
        for one in writers
        for kind, found in one.origins.items()
        if found.share.mean
    ]
    text = (
        "copied: a candidate's own response; merged: another text with an answer that some candidate has; novel: an "
        "answer that no candidate of the group has; none: no answer."
    )
    table = Table("Where outputs come from", ["strategy", "origin", "share of outputs, %", "right, %"], rows)
    return Section("origins", "Copied, merged, novel", (text,), (table,), order=65)


def positions(data: ReportData) -> Section | None:
    """Which of the shown candidates a strategy followed, by position in its prompt."""
    following = [one for one in data.strategies if one.positions]
    if not following:
        return None
    places = sorted({place for one in following for place in one.positions})
    head = ["strategy", *(f"position {place}" for place in places)]
    rows = [[one.label, *(estimate(one.positions.get(place)) for place in places)] for one in following]
    text = (
        "Where the answer that a strategy gave stood among the candidates it was shown, in random order. A strategy "
        "without a preference of position has the same share everywhere."
    )
    table = Table("Position of the answer followed, %", head, rows, data.position_lines)
    return Section("positions", "Positions followed", (text,), (table,), order=66)


def candidates(data: ReportData) -> Section | None:
    """What candidates and outputs lack: cut ones, those without an answer, and how much of a candidate is visible."""
    rows = [[f"candidates {name}", estimate(found)] for name, found in data.response_rates.items()]
    if data.summary_share is not None:
        rows.append(["visible summary in a candidate's output", estimate(data.summary_share)])
    rows += [[f"{one.label} answerless", estimate(one.answerless)] for one in data.strategies if one.answerless]
    outcomes = tuple(_outcomes(data))
    if not any(found.mean for found in data.response_rates.values()) and data.summary_share is None and not outcomes:
        return None
    text = (
        "truncated: cut at the token limit or thinking to the end; answerless: no answer can be extracted; refused: "
        "the model or a content filter declined; failed: another error came instead. A candidate's visible summary is "
        "what stands outside its think block."
    )
    table = Table("Share of candidates and of outputs, %", ["what", "share"], rows)
    return Section("candidates", "Truncated and answerless", (text,), (table, *outcomes), order=55)


def _outcomes(data: ReportData) -> Iterator[Table]:
    """Candidates and outputs by class, with accuracy over all where something is missing."""
    found = [("candidates", data.outcomes, data.pass_at_1_bounds)]
    found += [(one.label, one.outcomes, one.bounds) for one in data.strategies]
    columns = [name for name in CLASSES if any(name in own for _, own, _ in found)]
    told = bool(MISSING & set(columns)) and any(bounds for *_, bounds in found)
    rows = [
        [
            name,
            *(f"{own[one]:,}" if one in own else "" for one in columns),
            *([f"{percent(bounds.low)} to {percent(bounds.high)}" if bounds else ""] if told else []),
        ]
        for name, own, bounds in found
        if own
    ]
    if set(columns) - {"correct", "wrong", "ungraded"}:
        notes = ["Accuracy over all: with all that is missing wrong, and right."] if told else []
        head = ["", *columns, *(["accuracy over all, %"] if told else [])]
        yield Table("Outcome classes", head, rows, notes)


def setup(data: ReportData) -> Section:
    """Models, parameters, seed and version: enough to do it again."""
    rows = [[role, name] for role, name in data.models.items()]
    rows += [[one.label, json.dumps(one.parameters, ensure_ascii=False)] for one in data.strategies]
    rows += [["seed", str(data.seed)], ["ttscale", data.version]]
    rows += [
        [f"order sensitivity of {one.label}", f"{estimate(one.order_sensitivity)} %"]
        for one in data.strategies
        if one.order_sensitivity is not None
    ]
    return Section("setup", "How it was made", (), (Table("How it was made", ["what", "value"], rows),), order=90)
