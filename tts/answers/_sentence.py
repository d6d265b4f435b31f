r"""The number, the letter or the formula that a sentence states as an answer.

"Ann spends $75.00 on tea over 30 days." says 75.00: numbers of times, shares, purposes, those between parentheses are
asides. Of the others what stands after a sign of equality or a total counts first, then an amount of money, then the
first.
"""

import re

from tts.answers._boxes import formulas, naked
from tts.answers._units import canonical, known

NUMBER = re.compile(
    r"(?:(?<![\w.])|(?<=[\u0e00-\u0e7f\u3040-\u9fff\uac00-\ud7af]))[-\u2212]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
    r"(?:[.,]\d+)?(?:[eE][-+]?\d+\b|/\d+)?|\.\d+)%?"
)
SPACED = re.compile("-?\\d{1,3}(?:[ \u00a0\u202f]\\d{3})+(?:,\\d+)?(?!\\d)")  # 1 250,5 as in France
NUMBERS = re.compile(rf"(?<![\w.,]){SPACED.pattern}|{NUMBER.pattern}")
_POINTED = re.compile(r"-?\d{1,3}(?:\.\d{3})+(?![\d.]*\d)")
_WORDS = re.compile(r"[a-zA-Z]{3,}|[^\x00-\x7f€£¥°²³√π×·∞≤≥½¼¾−–—]")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
# After these a number is when, for whom or among how many, rarely the answer.
_TIMES = (
    r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|mornings?|people|persons?|trips?|times|o'clock"
    r"|am|pm|jours?|heures?|semaines?|mois|ans|días|dias|horas|semanas|meses|años|tagen?|stunden?|wochen?|monate|jahren?"
    r"|giorni|ore|settimane|mesi|anni|дн\w+|час\w*|недел\w+|лет|месяц\w*)\b"
)
_ASIDE = re.compile(
    r"(?i)\b(?:(?:over|in|after|within|during|every|for|by|at|until|past|next|last|first|out of|of the|from|per|since"
    r"|en|por|durante|dans|pendant|pro|in|nach|über|за|в|через|entro|dopo)\s+(?:a |the |all |about |each |les |los )*"
    rf"(?=[\d.,]+\s+{_TIMES})"
    r"|(?:in|on|among|across|into|within|for)\s+(?:the |all |each |his |her |their )*"
    r"(?=[\d.,]+\s+(?!dollars?\b|cents?\b|euros?\b|pounds?\b)[a-z]{3,})"
    r"|(?:out of|of (?:the|all|these|those|his|her|their))\s+(?=\d)"
    r"|to (?:hold|carry|make|buy|cover|reach|fill|serve|feed|finish|read|complete|seat|transport|fit|collect|pack)\s+"
    r"(?:all )?(?:the |his |her |their |a |an )?\$?(?=\d)"
    r"|(?:in|since|by|of|until|from|before|after)\s+(?=(?:1[5-9]|20)\d\d\b(?![.,]\d)))"
)
_RATE = re.compile(r"(?i)\d[\d.,]*\s+times\s+(?:a|an|per|each|every)\b|(?<=, )\d[\d.,]*\s+(?:\w+\s+)?(?:per|apiece)\b")
_BEFORE = re.compile(
    r"(?i)^\s*(?:after|before|in|within|during|of|out of|from|with|at|if|since|when|given)\b[^,]*\d[^,]*,"
)
_SAME = re.compile(
    r"(?i)(?:=|≈|\btotal(?:s|ing|ed)?(?: (?:is|of|cost|amount)| comes to)?|\baltogether|(?<!,) or|\bi\.e\.,?)\s*\$?\s*$"
)
# What only tells more of a value that stands before it.
FURTHER = re.compile(
    r"(?i),\s+(?:namely|which|where|when|whereas|while|since|because|as|for which|compared|(?:attained|achieved"
    r"|obtained|reached|occurring|with equality)\b|not|rather than|instead of|or\b|i\.e\.?(?=,? \$))|\s(?:because"
    r"|since|attained"
    r"|which means|compared (?:to|with))\s|\s(?:when|if|at|for)\s+(?=\$?[a-z]\s*=)|\sand its\s|;\s"
)
_SUBJECT = re.compile(
    r"\s*(?:(?:So|Hence|Thus|Therefore|Then|And|Consequently)\b,?\s+)?[-$]?\d[\d.,/]*%?\s+(?:is|are)\s+(?:the|an?|our)\b"
)
_CONCLUDES = re.compile(r"(?i)[,;]\s+(?:and\s+)?(?:so|thus|hence|therefore|consequently)\b,?\s+")
_LABEL = re.compile(  # a number after such a noun is a name
    r"(?i)\b(?:station|steps?|case|question|problem|part|equation|figure|table|page|lines?|chapter|exercise|grade|room"
    r"|theorem|lemma|week|day|month|year|level|round|stage|lap|route|bus|platform|gate|highway|floor|section|example|row|column|option|no\.)\s+(?=\d)"
)
_PARENTHESIS = re.compile(r"\s[(（][^()（）]*[)）]")
_PER_ONE = re.compile(r"\d+(?=\s?(?:日|人|時間|週間?|か月|年)(?:あたり|につき|ごと)|\s?(?:天|小时|小時)[内內后後])")
_MONEY = re.compile(r"(?<![\\\w])(?:\\?\$|€|£)\s?(?=\d)")
_LONGER = re.compile(r"-?[\d.,]*\d\s+(?:hundred|thousand|million|billion|trillion)\b|\d{1,2}(?::\d{1,2})+(?![\d:])")
_AREA = re.compile(r"\s?(?:mm|cm|dm|m|km|in|ft|yd)\s?(?:[²³]|\^\{?[23]\}?)")
_CLOCK_BEFORE = re.compile(r"(?<![\d:])\d{1,2}:$")
_WORD_LENGTH = 4  # letters from which on a unit is a word, in whatever language
_LONGEST = 60  # characters of a phrase without a number that may be an answer


