"""Answers in words that a sentence states: a weekday, yes or no, that there is no solution, what something is."""

import re

_DAYS = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"(?:\s\d{1,2}(?:st|nd|rd|th)?)?(?:,\s\d{4})?"
)
_ON_A_DAY = re.compile(rf"\b(?:is|was|be|on|in)\s+(?:an?\s+|the\s+)?\**({_DAYS}|{_MONTHS})\**[.!]?\s*$")
_CERTAIN = re.compile(
    r"(?:\**(?:So|Therefore|Thus|Hence|Conclusion)\b[,:]?\s*)?\**(Yes|No|True|False)\**[,.;:!—–]\s*\D*$"
)
_NOTHING = re.compile(
    r"(?i)\b(?P<none>no\s+(?:real\s+|integer\s+|such\s+|valid\s+|possible\s+)?(?:solutions?|roots?|integers?|values?|numbers?))\b"
    r"|\b(?P<limit>does not exist|doesn't exist)|\b(?P<many>infinitely many)\b"
    r"|\b(?P<open>cannot be determined|can't be determined|undefined|impossible)\b"
)
_COPULA = re.compile(  # of the one thing that was asked for, not of Bob, whoever that is
    r"(?:(?:So|Thus|Therefore|Hence|Then)\b,?\s+)?(?:[Tt]he|[Ii]t|[Tt]his|[Tt]hat)\b[^,;.]*?\s"
    r"(?:is|are|was|were|be|called|named)\s+(?:an?\s+|the\s+)?[*_\"“']*([^\W\d_][\w'-]*(?:\s[^\W\d_][\w'-]*)?)[*_\"”']*[.!]?"
)
_UNSAID = re.compile(
    r"(?i)(?:correct|true|false|wrong|right|it|this|that|follows?|needed|required|complete|done|here|there|unclear|so|not.*"
    r"|known|given|possible|valid|met|satisfied|equal|true|welcome|sure|able|unable|answered|proved|proven|clear|above|below)"
)
_LONGEST = 300


def day_of(sentence: str) -> str | None:
    """The day that a sentence ends with: `100 days later is a Friday`."""
    found = _ON_A_DAY.search(sentence)
    return found[1] if found is not None else None


def worded(line: str) -> str | None:
    """What the last line of a response says without a number or a formula; None where it says nothing of that kind."""
    if len(line) > _LONGEST:
        return None
    certain = _CERTAIN.match(line.strip())
    if certain is not None:
        return certain[1]
    nothing = _NOTHING.search(line)
    if nothing is not None:
        return nothing.group()
    said = _COPULA.fullmatch(line.strip()) if line.rstrip().endswith((".", "!", "**")) else None
    return said[1] if said is not None and not _UNSAID.fullmatch(said[1]) else None
