"""What of a candidate a model gets to read, kept from breaking the prompt around it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tts.vocabulary.records import Candidate

_ROUND = str.maketrans("[]{}<>", "()()()")
# A server reads control tokens in messages as tokens; a judge that repeats a closing think tag ends its own thinking.
_CONTROLS = re.compile(
    r"<\s*/\s*think\s*>|<\|[^<>\n]*\|>|<｜[^<>\n]*｜>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]", re.IGNORECASE
)


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
    for pattern in (_CONTROLS, markers) if markers else (_CONTROLS,):
        text = pattern.sub(lambda found: found.group().translate(_ROUND), text)
    return text
