"""The built-in sections that answer doubts: twins, disputed grades, doubtful answers, what took how long."""

from __future__ import annotations

from collections.abc import Iterator

from tts.answers import Opinions
from tts.metrics.checks import Disagreement
from tts.metrics.doubts import Between, Contradiction
from tts.metrics.tables import Table, about, counted, estimated_lines
from tts.report.data import ReportData
from tts.report.section import Section
from tts.vocabulary.records import Usage

_MOST = 50  # rows of a list that a person is to look at


def checks(data: ReportData) -> Section:
    """Problems that are there twice, answers on which graders disagree, responses that state two answers."""
    twice = f"{counted(len(data.duplicates), 'text')} under several ids" if data.duplicates else "none"
    words = (
        f"Problems that are there twice: {twice}. Answers on which graders disagree: {_doubtful(data)}. Responses that "
        f"state two answers: {len(data.contradictions) or 'none'}. Answers of which a vote cannot be sure: "
        f"{len(data.between) or 'none'}."
    )
    own = f"{str(data.own_verdicts).capitalize()}." if data.own_verdicts else "No verdicts came with the candidates."
    doubts = (*_contradictions(data.contradictions), *_between(data.between))
    tables = (*_duplicates(data), *_disagreements(data.disagreements or ()), *doubts)
    return Section("checks", "Checks", (words, own), tables, order=75)


def _doubtful(data: ReportData) -> str:
    if data.disagreements is None:
        return "not looked for (--check-grades)"
    return f"{len(data.disagreements):,}; no grade was changed" if data.disagreements else "none"


def _duplicates(data: ReportData) -> Iterator[Table]:
    rows = [
        [", ".join(one.problems), " against ".join(dict.fromkeys(map(str, one.answers)))]
        for one in data.duplicates[:_MOST]
    ]
    if rows:
        notes = ["Compared without case, spaces and accents. They share candidates where they are equal to the letter."]
        yield Table("Problems that are there twice", ["problems", "gold answer"], rows, _rest(data.duplicates, notes))


def _disagreements(found: tuple[Disagreement, ...]) -> Iterator[Table]:
    rows = [
        [f"{one.problem}: {_short(one.answer)}", _short(one.gold), f"{one.times}", *_said(one.opinions)]
        for one in found[:_MOST]
    ]
    if rows:
        head = ["answer", "gold", "given", "this grade", *Opinions._fields[1:]]
        notes = ["yes: equal to the gold answer; no: not; nothing: it has no opinion."]
        yield Table("Answers on which graders disagree", head, rows, _rest(found, notes))


def _contradictions(found: tuple[Contradiction, ...]) -> Iterator[Table]:
    rows = [
        [f"{one.problem}, candidate {one.candidate}", _short(one.answer), ", ".join(map(_short, one.rivals))]
        for one in found[:_MOST]
    ]
    if rows:
        notes = ["The last mark or saying counts, as `tts answers` shows."]
        yield Table("Responses that state two answers", ["response", "counts", "outranked"], rows, _rest(found, notes))


_KINDS = {
    "intransitive": "equal, but one of them differs from what the other equals",
    "asymmetric": "equal from one side only",
    "undecided": "not compared within the limits",
}


def _between(found: tuple[Between, ...]) -> Iterator[Table]:
    rows = [[one.problem, _short(one.a), _short(one.b), _KINDS.get(one.kind, one.kind)] for one in found[:_MOST]]
    if rows:
        notes = [
            "A vote keeps the first kind apart, takes the second as equal, the third as neither equal nor different."
        ]
        head = ["problem", "answer", "other answer", "are"]
        yield Table("Answers of which a vote cannot be sure", head, rows, _rest(found, notes))


def _said(opinions: Opinions) -> list[str]:
    return ["" if verdict is None else "yes" if verdict else "no" for verdict in opinions]


def _rest(found: tuple[object, ...], notes: list[str]) -> list[str]:
    return [*notes, f"{len(found) - _MOST:,} more are left out."] if len(found) > _MOST else notes


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]} …"


def time(data: ReportData) -> Section | None:
    """What depends on the run and not on what was asked: seconds, what a cache served, what was really paid."""
    rows = [
        [one.label, f"{one.seconds:,.2f}", role, f"{usage.seconds:,.1f}", f"{usage.cached_tokens:,}"]
        for one in data.strategies
        for role, usage in one.usage.items()
        if usage != Usage()
    ]
    if not rows:
        return None
    spent = "; ".join(
        f"{role} {usage.calls:,} calls, {about(usage)}{usage.generated_tokens:,} generated tokens, "
        f"{usage.seconds:,.1f} model-seconds"
        for role, usage in data.spent.items()
    )
    text = (
        "Seconds per problem are those of this run, until the decision. Model-seconds are how long models worked on "
        "calls, as if each strategy had run alone; where a backend does not say, how long each call was under way."
    )
    notes = [f"Really spent, what is shared or stored paid once or not at all: {spent or 'nothing'}."]
    notes += estimated_lines({"really spent": Usage.total(list(data.spent.values()))})
    head = ["strategy", "seconds per problem", "role", "model-seconds", "cached prompt tokens"]
    return Section("time", "Time", (text,), (Table("Time", head, rows, notes),), order=85)