def main_number(sentence: str, *, last: bool = False) -> str | None:
    """The number that a sentence is about; `last` where nothing announces that it states an answer."""
    plain = _PARENTHESIS.sub(" ", sentence)
    sentence = plain if NUMBER.search(plain) else sentence
    sentence = without_more(sentence)
    before = _BEFORE.match(sentence)
    if before is not None and NUMBER.search(sentence, before.end()):
        sentence = sentence[before.end() :]
    numbers = list(NUMBERS.finditer(sentence))
    aside = {match.end() for one in (_ASIDE, _LABEL) for match in one.finditer(sentence)}
    if numbers:
        aside |= {match.start() for match in _RATE.finditer(sentence, numbers[0].end())}
    kept = [one for one in numbers if one.start() not in aside] or numbers
    if not kept:
        return None
    if last and _SUBJECT.match(sentence):
        return whole(sentence, kept[0])
    same = [one for one in kept if _SAME.search(sentence[: one.start()])]
    money = {match.end() for match in _MONEY.finditer(sentence)}
    paid = [one for one in kept if one.start() in money]
    chosen = same[-1] if same else kept[-1] if last else (paid or kept)[0]
    return whole(sentence, chosen)


def whole(sentence: str, number: re.Match[str]) -> str:
    """A number with what belongs to it: `2.5 million`, `9:45`, `3:2`, `12 cm²`."""
    longer = _LONGER.match(sentence, number.start())
    if longer is not None:
        return longer.group()
    before = _CLOCK_BEFORE.search(sentence, max(0, number.start() - 4), number.start())
    if before is not None:
        return before.group() + number.group()
    area = _AREA.match(sentence, number.end())
    return number.group() + (area.group() if area is not None else "")


def without_more(sentence: str) -> str:
    """A sentence from where it concludes, up to where it only tells more of the value that it has stated."""
    for conclusion in reversed([*_CONCLUDES.finditer(sentence)]):
        if NUMBER.search(sentence, conclusion.end()):
            sentence = sentence[conclusion.end() :]
            break
    stated = NUMBER.search(sentence)
    further = FURTHER.search(sentence, stated.end()) if stated is not None else None
    return sentence if further is None else sentence[: further.start()]


def in_prose(phrase: str) -> str | None:
    """The formula, the bold number or the number that a sentence states; a short one without any of them itself."""
    spans = formulas(phrase)
    if spans:
        return spans[-1].content
    loose = naked(phrase)
    if loose is not None:
        return loose.content
    bold = re.findall(r"\*\*\s*\$?([^*]{1,40}?)\s*\*\*", phrase)
    if bold and NUMBER.search(bold[-1]):
        phrase = bold[-1]
    return main_number(phrase) or (phrase.rstrip(".!").strip("*_ ") if len(phrase) < _LONGEST else None)


def in_script(phrase: str) -> str | None:
    """In a script without spaces: the first formula, else the number, else the first letter of a choice."""
    spans = formulas(phrase)
    if spans:
        return spans[0].content
    loose = naked(phrase)
    if loose is not None:
        return loose.content
    equation = re.search(r"=\s*([^=。，；]*[^\s=。，；])$", phrase)
    number = main_number(equation[1] if equation is not None else _PER_ONE.sub("", phrase))
    if number is not None:
        return number
    letter = re.search(r"(?<![A-Za-z])[A-J](?![A-Za-z])", phrase)
    if letter is not None:
        return letter.group()
    return phrase.strip() if len(phrase) < _LONGEST // 2 else None


def in_words(phrase: str, *, points: bool, last: bool = False) -> str | None:
    """In a language other than English: a number among words, with its unit if that is known; None where none is.

    `points` says that a point before three digits separates thousands there, `last` that nothing announces the answer.
    """
    if "\\" in phrase or not any(one.search(phrase) for one in (_WORDS, SPACED, _POINTED)):
        return None
    plain = _PARENTHESIS.sub(" ", phrase).replace("*", "")
    number = SPACED.search(plain) or NUMBER.search(plain)
    if number is None:
        return None
    text = number.group() if SPACED.fullmatch(number.group()) else main_number(plain, last=last) or number.group()
    unit = re.match(r"\s?([a-zA-Z°/^0-9]+)", plain[plain.find(text) + len(text) :])
    if points and _POINTED.fullmatch(text):
        text = text.replace(".", "")
    elif points:
        longer = _POINTED.search(plain)
        text = longer.group().replace(".", "") if longer is not None and longer.group().startswith(text) else text
    measured = unit is not None and len(unit[1]) < _WORD_LENGTH and known(canonical(unit[1])) is not None
    return f"{text} {unit[1]}" if measured and unit is not None else text
