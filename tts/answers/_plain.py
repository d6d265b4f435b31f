r"""Texts that are nothing but an answer: `2*pi`, `x = 5, x = 7`, `seven`, `**Yes**`, a formula between code fences."""

import re

from tts.answers._formula import tree
from tts.answers._normal import normal_form
from tts.answers._spoken import spoken

_LONGEST = 120
_FENCE = re.compile(r"\s*```[a-z]*\s*\n?(.*?)\n?\s*```\s*", re.DOTALL)
_WORDS = re.compile(
    r"(?i)(?:yes|no|true|false|none|zero|infinity|undefined|odd|even|all|both|neither|never|always|impossible"
    r"|no solutions?|no real solutions?|does not exist|dne)"
)
_PROSE = re.compile(r"(?<!\\)(?<![a-zA-Z])(?!(?:and|or)\b)[a-zA-Z]{2,}")
_MIXED = re.compile(r"-?\d+ \d+/\d+")
_BOLD = re.compile(r"(?<!\w)\*\*([^*]+)(?:\*\*(?!\w)|$)|^([^*]+)\*\*(?!\w)")
_SEPARATOR = re.compile(r"\s*(?:[,;]\s+|;)\s*")
_GOES_ON = re.compile(r"-?\d*\.\d+(?:\.\.\.|…)")
_LAST_SIDE = re.compile(r"^.*(?<![<>!=])=(?!=)")


def plain_answer(text: str) -> str | None:
    """The text without its dress if it is an answer and nothing else, but more than a number; None otherwise."""
    if len(text) > 2 * _LONGEST:
        return None
    fenced = _FENCE.fullmatch(text)
    inside = (fenced[1] if fenced is not None else text).strip().strip("*_`").strip()
    inside = _BOLD.sub(lambda one: one[1] or one[2], inside) if "**" in inside else inside
    inside = inside if inside.endswith("..") else inside.rstrip(".").strip()
    if not inside or len(inside) > _LONGEST or "\n" in inside or "$" in inside:
        return None
    if _WORDS.fullmatch(inside) or spoken(inside) is not None or _MIXED.fullmatch(inside) or _GOES_ON.fullmatch(inside):
        return inside
    return inside if _formulas(inside) else None


def _formulas(text: str) -> bool:
    """Whether it is formulas side by side, with more in them than one number or letter."""
    if not re.search(r"[^\w.,%]", text) or not re.search(r"\d|[a-z]", text):
        return False
    text = normal_form(text)
    if _PROSE.search(re.sub(r"\\[a-zA-Z]+", "", text)):
        return False
    parts = _SEPARATOR.split(text.strip("()[]{}") if "," in text else text)
    return all(tree(normal_form(_LAST_SIDE.sub("", part))) is not None for part in parts)
