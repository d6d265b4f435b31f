"""Numbers, dates in words: `forty-two`, `4 July 2021`."""

import re
from fractions import Fraction

_UNITS = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_WORD = re.compile(r"[a-z]+")
_LONGEST = 200
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"(?:(?P<month>{_MONTH})\.?\s+(?P<day>\d{{1,2}})|(?P<day2>\d{{1,2}})\s+(?:of\s+)?(?P<month2>{_MONTH})\.?)"
    r"(?:st|nd|rd|th)?(?:,?\s*(?P<year>\d{3,4}))?"
)
_ORDINAL_DAY = re.compile(r"(?<=\d)(?:st|nd|rd|th)(?![a-z])")
_SCALED = re.compile(
    r"(?P<number>.*\d)\s*(?:\\text\{\s*)?(?P<scale>hundred|thousand|million|billion|trillion)s?(?:\s*\})?(?P<rest>(?:[\s}].*)?)"
)


_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}


def part(text: str) -> Fraction | None:
    """A fraction in words, `one half`, `two-thirds`, or None."""
    if len(text) > _LONGEST or not text[:1].isalpha():
        return None
    count, _, name = re.sub(r"[\s-]+", " ", text.casefold().strip()).rpartition(" ")
    below = _PARTS.get(name.removesuffix("s")) or (2 if name == "halves" else None)
    above = _UNITS.get(count, 1 if count in {"a", "an"} or (count == "" and name == "half") else 0)
    return Fraction(above, below) if below and above else None


def spoken(text: str) -> int | None:
    """The whole number that the words say, or None where they say anything else."""
    if len(text) > _LONGEST or (not text[:1].isalpha() and not text.startswith("-")):
        return None
    words = _WORD.findall(text.casefold())
    if not words or "".join(words) != re.sub(r"[\s,-]", "", text.casefold()):
        return None
    negative = words[0] in {"minus", "negative"} and len(words) > 1
    value = _value([word for word in words[negative:] if word != "and"])
    return None if value is None else -value if negative else value


def _value(words: list[str]) -> int | None:
    total = current = 0
    last = 10**15
    for place, word in enumerate(words):
        if word in _UNITS or word in _TENS:
            value = _UNITS.get(word, _TENS.get(word, 0))
            if last <= value or (last < 100 and (last < 20 or value > 9)):
                return None
            current, last = current + value, max(value, 1)
        elif word in _SCALES and (current or place == 0):
            scale = _SCALES[word]
            if scale == 100:
                current = max(current, 1) * 100
            else:
                total, current = total + max(current, 1) * scale, 0
            last = 10**15 if scale > 100 else 100
        else:
            return None
    return total + current if words else None


def scaled(text: str) -> str | None:
    """`4.2 million dollars` as `4.2e6 dollars`: the number multiplied out; None where no such word follows one."""
    match = _SCALED.fullmatch(text)
    if match is None or not re.fullmatch(r"[-+]?[\d,. ]*\d", match["number"]):
        return None
    zeros = len(str(_SCALES[match["scale"]])) - 1
    rest = match["rest"]
    return f"{match['number']}e{zeros}" + (rf" \text{{{rest}" if rest.endswith("}") and "{" not in rest else rest)


def date(text: str) -> str | None:
    """A day in one form, `07-04` or `2021-07-04`, or None."""
    if len(text) > _LONGEST:
        return None
    match = _DATE.fullmatch(_ORDINAL_DAY.sub("", text.casefold().strip()))
    if match is None:
        return None
    month, day = _MONTHS[match["month"] or match["month2"]], int(match["day"] or match["day2"])
    return "-".join(filter(None, (match["year"], f"{month:02}", f"{day:02}")))
