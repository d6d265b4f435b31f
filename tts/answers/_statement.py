"""A statement of an answer in a response; neighbours that are one answer are joined."""

import re
from typing import NamedTuple

from tts.answers._boxes import Span

_JOINER = re.compile(
    r"(?:[\s,;$&.*]|\\[()\[\],;! ]|\\q?quad(?![a-z])|\\text\s*\{\s*,?\s*(?:and|or)\s*\}|(?:and|or)\b"
    r"|[A-Za-z](?:_\{?\w\}?)?\s*=){1,12}"
)


class Statement(NamedTuple):
    """An answer that a response states: by which rule it was found, between which places of the text."""

    answer: str
    rule: str
    start: int
    end: int


def groups_of(text: str, spans: list[Span]) -> list[Span]:
    """Spans, those that only a joiner separates made one; what is said twice is said once."""
    groups: list[list[Span]] = []
    for span in spans:
        if groups and _joined(text[groups[-1][-1].end : span.start]):
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        Span(group[0].start, group[-1].end, "; ".join(dict.fromkeys(one.content for one in group))) for group in groups
    ]


def _joined(gap: str) -> bool:
    if len(gap) > 60:
        return False
    if gap == "" or (gap.isspace() and "\n" in gap and gap.count("\n") < 3):
        return True
    return bool(_JOINER.fullmatch(gap) and re.search(r"[,;]|and|or", gap))
