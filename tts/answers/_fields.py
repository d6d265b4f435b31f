r"""Answers in structured output, such as fields of JSON or tags of XML.

Fields are found by their names, not by parsing: models cut objects off, put LaTeX into strings with single backslashes,
and write around them.
"""

import json
import re

from tts.answers._boxes import Span

_NAMES = (
    r"(?:final[_ -]?|correct[_ -]?|my[_ -]?)?(?:answer|solution|result|choice|option|prediction)"
    r"(?:[_ -]?(?:value|letter|choice|text))?"
)
_FIELD = re.compile(
    rf"""(?i)(?P<quote>['"])(?P<name>{_NAMES})(?P=quote)\s*:\s*"""
    r"""(?:"(?P<double>(?:[^"\\\n]|\\.){0,2000})"|'(?P<single>(?:[^'\\\n]|\\.){0,2000})'"""
    r"""|(?P<plain>-?\d[\d.,]*(?:[eE][-+]?\d+)?(?:/\d+)?|true|false)|(?P<list>\[[^\[\]{}]{0,2000}\])"""
    r"""|\{\s*['"]\w+['"]\s*:\s*(?:"(?P<inner>(?:[^"\\\n]|\\.){0,500})"|(?P<number>-?\d[\d.]*)))"""
)
_TAG = re.compile(
    rf"(?i)<(?P<tag>{_NAMES}|final|ans|output)>(?P<content>(?:(?!<(?P=tag)>).){{0,4000}}?)(?:</\s?(?P=tag)\s?>|$)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[\\\"'/]|n(?![a-zA-Z]))")
_TOKENS = re.compile(r"(?i)<\|begin_of_solution\|>(.*?)(?:<\|end_of_solution\|>|$)", re.DOTALL)


def fields(text: str) -> list[Span]:
    """Contents of the fields and tags that are named like an answer, in order; empty ones are left out.

    Where one object has several, a final answer, or else an answer, speaks before a result or a solution.
    """
    found = [*_json_fields(text), *_tags(text)] if ("<" in text or ":" in text) else []
    return sorted((span for span in found if span.content), key=lambda span: span.start)


def _json_fields(text: str) -> list[Span]:
    if "'" not in text and '"' not in text:
        return []
    spans: list[tuple[int, Span]] = []
    for match in _FIELD.finditer(text):
        name = match["name"].lower()
        rank = 2 if "final" in name else 1 if "answer" in name else 0
        spans.append((rank, Span(match.start(), match.end(), _value(match))))
    best = max((rank for rank, _ in spans), default=0)
    return [span for rank, span in spans if rank == best]


def _value(match: re.Match[str]) -> str:
    for group in ("double", "single", "inner"):
        if match[group] is not None:
            return _ESCAPE.sub(_unescaped, match[group]).strip()
    if match["list"] is not None:
        return _listed(match["list"])
    return (match["plain"] or match["number"] or "").rstrip(",.")


def _listed(text: str) -> str:
    """The items of a list side by side, as they would be written in a sentence."""
    try:
        items = json.loads(text)
    except ValueError:
        return text
    return ", ".join(str(item) for item in items)


def _unescaped(match: re.Match[str]) -> str:
    sign = match[1]
    if sign[0] == "u":
        return chr(int(sign[1:], 16))
    return "\n" if sign == "n" else sign


def _tags(text: str) -> list[Span]:
    if "<" not in text:
        return []
    return [Span(match.start(), match.end(), match["content"].strip()) for match in _TAG.finditer(text)]
