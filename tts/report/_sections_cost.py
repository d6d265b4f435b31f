"""The built-in sections on cost, on candidates and where answers come from, and on how the run was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tts._records import Usage
from tts.eval import Lengths
from tts.eval._tables import Table
from tts.report._data import ReportData
from tts.report._section import Color, Figure, Point, Section, Series
from tts.report._words import estimate, percent, tokens

_SHADES: tuple[Color, ...] = ("shade-1", "shade-2", "shade-3", "shade-4")
_KINDS: dict[str, Callable[[Usage], int]] = {
    "thinking": lambda u: u.thinking_tokens,
    "answer": lambda u: u.answer_tokens,
    "prompt": lambda u: u.prompt_tokens - u.cached_tokens,
    "cached prompt": lambda u: u.cached_tokens,
}


def cost(data: ReportData) -> Section | None:
    """Calls and tokens by role and kind."""
    if not any(usage != Usage() for one in data.strategies for usage in one.usage.values()):
        return None
    rows = [
        [one.label, role, f"{usage.calls:,}", *(tokens(read(usage)) for read in _KINDS.values()), _per(usage, data)]
        for one in data.strategies
        for role, usage in one.usage.items()
        if usage != Usage()
    ]
    head = ["strategy", "role", "calls", *(f"{kind} tokens" for kind in _KINDS), "generated per group"]
    spent = "; ".join(
        f"{role} {usage.calls:,} calls, {usage.generated_tokens:,} generated tokens"
        for role, usage in data.spent.items()
    )
    notes = [f"Really spent, what is shared or stored paid once or not at all: {spent or 'nothing'}."]
    series = tuple(
        Series(kind, tuple(Point(one.label, read(one.total) / data.groups) for one in data.strategies), shade)
        for shade, (kind, read) in zip(_SHADES, _KINDS.items(), strict=True)
        if any(read(one.total) for one in data.strategies)
    )
    figure = Figure("cost", "Tokens per group", "bars", "tokens per group", "", series)
    text = "What each strategy would have cost had it run alone, its candidates included."
    tables = (Table("Calls and tokens", head, rows, notes), *_lengths(data))
    return Section("cost", "Cost", (text,), tables, (figure,), order=80)


def _lengths(data: ReportData) -> Iterator[Table]:
    """How long what strategies write is, beside a candidate (the paper's Table 4)."""
    rows = [
        [one.label, *_means(found), "" if found.reduction is None else percent(found.reduction, signed=True)]
        for one in data.strategies
        if (found := one.lengths) is not None
    ]
    if rows:
        head = ["strategy", "tokens of a candidate", "of an output written", "shorter by, %"]
        yield Table("Length of what is written", head, rows)


def _means(found: Lengths) -> list[str]:
    return [tokens(found.direct.mean), tokens(found.written.mean)]


def _per(usage: Usage, data: ReportData) -> str:
    return tokens(usage.generated_tokens / max(data.groups, 1))


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
    table = Table("Position of the answer followed, %", head, rows)
    return Section("positions", "Positions followed", (text,), (table,), order=66)


def candidates(data: ReportData) -> Section | None:
    """What the candidates themselves are like."""
    rows = [[name, estimate(found)] for name, found in data.response_rates.items() if found.mean]
    if data.summary_share is not None:
        rows.append(["visible summary, of the whole output", estimate(data.summary_share)])
    if not rows:
        return None
    text = (
        "truncated: cut at the token limit or thinking to the end; answerless: no answer can be extracted; failed: an "
        "error came instead."
    )
    table = Table("Share of candidates, %", ["what", "share"], rows)
    return Section("candidates", "Truncated and answerless", (text,), (table,), order=55)


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
