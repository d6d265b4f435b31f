r"""Spans of mathematics in a response: boxes, formulas between delimiters, formulas that stand in prose without any.

Every scan is linear in the text, so that 100,000 characters of anything cannot stall it.
"""

import re
from typing import NamedTuple

_BOX_TOKEN = re.compile(
    r"(?:\\|\x08)(?:f(?:rame)?|B)?[bB]?oxed?(?![a-zA-Z])[ \t]*(?P<brace>\{)?(?P<bare>-?[\d.]*\w)?|\\.|[{}]", re.DOTALL
)
_UNCLOSED_END = re.compile(r"[\n$]|\\\)|\\\]|<\||(?<=[\d}])[.,;](?=\s|$)")
_MATH = re.compile(
    r"\$\$([^$]{1,2000})\$\$|(?<!\\)\$([^$\n]{1,1000})(?<!\\)\$"
    r"|\\\(((?:[^\\]|\\[^()]){1,1000}?)\\\)|\\\[((?:[^\\]|\\[^\[\]]){1,2000}?)\\\]"
    r"|\\begin\{(?:equation|align|gather|displaymath|eqnarray|multline)\*?\}((?:[^\\]|\\(?!end\{(?:eq|al|ga|di|mu))){1,2000}?)\\end\{[a-z]+\*?\}"
)
_ALIGNED = re.compile(r"\\(?:begin|end)\{align(?:ed)?\*?\}")
_PROSE = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{4,}")
_TEXT = re.compile(r"\\(?:text|mbox|mathrm|textbf|operatorname)[a-z]*\s*\{[^{}]*\}")
_DANGLING = re.compile(r"(?:^\s*[=*/])|(?:[-+=*/,]\s*$)")
_COMMAND = re.compile(
    r"\\[dtc]?(?:frac|sqrt|binom|pi|infty|cdot|times|pm|theta|alpha|log|ln|sin|cos|tan|text|overline)(?![a-z])"
)
_LAST_SIDE = re.compile(r"(?<![<>!=\\])=(?!=)")


class Span(NamedTuple):
    """A piece of a text, and what is in it."""

    start: int
    end: int
    content: str


def boxes(text: str) -> list[Span]:
    """Every balanced outermost box, in order; one that is never closed last, where no other box stands in it."""
    spans: list[Span] = []
    open_braces: list[re.Match[str]] = []
    first = text.find("ox")
    if first < 0:
        return spans
    for token in _BOX_TOKEN.finditer(text, max(0, first - 8)):
        sign = token.group()
        if sign == "{" or token["brace"]:
            open_braces.append(token)
        elif sign == "}" and open_braces:
            opened = open_braces.pop()
            if opened["brace"]:
                while spans and spans[-1].start > opened.start():
                    spans.pop()
                spans.append(Span(opened.start(), token.end(), text[opened.start("brace") + 1 : token.start()].strip()))
        elif token["bare"]:
            spans.append(Span(token.start(), token.end(), token["bare"]))
    return [*spans, *_unclosed(text, spans, open_braces)]


def _unclosed(text: str, spans: list[Span], open_braces: list[re.Match[str]]) -> list[Span]:
    """The last box that is never closed, up to the end of what is plainly in it."""
    begun = next((token for token in open_braces if token["brace"]), None)
    if begun is None or (spans and spans[-1].end > begun.start()):
        return []
    start = begun.start("brace") + 1
    end = _UNCLOSED_END.search(text, start)
    stop = end.start() if end is not None else len(text)
    return [Span(begun.start(), stop, text[start:stop].strip())]


def formulas(text: str) -> list[Span]:
    """Contents of math delimiters, in order; pairs of currency signs around prose are left out."""
    spans = []
    for match in _MATH.finditer(text):
        kind = match.lastindex or 0
        content = match[kind].strip()
        if kind == 5 or content.startswith("\\begin{align"):
            content = _last_line(_ALIGNED.sub("", content))
        inline = kind == 2
        if content and not (inline and (_PROSE.search(_TEXT.sub("", content)) or _DANGLING.search(content))):
            spans.append(Span(match.start(), match.end(), content))
    return spans


def _last_line(content: str) -> str:
    """Of an equation environment: what stands after the last sign of equality of its last line."""
    lines = [line for line in re.split(r"\\\\", content) if line.strip()]
    return lines[-1].replace("&", "").strip().rstrip(".,") if lines else ""


def naked(text: str) -> Span | None:
    r"""The last formula in LaTeX without delimiters, `we get \dfrac{9}{7}.`; after its last sign of equality."""
    found = None
    for found in _COMMAND.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        return None
    start, end = _grown(text, found.start(), found.end())
    content = text[start:end].rstrip(".,;:!?*_")
    end = start + len(content)
    sides = list(_LAST_SIDE.finditer(content))
    if sides:
        start += sides[-1].end()
        content = text[start:end]
    content = content.lstrip("*_ ")
    if content.count("{") != content.count("}") or not content:
        return None
    return Span(end - len(content), end, content)


def _grown(text: str, start: int, end: int) -> tuple[int, int]:
    """The run around a place that has no space outside braces."""
    floor, ceiling = max(0, start - 300), min(len(text), end + 300)
    depth = 0
    while start > floor and (depth > 0 or not text[start - 1].isspace()) and text[start - 1] != "$":
        depth += (text[start - 1] == "}") - (text[start - 1] == "{")
        start -= 1
    depth = 0
    while end < ceiling and (depth > 0 or not text[end].isspace()) and text[end] != "$":
        depth += (text[end] == "{") - (text[end] == "}")
        if depth < 0:
            break
        end += 1
    return start, end
