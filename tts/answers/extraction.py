r"""Final answers found in a response's visible text.

Decisions: a box beats every other sign, then `####`, then "the answer is", then a choice letter in the last line,
then the last formula between math delimiters or the last plain number, whichever comes later. Among equals the last
one counts. Neighbouring boxes joined only by "and", "or" or a comma are one answer. An unbalanced box is no box.
Every scan is linear in the text, so that 100,000 characters of anything cannot stall it.
"""

import re
from typing import NamedTuple

_BOX_TOKEN = re.compile(r"\\f?boxed(?![a-zA-Z])[ \t]*(?P<brace>\{)?(?P<bare>-?[\d.]*\w)?|\\.|[{}]", re.DOTALL)
_JOINER = re.compile(
    r"(?:[\s,;$&]|\\[()\[\],;! ]|\\q?quad(?![a-z])|\\text\s*\{\s*,?\s*(?:and|or)\s*\}|(?:and|or)\b"
    r"|[A-Za-z](?:_\{?\w\}?)?\s*=){1,12}"
)
_GSM8K = re.compile(r"####[ \t]*([^\n]*\S)")
_CUE = re.compile(
    r"(?i)\banswer\b(?:[ \t]+(?:to|for)\b[^.:\n]{0,60}?)?"
    r"(?:[*_]{0,2}[ \t]?[:=][*_]{0,2}|[ \t](?:is|are|must be|would be|should be)\b:?)\s*"
)
_CUE_END = re.compile(r"\.(?=\s|$)|\n|I hope it is correct|<\|")
_COPULA = re.compile(r"\b(?:is|are|equals)\b:?")
_CHOICE = re.compile(r"(?:\s|^)(?:\\text(?:bf)?\{)?\(([A-J])\)|\b(?:[Oo]ption|[Cc]hoice)\s+\(?([A-J])\b")
_LETTER_FIRST = re.compile(r"\(([A-J])\)|([A-J])(?=$|[.:,)*])")
_MATH = re.compile(
    r"\$\$([^$]{1,2000})\$\$|(?<!\\)\$([^$\n]{1,1000})(?<!\\)\$"
    r"|\\\(((?:[^\\]|\\[^()]){1,1000}?)\\\)|\\\[((?:[^\\]|\\[^\[\]]){1,2000}?)\\\]"
)
_PROSE = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{4,}")
_TEXT = re.compile(r"\\(?:text|mbox|mathrm|textbf|operatorname)[a-z]*\s*\{[^{}]*\}")
_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{2,}(?=['\s])")
_DANGLING = re.compile(r"(?:^\s*[=*/])|(?:[-+=*/,]\s*$)")
_NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:[eE][-+]?\d+\b|/\d+)?|\.\d+)%?"
)
_LAYERS = 3  # a box in a formula in a sentence
_CUES = 20  # last statements "answer is" that are tried
_TAILS = (200, 4096)  # the last plain number is looked for among this many last characters


class _Span(NamedTuple):
    start: int
    end: int
    content: str


def _boxes(text: str) -> list[_Span]:
    """Every balanced outermost box, in order."""
    spans: list[_Span] = []
    open_braces: list[re.Match[str]] = []
    first = text.find("boxed")
    if first < 0:
        return spans
    for token in _BOX_TOKEN.finditer(text, max(0, first - 2)):
        sign = token.group()
        if sign == "{" or token["brace"]:
            open_braces.append(token)
        elif sign == "}" and open_braces:
            opened = open_braces.pop()
            if opened["brace"]:
                while spans and spans[-1].start > opened.start():
                    spans.pop()
                spans.append(
                    _Span(opened.start(), token.end(), text[opened.start("brace") + 1 : token.start()].strip())
                )
        elif token["bare"]:
            spans.append(_Span(token.start(), token.end(), token["bare"]))
    return spans


def _formulas(text: str) -> list[_Span]:
    """Contents of math delimiters, in order; pairs of currency signs around prose are left out."""
    spans = []
    for match in _MATH.finditer(text):
        content = match[match.lastindex or 0].strip()
        inline = match.lastindex == 2
        if content and not (inline and (_PROSE.search(_TEXT.sub("", content)) or _DANGLING.search(content))):
            spans.append(_Span(match.start(), match.end(), content))
    return spans


def _last_group(text: str, spans: list[_Span]) -> str | None:
    """The last span, together with those before it that only a joiner separates."""
    if not spans:
        return None
    group = [spans[-1]]
    for span in reversed(spans[:-1]):
        gap = text[span.end : group[-1].start]
        if len(gap) > 60 or not (gap == "" or (_JOINER.fullmatch(gap) and re.search(r"[,;]|and|or", gap))):
            break
        group.append(span)
    return "; ".join(dict.fromkeys(span.content for span in reversed(group))) or None


def boxed(text: str) -> str | None:
    r"""The last balanced `\boxed{}`, or the last ones that are joined by "and", "or" or a comma."""
    return _last_group(text, [span for span in _boxes(text) if span.content])


