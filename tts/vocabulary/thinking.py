"""Where the thinking of a response ends."""

from __future__ import annotations

import re
from typing import NamedTuple

OPEN, CLOSE = "<think>", "</think>"

# Each as an opening and a closing, the latter as models break it: `\end{think}`, `</ think>`, `</thinking>`.
_DIALECTS = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        (
            r"<\s?\|?\w{0,12}?think(?:ing)?\|?\s?>",
            r"<\s?\|?[/\\]\s?\w{0,12}?think(?:ing)?\s?\|?>|\\end\{think(?:ing)?\}|</think(?=\s|$)",
        ),
        (r"\[THINK\]", r"\[\s?/\s?THINK\s?\]"),
        ("\u25c1think\u25b7", "\u25c1\\s?/\\s?think\u25b7"),
        (r"<seed:think>", r"<\s?/\s?seed:think\s?>"),
        (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
        (r"<\|im_start\|>think\b", r"<\|im_start\|>answer\b"),
        (
            r"<(?:thoughts?|reasoning(?:_content)?|reason|scratchpad|analysis|reflection|(?:inner_)?monologue)>",
            r"<\s?/\s?(?:thoughts?|reasoning(?:_content)?|reason|scratchpad|analysis|reflection|(?:inner_)?monologue)\s?>",
        ),
        (r"<\|start_thinking\|>", r"<\|end_thinking\|>"),
        (r"<unused94>(?:thought\b)?", r"<unused95>"),
    )
)
CLOSING = re.compile(rf"(?=[<\[\\\u25c1])(?:{'|'.join(closing.pattern for _, closing in _DIALECTS)})", re.IGNORECASE)
"""What ends a think block, in any dialect."""
# Of any dialect, in small letters.
_WORDS = ("think", "thought", "reason", "scratchpad", "analysis", "monologue", "reflection", "unused95", "<|channel|>")
_FINAL = re.compile(r"<\|channel\|>\s*final(?:\s*<\|constrain\|>\w*)?\s*<\|message\|>")
_CHANNEL = re.compile(
    r"\s*(?:<\|start\|>assistant)?<\|channel\|>\s*(?:analysis|commentary)[^<\n]{0,40}(?:<\|message\|>)?"
)
_CHANNEL_END = re.compile(r"(?:<\|end\|>)?(?:<\|start\|>assistant)?\s*$")
# The same when a server has taken the special tokens out: `analysisWe need 12*3. ...assistantfinal12*3 = 36`.
_BARE_CHANNEL = re.compile(r"\s*analysis(?=[A-Z\d\"'(\\$])")
_BARE_FINAL = re.compile(r"assistant\s?final(?:\s?json)?")


class Split(NamedTuple):
    """The two parts of a response.

    `thinking` is `None` where there is no think block, `summary` where the block was never closed.
    """

    thinking: str | None
    summary: str | None


def split_thinking(text: str, open: str = "<think>", close: str = "</think>", opened: bool = False) -> Split:  # noqa: A002 - the tags' own names
    """The part inside the think block and the visible part, both stripped; without a block the text is all visible.

    `opened` says that the prompt ended inside the block, so that the text starts in it; a text with only the closing
    tag (DeepSeek-R1 behind a server) is read so anyway. The last closing tag counts: a model that goes on thinking
    after the first has not answered yet. Other tags than the usual ones are looked for alone; with the usual ones, and
    none of them in the text, the other dialects of models are recognised, and closings that are misspelt.
    """
    if (open, close) != (OPEN, CLOSE) or close in text:
        return _between(text, open, close, opened)
    low = text.casefold()
    found = (_channels(text) or _dialect(text)) if any(word in low for word in _WORDS) else None
    return found if found is not None else _between(text, open, close, opened)


def _between(text: str, opening: str, close: str, opened: bool) -> Split:
    body, found, after = text.rpartition(close)
    start = text.lstrip()
    if not found:
        inside = opened or start.startswith(opening)
        return Split(start.removeprefix(opening).strip(), None) if inside else Split(None, text)
    before, tag, thinking = body.partition(opening)
    if tag and not after.strip() and close in body and not opened:
        between = _outside(text, opening, close)
        if between:
            return Split(thinking.strip(), between)
    if opened or not tag or close in before:
        return Split(body.lstrip().removeprefix(opening).strip(), after.strip())
    return Split(thinking.strip(), (before + after).strip())


def _outside(text: str, opening: str, close: str) -> str:
    """What stands outside every closed block of a text that ends with one: it was answered before the last thought."""
    first, *blocks = text.split(opening)
    return " ".join([first, *(block.partition(close)[2] for block in blocks)]).strip()


def _channels(text: str) -> Split | None:
    """The analysis and the final channel of a harmony conversation, with its tokens or without them."""
    starts = _CHANNEL.match(text), _BARE_CHANNEL.match(text)
    ends = [*_FINAL.finditer(text)] if "<|channel|>" in text else []
    if starts[0] is not None or ends:
        begin = starts[0].end() if starts[0] else 0
        if not ends:
            return Split(text[begin:].strip(), None)
        before = text[begin : max(begin, ends[-1].start())]
        return Split(_CHANNEL_END.sub("", before).strip(), text[ends[-1].end() :].strip())
    if starts[1] is None:
        return None
    bare = [*_BARE_FINAL.finditer(text)]
    if not bare:
        return Split(text[starts[1].end() :].strip(), None)
    return Split(text[starts[1].end() : bare[-1].start()].strip(), text[bare[-1].end() :].strip())


def _dialect(text: str) -> Split | None:
    """The split at the tags of the dialect whose closing comes last, or whose opening the text begins with."""
    best: tuple[int, Split] | None = None
    for opening, closing in _DIALECTS:
        ends = [*closing.finditer(text)]
        start = opening.match(text, len(text) - len(text.lstrip()))
        if ends and (best is None or ends[-1].start() > best[0]):
            best = ends[-1].start(), _cut(text, opening, ends)
        elif not ends and start is not None and best is None:
            best = -1, Split(text[start.end() :].strip(), None)
    return best[1] if best else None


def _cut(text: str, opening: re.Pattern[str], ends: list[re.Match[str]]) -> Split:
    body, after = text[: ends[-1].start()], text[ends[-1].end() :]
    start = opening.search(body)
    if start is None or ends[0].start() < start.start():
        return Split(opening.sub("", body.lstrip(), count=1).strip() if start else body.strip(), after.strip())
    return Split(body[start.end() :].strip(), (body[: start.start()] + after).strip())
