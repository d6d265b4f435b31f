"""Answers that are no mathematics: JSON, code, plain text; where they stand in a response, when two are the same."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Literal

from tts.answers.extraction import answer_is, boxed

AnswerKind = Literal["auto", "math", "choice", "json", "code", "text"]
"""The words that `--answers` takes."""

_FENCES = ("```", "~~~")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_TAIL = 50_000  # characters of a response in which a JSON value is looked for
_TRIES = 200  # places at which one may begin and does not


def json_value(text: str) -> str | None:
    """The last JSON object or list of a response, or the value that is all of it; equal values are written alike."""
    blocks = [body for name, body in _blocks(text) if name.lower() in ("", "json", "jsonc", "json5")]
    for whole in (*reversed(blocks), text):
        if (found := _parsed(whole)) is not None:
            return found
    return _last_value(text[-_TAIL:])


def whole_json(text: str) -> str | None:
    """The JSON object or list that is all of a response, perhaps in a fence; equal ones are written alike."""
    bare = text.strip()
    if (
        bare[:3] in _FENCES
        and len(blocks := _blocks(bare)) == 1
        and blocks[0][1].count("\n") + 3 == bare.count("\n") + 1
    ):
        bare = blocks[0][1].strip()
    return _parsed(bare) if bare[:1] in ("{", "[") else None


def code(text: str) -> str | None:
    """The last fenced block of a response, or all of it where it has none; lines lose the white space at their ends."""
    blocks = [body for _, body in _blocks(text)]
    return code_key(blocks[-1] if blocks else text) or None


def said(text: str) -> str | None:
    """What follows the last "the answer is" or "answer:", else the content of a box, else the whole visible text."""
    return (answer_is(text) or boxed(text) or text).strip() or None


def json_key(text: str) -> str:
    """A JSON text in the one way that all equal values are written; another text as it is."""
    found = _parsed(text)
    return text.strip() if found is None else found


def code_key(text: str) -> str:
    """Code without white space at the ends of its lines, without blank lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def text_key(text: str) -> str:
    """A text without what readers overlook: case, accents of width, articles, punctuation, white space."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(sign if sign.isalnum() or sign in "%+-" else " " for sign in plain)
    return " ".join(_ARTICLES.sub(" ", words).split()) or plain.strip()


class KeyGrader:
    """Implements `tts.Grader`: an answer is right where its key is that of the gold answer."""

    def __init__(self, key: Callable[[str], str]) -> None:
        self._key = key

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer)."""
        return [answer is not None and self._key(gold) == self._key(answer) for gold, answer in pairs]

    async def aclose(self) -> None:
        """Nothing is held."""


class JsonGrader(KeyGrader):
    """Implements `tts.Grader` for JSON: equal values, whatever their order of keys and white space."""

    def __init__(self) -> None:
        super().__init__(json_key)


class CodeGrader(KeyGrader):
    """Implements `tts.Grader` for code that must be written alike."""

    def __init__(self) -> None:
        super().__init__(code_key)


class TextGrader(KeyGrader):
    """Implements `tts.Grader` for words: without case, punctuation, articles."""

    def __init__(self) -> None:
        super().__init__(text_key)


def _blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text, each with the word behind its fence; one that is never closed is none."""
    found: list[tuple[str, str]] = []
    fence, name, body = "", "", list[str]()
    for line in text.splitlines():
        bare = line.strip()
        if not fence and bare[:3] in _FENCES:
            fence, name, body = bare[:3], bare.strip("`~").strip(), []
        elif fence and bare.startswith(fence) and not bare.strip(fence[0]):
            found.append((name, "\n".join(body)))
            fence = ""
        else:
            body.append(line)
    return found


def _parsed(text: str) -> str | None:
    try:
        return _canonical(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _canonical(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """With whole numbers as such: 1.0 is 1."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _last_value(text: str) -> str | None:
    """The last object or list that stands among other words; the outermost one."""
    decoder, found, place, tries = json.JSONDecoder(), None, 0, 0
    starts = [match.start() for match in re.finditer(r"[\[{]", text)]
    for start in starts:
        if start < place or tries >= _TRIES:
            continue
        try:
            value, place = decoder.raw_decode(text, start)
            found = _canonical(value)
        except (ValueError, RecursionError):
            tries += 1
    return found
