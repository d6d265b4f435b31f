"""Table 4, Figure 8: how long a response is, direct or refined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tts_trainers.paper.markdown import columns, labels, share, table
from tts_trainers.paper.published import ALL_TOKENS, BENCHMARKS, SUMMARY_SHARE, SUMMARY_TOKENS, TOKENS
from tts_trainers.paper.runs import Own

_UNKNOWN = "unknown"


def table_4(own: Sequence[Own]) -> str:
    """Generated tokens of one response, direct and refined."""
    names = columns(own)
    rows = []
    for kind, values in TOKENS.items():
        write = "{:+.1f}" if "%" in kind else "{:,.0f}"
        printed = dict(zip(BENCHMARKS, (write.format(one) for one in values), strict=True))
        rows.append([kind, "paper", *(printed.get(name, "") for name in names)])
        for label in labels(own):
            cells = {one.benchmark: _length(one, kind) for one in own if one.label == label}
            rows.append([kind, label, *(cells.get(name, "") for name in names)])
    return table("Table 4: generated tokens of one response", ["", "of", *names], rows, [*map(str, own)])


def _length(one: Own, kind: str) -> str:
    found = lengths_of(one)
    if found is None:
        return "" if one.strategy("gsr") is None else _UNKNOWN
    direct, refined = found["direct"], found["written"]
    if kind == "reduction, %":
        return f"{-100 * found['reduction']:+.1f}"
    return _tokens(refined if kind == "self-refinement" else direct)


def lengths_of(one: Own) -> Mapping[str, Any] | None:
    """What the run says of its lengths; `None` where tokens are not known, or nothing is refined."""
    label = one.label_of("gsr")
    if label is None or not one.summary.get("usage_known", True):
        return None
    found: Mapping[str, Any] | None = one.summary.get("lengths", {}).get(label)
    return found


def figure_8(own: Sequence[Own]) -> str:
    """How much of an output is the summary that a reader, or the refiner, sees."""
    rows = [["published, range over benchmarks", SUMMARY_SHARE, SUMMARY_TOKENS, f"{ALL_TOKENS} (AIME)"]]
    for one in own:
        who = ", ".join(dict.fromkeys((one.label, one.benchmark)))
        rows += [[f"{who}, {kind}", *cells] for kind, cells in _summaries(one)]
    head = ["", "share of the summary, %", "tokens of the summary", "all tokens"]
    return table("Figure 8: the summary in the output", head, rows, [*map(str, own)])


def _summaries(one: Own) -> list[tuple[str, list[str]]]:
    """Direct responses and refinements, as far as tokens are known."""
    found = lengths_of(one)
    if found is None or "answer" not in found:
        return [("direct", [share(one.summary.get("summary_share")), _UNKNOWN, _UNKNOWN])]
    thinking, answer = found["thinking"], found["answer"]
    return [(kind, _summary(thinking[i], answer[i])) for i, kind in enumerate(("direct", "refinement"))]


def _summary(thinking: float, answer: float) -> list[str]:
    whole = thinking + answer
    return [f"{100 * answer / whole:.1f}" if whole else "", f"{answer:,.1f}", f"{whole:,.1f}"]


def _tokens(estimate: Mapping[str, Any]) -> str:
    low, high = estimate["interval"] or (None, None)
    return f"{estimate['mean']:,.1f}" + (f" [{low:,.1f}, {high:,.1f}]" if low is not None else "")
