r"""What an answer says, as far as that can be read without a computer algebra system.

A reading is a number, a word, a series of readings, a named reading (`x = 5`), a value with a unit, digits in a base,
or an expression left unread.
"""

import re
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise

from tts.answers._normal import normal_form
from tts.answers._spoken import date, part, scaled, spoken
from tts.answers._units import split_unit
from tts.answers.extraction import bare
from tts.answers.kinds import Based, Expression, Huge, Measured, Named, Number, Reading, Series, Word

_EXACT_SIZE = 400  # digits plus exponent up to which numbers are held as fractions
_PLACES = 60  # significant places read after the point; a program may print hundreds
_PAIR = 2
_DEEPEST = 8  # brackets within brackets
SHORT = 1000  # characters up to which an answer is worth remembering

_WHOLE = r"(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,2}(?: \d{3})+|\d+)"
_POWER = r"(?:[eE](?P<e>[-+]?\d+)| ?(?:\\times|\\cdot|\*|x) ?10\^(?:\{(?P<p>[-+]?\d+)\}|(?P<d>\d+)))"
_DECIMAL = re.compile(rf"(?P<sign>[-+]?)(?P<whole>{_WHOLE})?(?:\.(?P<part>\d*))?{_POWER}?(?P<pct>%?)")
_COMMA = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+),(?P<part>\d+)")
# Thousands between points or spaces before a decimal comma, several points, groups as in India.
_LOCAL = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<points>\d{1,3}(?:\.\d{3})+)|(?P<spaces>\d{1,3}(?: \d{3})+)),(?P<part>\d+)"
    r"|(?P<sign2>[-+]?)(?P<whole>\d{1,3}(?:\.\d{3}){2,}|\d{1,2}(?:,\d{2})+,\d{3})"
)
_REPEATING = re.compile(
    r"(?P<sign>[-+]?)(?P<whole>\d*)\.(?P<part>\d*)(?:\\overline\{?(?P<line>\d+)\}?|\((?P<round>\d+)\)|\\dot\{?(?P<dot>\d)\}?)"
    r"(?:\.\.\.|\\ldots)?(?P<pct>%?)"
)
_GOING_ON = re.compile(r"[-+]?\d*\.\d{0,20}?(\d{1,6}?)\1+(?=(?:\.\.\.|\\ldots)$)")  # 0.1666...
_BASED = re.compile(
    r"\(?(?P<digits>[0-9A-Z]*[0-9][0-9A-Z]*|[A-F]{2,})\)?_(?:\{?\(?(?P<base>\d{1,2})\)?\}?|\{?\\text\{(?P<name>[a-z]+)\}\}?)"
    r"|0(?P<prefix>[xXbBoO])(?P<coded>[0-9a-fA-F]+)|(?P<plain>[0-9A-F]+)(?: ?\\text\{)? ?\(?base"
    r" (?P<named>\d{1,2}|[a-z]+)\)?\}?"
)
_TWICE = re.compile(r"([a-zA-Z -]+?) ?\((\d+)\)")  # forty-two (42)
_DESCRIBED = re.compile(
    r"(?:\\text\{ ?)?(?:\(([A-J])\)(?=[ }\d])|([A-J])[.:)](?=[ }]|\d|\\|[A-Za-z]{2}[a-z ]))(?: ?\})?(?! ?$).+",
    re.DOTALL,
)
_PREFIXES = {"x": 16, "b": 2, "o": 8}
_PLAIN = r"[-+]?(?:\d{1,400}(?:\.\d{1,400})?|\.\d{1,400})"
_RATIO = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<mixed>\d{{1,400}}) ?(?=\\| \d|(?<= )\d))?"
    rf"(?:\\frac\{{(?P<above>{_PLAIN})\}}\{{(?P<below>{_PLAIN})\}}|(?P<over>\d{{1,400}})/(?P<under>\d{{1,400}})"
    rf"|\((?P<pover>{_PLAIN})\)/\(?(?P<punder>{_PLAIN})\)?)(?P<pct>%?)"
)
_CHOICE = re.compile(r"\(?([A-Ea-e])\)?[.:]?")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_PHRASE = re.compile(r"(?:[Nn][Oo] )?[^\W\d_][^\W\d_][\w'-]+(?: [\w'-]+)*[.!]?")
_COUNTED = re.compile(r"\\text\{( ?[-+]?\$?\d[^{}]*)\}")  # \text{7 apples}
_ARTICLE = re.compile(r"^(?:an?|the) (?=[a-z]{2})")
_OPTION = re.compile(r"(?:option|choice|answer) \(?([a-j])\)?")
_SYNONYMS = {
    "dne": "does not exist",
    "doesn't exist": "does not exist",
    "no solutions": "no solution",
    "there is no solution": "no solution",
    "no real solutions": "no real solution",
    "infinite": "infinitely many",
    "infinitely many solutions": "infinitely many",
}
_SHORT_WORD = re.compile(r"[A-Z][a-z]|(?i:no|ok|up|on|in|it|he|me|us|or)")
_MATHEMATICAL = frozenset(
    ("sqrt", "infinity", "infty", "inf", "sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "max", "min", "det")
)
_GROUPED = re.compile(r"[-+]?(?:\\\$|[€£¥])?\s?\d{1,3}(?:,\d{3})+(?!\d|,)[^,;]*$")
_ENVIRONMENT = re.compile(
    r"(?:\\\{)?\\begin\{(?P<name>[a-z]+)\}(?:\{[lcr|]+\})?(?P<inside>.*)\\end\{(?P=name)\}", re.DOTALL
)
_BRACKETS = {"(": ")]", "[": ")][", "]": "[]"}  # `]1,2[` as it is written in France
EQUALS = re.compile(r"(?<![<>!=\\:])=(?!=)")
_OPERATOR = re.compile(r"[-+*/^<>!%]|\\(?:frac|cdot|times|sqrt|le|ge|ne|in|pm|div|binom|sum|int|cup|cap)(?![a-zA-Z])")
_ARITHMETIC = re.compile(r"\\(?:frac|cdot|times|sqrt|pi|div|binom)(?![a-zA-Z])")
_EVALUATED = re.compile(r"-?\\(?:lim|sum|int|prod|det|gcd|max|min)(?![a-zA-Z])")
_LETTER = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]")


