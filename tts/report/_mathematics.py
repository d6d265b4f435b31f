"""Mathematics in what models write, as MathML: browsers show that without a network, a script or a font of the page's.

Only what stands between marks of LaTeX (dollars, brackets, a box, an environment) is taken for it.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any
from xml.etree import ElementTree as ET

_log = logging.getLogger("tts.report")
_GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*\}"
FORMULA = "|".join(
    (
        r"\$\$[^$]{1,1000}?\$\$",
        r"\\\[[\s\S]{1,1000}?\\\]",
        r"\\\([\s\S]{1,1000}?\\\)",
        r"(?<![\\$\w])\$(?![\s$])[^$\n]{1,500}?(?<![\s\\])\$(?![$\w])",  # `$5 and $6` is money
        r"(?<![\\$\w])\$[^$\n]{0,500}?\\[a-zA-Z]+[^$\n]{0,500}?\$(?![$\w])",
        r"\\begin\{(?:align|aligned|equation|gather)\*?\}[\s\S]{1,1000}?\\end\{(?:align|aligned|equation|gather)\*?\}",
        r"\\boxed" + _GROUP,
    )
)
"""What is taken for mathematics: one expression for Python and for the page's script."""

_FORMULA = re.compile(FORMULA)
_TAG = re.compile(r"\\tag\*?\{([^{}]*)\}")
_MACROS = dict.fromkeys(("dotsm", "dotsb", "dotsi"), r"\cdots") | {"dotsc": r"\ldots", "dotso": r"\ldots"}
_MARKS = ((r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$"), ("$", "$"))
_LOOKS = re.compile(r"\\[a-zA-Z]|\^|\b[a-zA-Z]_(?:\w\b|\{)")  # an answer that is no plain number, word or name
_MOST = 5_000  # different formulas of one problem that are set
_DEEPEST = 40  # parts within parts: the converter's depth is bounded by this, for it knows no bound itself
_OPEN, _CLOSE = re.compile(r"\{|\\left\b|\\begin\b"), re.compile(r"\}|\\right\b|\\end\b")
_CHAIN = re.compile(r"(?:\\[a-zA-Z]+\s*){40}|(?:[\^_]\s*){40}")
_ELEMENT = re.compile(
    "math|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|mmultiscripts"
    "|mprescripts|none|mtable|mtr|mtd|mstyle|mpadded|mphantom|menclose|merror|semantics"
)
_ATTRIBUTE = re.compile(
    "accent|accentunder|columnalign|columnspan|depth|display|displaystyle|fence|form|height|largeop|linethickness"
    "|lspace|mathbackground|mathcolor|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|rowspan|rspace"
    "|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_SIZE = re.compile(r"-?\d{0,2}(?:\.\d*)?(?:em|ex|%)?")  # no formula is wider than a page
_SIZES = frozenset(("depth", "height", "lspace", "maxsize", "minsize", "rspace", "voffset", "width"))
_STYLE = re.compile(
    r"(?:(?:text-align|justify-items|padding-left|padding-right|margin-left|border-top|border-bottom|border-left"
    r"|border-right|color|width): ?[a-z0-9.# -]{1,40};? ?)+",
    re.IGNORECASE,
)
_PROSE = frozenset(("b", "em", "i"))  # within a formula's text
_NAMED = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)\w+;")


def formulas(texts: Iterable[str | None], answers: Iterable[str | None]) -> dict[str, Any]:
    """The mathematics of a problem's texts and answers, each as it is written, with its MathML as nested lists.

    What cannot be read as LaTeX is left out and shown as it is written.
    """
    found = dict.fromkeys(source for text in texts if text for source in _FORMULA.findall(text))
    found |= dict.fromkeys(f"${one}$" for one in answers if one is not None and len(one) < 500 and _LOOKS.search(one))
    if not found:
        return {}
    convert = _converter()
    if convert is None:
        _tell_missing()
        return {}
    made = ((source, _set(source)) for source in list(found)[:_MOST])
    return {source: tree for source, tree in made if tree is not None}


@cache
def _converter() -> Callable[[str, bool], str] | None:
    try:
        from math_core import LatexToMathML
    except ImportError:
        return None
    convert = LatexToMathML(fancy_error=False, macros=_MACROS).convert_with_local_state
    return lambda text, block: convert(text, displaystyle=block)


@cache
def _tell_missing() -> None:
    _log.warning("mathematics is shown as it is written; setting it needs math-core: pip install 'ttscale[report]'")


@lru_cache(maxsize=16384)
def _set(source: str) -> list[Any] | None:
    text, block = _unmarked(source)
    convert = _converter()
    if convert is None or _CHAIN.search(text) or _depth(text) > _DEEPEST:
        return None
    try:
        made = convert(_TAG.sub(r"\\qquad\\text{(\1)}", text), block)
        return _tree(ET.fromstring(_xml(made)))  # noqa: S314 - what the converter made, without entities, and small
    except Exception:  # what a model wrote may be anything, and is shown as it is then
        return None


def _xml(text: str) -> str:
    """HTML's names of signs as the signs; XML knows five of them."""
    return _NAMED.sub(lambda found: html.unescape(found[0]), text)


def _unmarked(source: str) -> tuple[str, bool]:
    """A formula without its marks, and whether it stands by itself."""
    for opening, closing in _MARKS:
        if source.startswith(opening) and source.endswith(closing):
            return source[len(opening) : -len(closing)], opening in (r"\[", "$$")
    return source, source.startswith(r"\begin")


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in re.finditer(f"{_OPEN.pattern}|{_CLOSE.pattern}", text):
        depth += 1 if _OPEN.fullmatch(sign[0]) else -1
        deepest = max(deepest, depth)
    return deepest


def _tree(element: ET.Element) -> list[Any]:
    """An element as `[tag, attributes, child, …]`, with what the page may have of it; raises `ValueError` for another.

    The page makes elements of it by name, in MathML's namespace, so that none of them is anything else.
    """
    if element.tag in _PROSE:
        return ["mtext", {}, "".join(element.itertext())]
    if not _ELEMENT.fullmatch(element.tag):
        raise ValueError(element.tag)
    attributes = {name: value for name, value in element.attrib.items() if _allowed(name, value)}
    children: list[Any] = [element.text] if element.text else []
    for child in element:
        children.append(_tree(child))
        children += [child.tail] if child.tail else []
    return [element.tag, attributes, *children]


def _allowed(name: str, value: str) -> bool:
    if name == "style":
        return _STYLE.fullmatch(value) is not None
    return bool(_ATTRIBUTE.fullmatch(name)) and (name not in _SIZES or bool(_SIZE.fullmatch(value)))
