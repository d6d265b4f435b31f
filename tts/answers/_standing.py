r"""The answer that merely stands in a response, neither marked nor announced.

In the order of what they are worth: a text that is nothing but an answer, the letter of a choice, words in bold, the
last formula or number of the last line, words. What follows on a value only to tell more of it, check it or compute it
again is left out.
"""

import re

from tts.answers._boxes import Span, formulas, naked
from tts.answers._letters import claimed, letter_of, marked
from tts.answers._plain import plain_answer
from tts.answers._sentence import FURTHER, NUMBER, NUMBERS, in_words, main_number, whole
from tts.answers._statement import Statement, groups_of
from tts.answers._tongues import writes_commas
from tts.answers._worded import day_of, worded

_BOLD = re.compile(r"\*\*\s*([^*\n]{1,60}?)\s*\*\*")
_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{2,}(?=['\s])")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ITEM = r"\$?(?:[a-z]\s*=\s*)?-?\d+(?:[./]\d+)?\$?"
_LISTED = re.compile(  # the solutions are 5 and 7; the cubes are 1331 and 1728
    rf"(?i)\b(?:are|were):?\s+((?:{_ITEM},?\s*(?:and\s+|or\s+)?){{2,10}})(?=\.?\s*$)"
)
_PAIRED = re.compile(r"(?<![\w)])\(\s*-?[\d./]+(?:\s*,\s*-?[\d./]+){1,4}\s*\)(?=\.?\s*$)")  # the vertex is at (2, -1)
_SAID_ASIDE = re.compile(
    r"(?i)\((?:and|since|because|not|as|where|which|with|so|here|note|the other|rejecting|discarding)\b[^()]*\)"
)
_ROUNDED = re.compile(r"=\s*([^=≈,;]{0,30}[√π/^][^=≈,;]{0,30}?)\s*≈\s*-?[\d.,]+\.?\s*$")  # = 2√2 ≈ 2.83
_FENCED = re.compile(r"\n[ \t]*```\s*$")
_SIGN = re.compile(r"\\(?:blacksquare|square|qed|Box|checkmark|qedsymbol|therefore|because|implies|Rightarrow|to)\b\s*")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\s?[AaPp]\.?[Mm]\b\.?")
# What only checks the answer that stands before.
_CHECKED = re.compile(
    r"\n[ \t]*[*_(]{0,3}(?:(?:Check|Checking|Verification|Verify|Let's (?:check|verify))\b[:.]?"
    r"|(?:(?:Side |Foot)?[Nn]ote|NB|N\.B\.|Remark|P\.S\.|Explanation|PS)\b[*_]{0,2}[:.])(?s:.{0,1500})$"
)
# Code after an answer, which is not the output of any.
_CODE = re.compile(
    r"\n[ \t]*```(?:python|py|javascript|js|java|c|cpp|matlab|julia|r|sympy)\b(?:(?!```)(?s:.)){0,1500}```\s*$"
)
_TAIL_OF_CHECKS = 2000
_FEWEST_WORDS = 3
_SHORT_LINE = 8
_TAIL = 400  # characters of a sentence in which its number is looked for
_TAILS = (200, 4096)  # the last plain number is looked for among this many last characters


def standing(text: str) -> Statement | None:
    """What merely stands there: a bare answer, a letter, a formula, a number, in the order of what they are worth."""
    text = _FENCED.sub("", _without_checks(text))
    last_line = text.rstrip().rpartition("\n")[2][-500:]
    end = len(text.rstrip())
    plain = plain_answer(text) or plain_answer(last_line)
    if plain is not None:
        return Statement(plain, "plain", end - len(last_line), end)
    letter = claimed(last_line) or marked(last_line) or _lone_letter(last_line) or _first_letter(text)
    if letter is not None:
        return Statement(letter, "letter", end - len(last_line), end)
    bold = [one for one in _BOLD.findall(last_line) if not one.endswith(":")]
    if bold and not re.search(r"[\d$\\]", last_line) and len(bold[-1].split()) <= _FEWEST_WORDS:
        return Statement(bold[-1].rstrip("."), "bold", end - len(last_line), end)
    day = day_of(last_line)
    said = (day and Statement(day, "words", end - len(last_line), end)) or _formula_or_number(text)
    if said is None:
        words = worded(last_line)
        said = Statement(words, "words", end - len(last_line), end) if words is not None else None
    return said


def _without_checks(text: str) -> str:
    """What stands before a check of the answer, a note on it, code that computes it again."""
    place = max(0, len(text) - _TAIL_OF_CHECKS)
    for pattern in (_CODE, _CHECKED):
        further = pattern.search(text, place)
        if further is not None and NUMBER.search(text, 0, further.start()):
            text = text[: further.start()]
    return text


def _lone_letter(line: str) -> str | None:
    return letter_of(line) if len(line.strip()) < 30 and not re.search(r"[=\\]|\$\$", line) else None


def _first_letter(text: str) -> str | None:
    """The letter of a response that begins with it alone on a line, then explains."""
    first, further, _ = text.lstrip().partition("\n\n")
    return (
        letter_of(first)
        if further and len(first.strip()) < _SHORT_LINE and first.strip(" *().`")[:1].isupper()
        else None
    )


def _formula_or_number(text: str) -> Statement | None:
    text, spans = _valued(text)
    spans = groups_of(text, spans)
    loose = naked(text[-4096:]) if "\\" in text[-4096:] else None
    shift = max(0, len(text) - 4096)
    if loose is not None:
        span = Span(loose.start + shift, loose.end + shift, loose.content)
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    start = spans[-1].end if spans else 0
    number_found = _of_sentence(text[start:]) or plain_number(text[start:])
    if number_found is not None:
        place = text.rfind(number_found)
        return Statement(number_found, "number", place, place + len(number_found))
    return Statement(spans[-1].content, "formula", spans[-1].start, spans[-1].end) if spans else None


def _valued(text: str) -> tuple[str, list[Span]]:
    """Text and formulas up to where its last line only tells more of a formula; signs that end a proof are none."""
    spans = [span for span in formulas(text) if not _SIGN.fullmatch(span.content)]
    begin = text.rstrip().rfind("\n") + 1
    for said in reversed([*_SAID_ASIDE.finditer(text, begin)]):
        if any(begin <= span.start < said.start() for span in spans):
            spans = [span for span in spans if not said.start() < span.start < said.end()]
            text = text[: said.start()] + " " * len(said.group()) + text[said.end() :]
    here = next((span for span in spans if span.start >= begin), None)
    for further in FURTHER.finditer(text, here.end) if here is not None else ():
        if not any(span.start < further.start() < span.end for span in spans):
            return text[: further.start()], [span for span in spans if span.end <= further.start()]
    return text, spans


def _of_sentence(text: str) -> str | None:
    """The number that the last line states, where that is a sentence with words in it."""
    line = text.rstrip().rpartition("\n")[2].replace("**", "")
    rounded = _ROUNDED.search(line[-_TAIL:])
    if rounded is not None:
        return rounded[1].strip()
    if len(line) > _TAIL or len(_WORD.findall(line + " ")) < _FEWEST_WORDS:
        return None
    sentences = [one for one in _SENTENCE.split(line) if NUMBER.search(one)]
    if not sentences:
        return None
    listed = _LISTED.search(sentences[-1])
    if listed is not None:
        return listed[1].replace("$", "").strip()
    paired = _PAIRED.search(sentences[-1])
    if paired is not None:
        return paired.group()
    clock = _CLOCK.findall(sentences[-1])
    if clock:
        return str(clock[-1])
    if writes_commas(sentences[-1]):
        return in_words(sentences[-1], points=True, last=True)
    return main_number(sentences[-1], last=True)


def plain_number(text: str) -> str | None:
    """The last plain number of a text, with what belongs to it."""
    for tail in (*_TAILS, len(text)):
        part = text[-tail:] if tail else ""
        found = [*NUMBERS.finditer(part)]
        # A number at the start of a tail may be the end of a longer one.
        if found and (tail >= len(text) or len(found) > 1):
            return whole(part, found[-1])
    return None