def _canonical(sign: str, whole: str, part: str, exponent: int) -> Fraction | Huge | None:
    digits = (whole + part).lstrip("0")
    kept = digits[: len(whole.lstrip("0")) + _PLACES] if part else digits
    stripped = kept.rstrip("0")
    shift = exponent - len(part) + len(digits) - len(stripped)
    if not stripped:
        return Fraction(0)
    if len(stripped) + abs(shift) > _EXACT_SIZE:
        return Huge(sign == "-", stripped, str(shift))
    mantissa = int(sign + stripped)
    return Fraction(mantissa * 10**shift) if shift >= 0 else Fraction(mantissa, 10**-shift)


def _decimal(text: str) -> Number | None:
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match["whole"] or match["part"]):
        return None
    power = match["e"] or match["p"] or match["d"] or "0"
    if len(power) > 18:
        return None
    whole = (match["whole"] or "").replace(",", "").replace(" ", "")
    value = _canonical(match["sign"], whole, match["part"] or "", int(power))
    if value is None:
        return None
    return Number(value, text, decimal="." in text or bool(match["e"]), percent=bool(match["pct"]))


def _ratio(text: str) -> Number | None:
    match = _RATIO.fullmatch(text)
    if match is None:
        return None
    above = Fraction(match["above"] or match["over"] or match["pover"])
    below = Fraction(match["below"] or match["under"] or match["punder"])
    if below == 0:
        return None
    value = above / below
    if match["mixed"]:
        if not 0 <= value < 1:
            return None
        value += int(match["mixed"])
    return Number(-value if match["sign"] == "-" else value, text, percent=bool(match["pct"]))


def _local(text: str) -> Number | None:
    """A number as other countries write it, or one with repeating digits."""
    match = _LOCAL.fullmatch(text)
    if match is not None:
        whole = re.sub(r"\D", "", match["points"] or match["spaces"] or match["whole"])
        value = _canonical(match["sign"] or match["sign2"] or "", whole, match["part"] or "", 0)
        return None if value is None else Number(value, text, decimal=match["part"] is not None)
    going = _GOING_ON.match(text) if text.endswith(("...", "\\ldots")) and len(text) < _EXACT_SIZE else None
    again = _REPEATING.fullmatch(f"{text[: going.start(1)]}({going[1]})" if going is not None else text)
    if again is None or len(text) > _EXACT_SIZE:
        return None
    repeated = again["line"] or again["round"] or again["dot"]
    exact = Fraction(int(again["whole"] + again["part"] or "0")) + Fraction(int(repeated), 10 ** len(repeated) - 1)
    exact /= 10 ** len(again["part"])
    return Number(-exact if again["sign"] == "-" else exact, text, percent=bool(again["pct"]))


def _based(text: str) -> Based | None:
    if len(text) >= _EXACT_SIZE or not ("_" in text or text[:1] == "0" or "base" in text):
        return None
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    name = match["base"] or match["name"] or match["named"]
    base = _PREFIXES[match["prefix"].lower()] if match["prefix"] else int(name) if name.isdigit() else spoken(name)
    return based(match["digits"] or match["coded"] or match["plain"], base or 0)