def _boxed_or_final(text: str) -> str | None:
    """The box, unless "the final answer is" comes after it: an intermediate result may be boxed before that."""
    spans = [span for span in _boxes(text) if span.content]
    if not spans:
        return None
    rest = text[spans[-1].end :]
    final = rest.lower().rfind("final answer is")
    return (answer_is(rest[final:]) if final >= 0 else None) or _last_group(text, spans)


def gsm8k(text: str) -> str | None:
    """What follows the last `####`."""
    found = _GSM8K.findall(text)
    return str(found[-1]).strip().rstrip(".") if found else None


def answer_is(text: str) -> str | None:
    """What follows the last "the answer is" or "answer:"."""
    if "nswer" not in text and "NSWER" not in text:
        return None
    for cue in reversed(list(_CUE.finditer(text))[-_CUES:]):
        rest = text[cue.end() : cue.end() + 2000]
        formula = _MATH.match(rest)
        if formula is not None:
            spans = [span for span in _formulas(rest) if span.start < 400]
            return _first_group(rest, spans) or rest[: formula.end()].strip("$ ")
        stated = _stated(_CUE_END.split(rest, maxsplit=1)[0])
        if stated:
            return stated
    return None


def _first_group(text: str, spans: list[_Span]) -> str | None:
    for count in range(1, len(spans)):
        gap = text[spans[count - 1].end : spans[count].start]
        if not _JOINER.fullmatch(gap):
            return _last_group(text, spans[:count])
    return _last_group(text, spans)


def _stated(phrase: str) -> str | None:
    """The answer in what follows "answer is": all of it when short, else its last statement, formula or number."""
    phrase = phrase.strip(" \t*_\"'`")
    letter = _LETTER_FIRST.match(phrase)
    if letter:
        return letter[1] or letter[2]
    phrase = _COPULA.split(phrase)[-1].strip()
    if len(_PROSE.findall(phrase)) > 2 or len(phrase) > 300:
        return _last_group(phrase, _formulas(phrase)) or _plain_number(phrase)
    return phrase.rstrip(".").strip("$ ") or None


def _letter(text: str) -> str | None:
    letters = [match[1] or match[2] for match in _CHOICE.finditer(text)]
    if letters:
        return str(letters[-1])
    lone = _LETTER_FIRST.fullmatch(text.strip().rstrip("."))
    return (lone[1] or lone[2]) if lone else None


def _plain_number(text: str) -> str | None:
    for tail in _TAILS:
        found = _NUMBER.findall(text[-tail:])
        # A number at the start of a tail may be the end of a longer one.
        if found and (tail >= len(text) or len(found) > 1):
            return str(found[-1])
    return str(found[-1]) if found else None


def verbatim(text: str) -> str | None:
    """The whole visible text, without white space around it."""
    return text.strip() or None


def _formula_or_number(text: str) -> str | None:
    formulas = _formulas(text)
    rest = text[formulas[-1].end :] if formulas else text
    return _plain_number(rest) or _last_group(text, formulas)


def extract(text: str) -> str | None:
    r"""Final answer of a response's visible text, or None when it has none.

    Looks for the last balanced `\boxed{}`, then `#### x`, then "the answer is x", then a choice letter in the last
    line, then the last formula or plain number. Never raises; linear in the length of the text.
    """
    last_line = text.rstrip().rpartition("\n")[2][-500:]
    return _boxed_or_final(text) or gsm8k(text) or answer_is(text) or _letter(last_line) or _formula_or_number(text)


def bare(answer: str) -> str:
    """The answer without the sentence, box or delimiters around it; itself when it has none of them."""
    for _ in range(_LAYERS):
        if not _dressed(answer):
            break
        inner = extract(answer)
        if inner is None or inner == answer:
            break
        answer = inner
    return answer


def _dressed(answer: str) -> bool:
    if "boxed" in answer or "nswer" in answer or "\\(" in answer or "\\[" in answer:
        return True
    dollars = answer.count("$") - answer.count("\\$")
    whole = dollars == 2 and answer[:1] == "$" == answer[-1:]
    sentence = answer.count(" ", 0, 200) > 2 and len(_WORD.findall(answer[:200])) > 3
    return sentence or (dollars > 0 and not whole)


def choice(text: str) -> str | None:
    """The letter of a multiple choice: in the box, else after "the answer is", else the last "(X)" or "option X"."""
    return _boxed_letter(text) or _letter(answer_is(text) or "") or _letter(text)


def number(text: str) -> str | None:
    """The last plain number: in the box, else after `####`, else in the text."""
    return _plain_number(boxed(text) or gsm8k(text) or text)


def _boxed_letter(text: str) -> str | None:
    box = boxed(text)
    return _letter(re.sub(r"\\text(?:bf|rm)?\s*\{([^{}]*)\}", r"\1", box)) if box else None
