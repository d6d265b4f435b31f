"""What of a candidate a model gets to read, kept from breaking the prompt around it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tts.vocabulary.records import Candidate
from tts.vocabulary.thinking import CLOSING

_ROUND = str.maketrans("[]{}<>◁▷", "()()()()")
# A server reads control tokens in messages as tokens; a judge that repeats a closing think tag ends its own thinking.
_CONTROLS = re.compile(
    r"<\s*\|?\s*/\s*[\w:.-]*(?:think|thought|reason)[\w:.-]*\s*\|?\s*>|◁\s*/?\s*think\s*▷|<<\s*/?\s*SYS\s*>>"
    r"|<\|[^<>\n]*\|>|<｜[^<>\n]*｜>|\[\|[^\[\]\n]*\|\]"
    r"|<\s*/?\s*(?:s|bos|eos|pad|unk|sop|eop|eod|(?:start|end)_of_\w+)\s*>"
    r"|\[\s*/?\s*(?:s?gMASK|INST|SYSTEM_PROMPT|THINK|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|PREFIX|MIDDLE|SUFFIX)\s*\]",
    re.IGNORECASE,
)
_BREAKS = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # what a reader may see as the end of a line
_ITEM = r"(?:\d{1,3}|[a-z]|[ivx]{2,4})[.):]"  # of a list, of which the heading would be a point
_DRESS = rf"(?:[^\w>{_BREAKS}]|_)"  # asterisks, hashes, brackets, spaces ...; what is quoted already is no heading


def shuffled(candidates: Sequence[Candidate], rng: random.Random) -> list[Candidate]:
    """A seeded random order that goes by what the candidates say, not by the order given."""
    ordered = sorted(candidates, key=lambda c: (c.text, c.index))
    rng.shuffle(ordered)
    return ordered


def visible(candidate: Candidate) -> str:
    """What a reader sees of a response: its summary, or all of its text where it has none."""
    return (candidate.summary or "").strip() or candidate.text.strip()


def neutralised(text: str, markers: re.Pattern[str] | None = None) -> str:
    """The text with round brackets in place of all others wherever `markers` match: `[[A]]` becomes `((A))`.

    For markers whose meaning hangs on their brackets; what the text says stays readable. Closing think tags and the
    control tokens of chat templates lose theirs, too.
    """
    for pattern in (_CONTROLS, CLOSING, *((markers,) if markers else ())):
        text = pattern.sub(lambda found: found.group().translate(_ROUND), text)
    return text


def heading(name: str) -> re.Pattern[str]:
    """What a reader may take for the heading `name 5:` of a prompt, at the start of a line, whatever its dress.

    `**Candidate Response 5:**`, `### candidate  response #5`, `1. Candidate Response 5` and the like: group 1 is what
    stands before the name.
    """
    words = rf"{_DRESS}+".join(map(re.escape, name.split()))
    before = rf"(?:^|[{_BREAKS}]){_DRESS}*(?:{_ITEM}{_DRESS}*)?"
    return re.compile(rf"({before})({words}{_DRESS}*\d+)", re.MULTILINE | re.IGNORECASE)


def quoted(text: str, pattern: re.Pattern[str]) -> str:
    """The text with every `heading` marked as quoted: `> Candidate Response 5:`."""
    return pattern.sub(r"\1> \2", text)