def based(text: str, base: int) -> Based | None:
    """Digits in a base, or None where they are none of it."""
    digits = text.upper().lstrip("0") or "0"
    fits = 2 <= base <= 36 and digits.isalnum() and digits.isascii() and len(digits) < _EXACT_SIZE
    return Based(digits, base, text) if fits and all(int(digit, 36) < base for digit in digits) else None


def _said(text: str) -> Reading | None:
    """What words say: a number, a day."""
    inside = _TEXT.fullmatch(text)
    plain = inside[1].strip() if inside is not None else text
    twice = _TWICE.fullmatch(plain)
    number = spoken(twice[1] if twice is not None else plain)
    if number is not None and (twice is None or str(number) == twice[2]):
        return Number(Fraction(number), text)
    share = part(plain)
    if share is not None:
        return Number(share, text)
    day = date(plain)
    return Word(day, text) if day is not None else None


def _word(text: str) -> Word | None:
    choice = _CHOICE.fullmatch(text)
    if choice is not None and (choice[1].isupper() or len(text) == 1):
        return Word(choice[1].casefold(), text)
    described = _DESCRIBED.fullmatch(text) if len(text) < _EXACT_SIZE else None
    if described is not None:  # a letter with the text of its option
        return Word((described[1] or described[2]).casefold(), text)
    inside = _TEXT.fullmatch(text)
    if inside is not None:
        return _word(inside[1].strip()) or Word(_meant(inside[1]), text)
    if (_PHRASE.fullmatch(text) and text.casefold() not in _MATHEMATICAL) or _SHORT_WORD.fullmatch(text):
        return Word(_meant(text), text)
    return None


def _meant(words: str) -> str:
    """Words without case, an article before them, in the one spelling of what has several."""
    plain = _ARTICLE.sub("", " ".join(words.casefold().rstrip(".! ").split()))
    option = _OPTION.fullmatch(plain)
    return option[1] if option is not None else _SYNONYMS.get(plain, plain)


def _split(text: str, separators: str) -> list[str]:
    """Parts between top-level separators; one part when brackets do not pair up."""
    if not any(sign in text for sign in separators):
        return [text]
    parts, depth, start = [], 0, 0
    for index, sign in enumerate(text):
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif depth == 0 and sign in separators:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts if depth == 0 and all(parts) else [text]


def _bracketed(text: str) -> tuple[str, str] | None:
    """Brackets and content when one pair spans the whole text."""
    if text.startswith(r"\{") and text.endswith(r"\}"):
        opening, content, closing = "{", text[2:-2], "}"
    elif text[:1] == "{" and text[-1:] == "}":
        opening, content, closing = "", text[1:-1], ""
    elif text[:1] in _BRACKETS and text[-1:] in _BRACKETS[text[0]]:
        opening, content, closing = text[0].replace("]", "("), text[1:-1], text[-1].replace("[", ")")
    else:
        return None
    depth = 0
    for sign in content:
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return None
    return (opening + closing, content) if depth == 0 else None


def _series(text: str, depth: int) -> Reading | None:
    bracketed = _bracketed(text)
    brackets, content = bracketed or ("", text)
    if bracketed is not None and not content.strip():
        return Expression("\\emptyset") if brackets == "{}" else None
    separator = ";" if len(_split(content, ";")) > 1 else ","
    parts = _split(content, separator)
    if len(parts) == 1 and brackets != "{}":
        return _read(content.strip(), depth + 1) if bracketed else None
    items = tuple(_read(part, depth + 1) for part in parts)
    unordered = brackets == "{}" or (brackets == "" and "\\ldots" not in text and _has_no_order(items, content))
    comma = _COMMA.fullmatch(text)
    number = None
    if comma is not None:
        value = _canonical(comma["sign"], comma["whole"], comma["part"], 0)
        number = Number(value, text, decimal=True) if value is not None else None
    return Series(items, brackets, text, unordered, number)


def _has_no_order(items: tuple[Reading, ...], text: str) -> bool:
    """Of a list without brackets: two roots, named values, points, items joined by "and"; three may be a sequence."""
    points = all(isinstance(item, Series) and item.brackets == "()" for item in items)
    return len(items) <= _PAIR or ";" in text or points or all(isinstance(item, Named | Word) for item in items)


def _sides(text: str) -> list[str]:
    """What stands between top-level signs of equality."""
    ends = [match.start() for match in EQUALS.finditer(text)]
    depths = [0, *accumulate((sign in "([{") - (sign in ")]}") for sign in text)]
    ends = [-1, *(end for end in ends if depths[end] == 0), len(text)]
    return [text[start + 1 : end].strip() for start, end in pairwise(ends)]


def _numeric(side: str) -> bool:
    return _LETTER.search(side) is None and "\\" not in _ARITHMETIC.sub("", side)


def _valued(sides: list[str]) -> bool:
    r"""`\lim_{x\to 0} f(x) = 1`, `n(n+1)/2 = 10\cdot 11/2 = 55`: what is asked for, then its value."""
    if not _numeric(sides[-1]):
        return False
    return (len(sides) > _PAIR and _numeric(sides[-2])) or _EVALUATED.match(sides[0]) is not None


def _equation(text: str, depth: int) -> Reading | None:
    r"""`x = 5` by its name, `9 - 5 = 4` by its right-hand side, `x \approx 5` likewise; other equations unread."""
    exact, *rounded = re.split(r"\\approx(?![a-zA-Z])", text)
    if rounded:
        lone_name = not EQUALS.search(exact) and not _OPERATOR.search(exact) and _LETTER.search(exact)
        return _read((f"{exact}={rounded[-1]}" if lone_name else exact).strip(), depth + 1)
    if len(_split(text, ",;")) > 1:
        return None
    sides = _sides(text)
    if len(sides) < 2 or not all(sides):
        return None
    if _numeric(sides[0]) and _OPERATOR.search(sides[-1]) is None and _LETTER.search(sides[-1]):
        sides.reverse()
    if all(map(_numeric, sides)) or _valued(sides):
        return _read(sides[-1], depth + 1)
    if _OPERATOR.search(sides[0]) is None and not _numeric(sides[0]):
        return Named(re.sub(r"[\s{}()]", "", sides[0]), _read(sides[-1], depth + 1), text)
    return Expression(text)


def _read(text: str, depth: int) -> Reading:
    number = _decimal(text) or _ratio(text) or _local(text)
    if number is not None:
        return number
    counted = _COUNTED.fullmatch(text)
    if counted is not None:
        return _read(counted[1].strip(), depth + 1)
    reading: Reading | None = _said(text) or _based(text)
    if reading is None and depth < _DEEPEST:
        reading = _measured(text, depth) or _word(text) or _structured(text, depth)
    return reading or _word(text) or Expression(text.replace("\\$", ""))


def _measured(text: str, depth: int) -> Reading | None:
    if "," in text and len(_split(text, ",;")) > 1 and not _GROUPED.match(text):
        return None
    counted = scaled(text)
    if counted is not None:
        return _read(counted, depth + 1)
    split = split_unit(text) if not text.isalpha() else None
    if split is None:
        return None
    value = _read(split.body, depth + 1)
    if isinstance(value, Word):
        return None
    return value if split.unit == "th" else Measured(value, split.unit, text, split.lone)


def _structured(text: str, depth: int) -> Reading | None:
    """An equation, a matrix, a series."""
    reading: Reading | None = None
    if "\\begin" in text:
        reading = _environment(text, depth)
    if reading is None and ("=" in text or "\\approx" in text):
        reading = _equation(text, depth)
    if reading is None and ("," in text or ";" in text or text[:1] in "([{]" or text.startswith(r"\{")):
        reading = _series(text, depth)
    return reading


def _environment(text: str, depth: int) -> Reading | None:
    r"""A matrix by its rows, a column by its entries; `cases` by its equations."""
    match = _ENVIRONMENT.fullmatch(text)
    if match is None or "\\begin" in match["inside"]:
        return None
    rows = [row.strip() for row in re.split(r"\\\\|\\cr(?![a-zA-Z])", match["inside"]) if row.strip()]
    if match["name"] in {"cases", "aligned", "array"} and all("&" not in row for row in rows):
        return (
            _series(", ".join(row.rstrip(",.") for row in rows), depth) if len(rows) > 1 else _read(rows[0], depth + 1)
        )
    if match["name"] not in {"pmatrix", "bmatrix", "matrix", "smallmatrix"}:
        return None
    table = [[_read(cell.strip(), depth + 2) for cell in row.split("&")] for row in rows]
    if not table or any(len(row) != len(table[0]) for row in table):
        return None
    if len(table[0]) == 1:
        return Series(tuple(row[0] for row in table), "()", text)
    return Series(tuple(Series(tuple(row), "[]", "") for row in table), "[]", text)


def read_normal(text: str) -> Reading:
    """Reading of a text that is in normal form already, such as a part of one."""
    return _read(text, 1)


def _read_afresh(answer: str) -> Reading:
    return _read(normal_form(bare(answer)), 0)


_read_cached = lru_cache(maxsize=65536)(_read_afresh)


def read(answer: str) -> Reading:
    """Reading of an answer, from the bounded parse cache when it is short; never raises."""
    return _read_cached(answer) if len(answer) <= SHORT else _read_afresh(answer)
