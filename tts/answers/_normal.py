r"""One spelling for one answer: Unicode mathematics, LaTeX layout, units brought to a normal form.

The normal form is text again, LaTeX that Math-Verify still reads; equal normal forms are equal answers.
"""

import re
import unicodedata

from tts.answers._notation import renoted

LONGEST = 50_000  # characters; a longer answer keeps its own spelling
_PARENTHESES = 50  # powers and roots over a parenthesis; more of them are left as they are

_SYMBOLS = {
    "∞": r"\infty ", "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "φ": r"\phi ",
    "‐": "-", "‑": "-", "‒": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ",
    "÷": "/", "∕": "/", "⁄": "/", "−": "-", "–": "-",
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ",
    "∈": r"\in ", "∅": r"\emptyset ", "°": r"^\circ ", "′": "'", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "…": r"\ldots ",
    "٫": ".", "٬": ",", "₹": "", "“": "", "”": "", "‘": "'", "’": "'",
}  # fmt: skip
_SUPERSCRIPT = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_SUBSCRIPT = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPT)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPT)}]+")

_LAYOUT = re.compile(
    r"\\(?:left|right|middle|bigg?[lrm]?|Bigg?[lrm]?|displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut"
    r"|large|Large|LARGE|huge|Huge|small|tiny|normalsize|bf|rm|it|sf|tt|nonumber|notag|strut)(?![a-zA-Z])\.?"
    r"|(?<!\\)\\!|(?<!!)\{\}|\\f?boxed(?=\{)"
    r"|\\(?:text)?color(?:box)?\s*\{[^{}]*\}|\\(?:tag|label)\s*\{[^{}]*\}"
)
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_LEADING_TEXT = re.compile(r"\\text\s*\{[^{}]*(?:\b(?:is|are|equals?|be)|:|=)\s*\}\s*")
_WHOLE_TEXT = re.compile(r"\\text\s*\{([^{}]*(?:\band\b|\bor\b|[,;&=])[^{}]*)\}")
_GAP = re.compile(r"(?:(?<!\\)\\[,;:> ]|~|\\q?quad(?![a-zA-Z])|\\[hv]?(?:space|phantom)\*?\{[^{}]*\}|\s+)+")
_CONTROL = {
    "dfrac": "frac", "nicefrac": "frac", "sfrac": "frac",
    "tfrac": "frac", "cfrac": "frac", "leq": "le", "geq": "ge", "leqslant": "le", "geqslant": "ge",
    "lt": "<", "gt": ">", "neq": "ne", "gets": "leftarrow", "lbrace": "\\{", "rbrace": "\\}", "infin": "infty",
    "dots": "ldots", "cdots": "ldots", "mathrm": "text", "textbf": "text", "textrm": "text", "textit": "text",
    "textnormal": "text", "mbox": "text", "mathbf": "text", "mathit": "text", "mathsf": "text", "texttt": "text",
    "hbox": "text", "bm": "text", "boldsymbol": "text", "operatorname": "text", "degree": "^\\circ",
    "thinspace": "", "dollar": "", "emph": "text", "land": "text{and}", "lor": "text{or}", "bmatrix": "pmatrix",
    "lnot": "neg", "varnothing": "emptyset", "langle": "(", "rangle": ")",
    "underline": "text", "ast": "*", "vert": "|", "lvert": "|", "rvert": "|", "mid": "|", "lg": "log",
    "mathscr": "text", "mathtt": "text", "textsf": "text", "pmb": "text", "textup": "text", "mathnormal": "text",
}  # fmt: skip
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z])")
_SHORT_FRAC = re.compile(r"\\frac\s*(?:(\d)|\{([^{}]*)\})\s*(?:(\d)|\{([^{}]*)\})")
_SHORT_SQRT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z](?![a-zA-Z]))")
_BRACED_SIGN = re.compile(r"([_^])\{\s*([0-9a-zA-Z])\s*\}")
_DEGREES = re.compile(r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))\s*")
_ANGLE = re.compile(r"(\d+(?:\.\d+)?)\^\\circ")
_INNER_DEGREES = re.compile(r"\^\\circ(?!\s*(?:[CFK](?![a-z])|[,;)\]}]|$))\s?")
_TRIGONOMETRIC = re.compile(r"\\?(?:arc)?(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_AND = re.compile(r" ?,? ?(?:\\text\{ ?,? ?and ?\}|(?<![a-zA-Z])and(?![a-z])) ?")
_OR = re.compile(r" ?,? ?(?:\\text\{ ?,? ?or ?\}|(?<![a-zA-Z])or(?![a-z])) ?")
_LIST_COMMA = re.compile(r", +(?![^()\[\]{}]*[)\]}])")
_PERCENT = re.compile(r" ?\\text\{ ?(?:percent(?:age)?|pct) ?\}| ?\b(?:percent(?:age)?|pct)\b| ?\\?%")
_TEXT_LETTER = re.compile(
    r"(?<![\d{})\]\s%])(?<!\}\\cdot)(?<!\}/)\s*\\text\s*\{\s*([a-zA-Z])\s*\}|\\text\s*\{\s*([eiABDET-Z]|Re|Im|tr|rank|[-\d.,]+)\s*\}"
)
_TEXT_FUNCTION = re.compile(
    r"\\text\s*\{\s*(sin|cos|tan|cot|sec|csc|ln|log|exp|max|min|gcd|lcm|arcsin|arccos|arctan)\s*\}"
)
_SPACE = re.compile(r"(?<![A-Za-z0-9,]) +|(?<=,) +(?![0-9])| +(?![A-Za-z0-9])")  # `32, 349` is no thousand
_COUNTER = re.compile(r"(?<![a-zA-Z\\])([a-mo-z])\s*\\in\s*\\mathbb\s*\{[ZN]\}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_NAMES = {
    name: name
    for name in [
        "pi",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "ln",
        "log",
        "exp",
        "abs",
        "gcd",
        "lcm",
        "max",
        "min",
        "theta",
        "alpha",
        "beta",
        "gamma",
        "lambda",
        "phi",
        "omega",
        "infty",
    ]
} | {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "infinity": "infty",
    "Infinity": "infty",
    "inf": "infty",
    "oo": "infty",
    "Pi": "pi",
}
_LETTERS = re.compile(r"[a-zA-Z]{2,}")
_PLAIN_NAME = re.compile(rf"(?<![a-zA-Z\\])({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?![a-zA-Z])")
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))


def _root(text: str) -> str:
    """√ over the number, letter or parenthesis that follows it."""
    text = re.sub(r"√\s*(\d+(?:\.\d+)?|[a-zA-Z])", r"\\sqrt{\1}", text)
    for _ in range(min(_PARENTHESES, text.count("√("))):
        start = text.find("√(")
        end = _closing(text, start + 1) if start >= 0 else None
        if end is None:
            break
        text = f"{text[:start]}\\sqrt{{{text[start + 2 : end]}}}{text[end + 1 :]}"
    return text.replace("√", r"\sqrt ")


def _closing(text: str, start: int) -> int | None:
    """Index of the parenthesis that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index
    return None


def _plain(sign: str) -> str:
    """One sign without its Unicode dress: digits of any script, vulgar fractions, full-width forms."""
    if sign in _SYMBOLS:
        return _SYMBOLS[sign]
    if unicodedata.category(sign) == "Nd":
        return str(unicodedata.digit(sign))
    dressed = unicodedata.normalize("NFKC", sign)
    above, slash, below = dressed.partition("\u2044")
    return rf"\frac{{{above}}}{{{below}}}" if slash and below else dressed


def _ascii(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    text = _RAISED.sub(lambda run: "^{" + "".join(map(_SUPERSCRIPT.__getitem__, run.group())) + "}", text)
    text = _LOWERED.sub(lambda run: "_{" + "".join(map(_SUBSCRIPT.__getitem__, run.group())) + "}", text)
    return "".join(sign if sign.isascii() else _plain(sign) for sign in _root(text))


def _balanced(text: str) -> str:
    """Without the closing braces at the end that nothing opened."""
    surplus = text.count("}") - text.count("{")
    while surplus > 0 and text.endswith("}") and not text.endswith("\\}"):
        text = text[:-1]
        surplus -= 1
    return text


def _unwrapped(text: str) -> str:
    for opening, closing in _WRAPPERS:
        inner = text[len(opening) : len(text) - len(closing)]
        whole = len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing)
        if whole and (opening[0] != "$" or "$" not in inner.replace(r"\$", "")):
            return inner.strip()
    return text


def _command(match: re.Match[str]) -> str:
    name = match[1]
    plain = _CONTROL.get(name)
    if plain is None:
        return match.group()
    return plain if plain[:1] in {"", "(", ")", "|", "*", "<", ">", "\\", "^"} else "\\" + plain


def _fraction(match: re.Match[str]) -> str:
    above = match[1] or match[2]
    below = match[3] or match[4]
    return rf"\frac{{{above}}}{{{below}}}"


def _nest_powers(text: str) -> str:
    """`a^(b)` as `a^{b}`: LaTeX would raise only the parenthesis sign."""
    text = text.replace("**", "^")
    position = text.find("^(")
    for _ in range(min(_PARENTHESES, text.count("^("))):
        end = _closing(text, position + 1) if position >= 0 else None
        if end is None:
            break
        text = f"{text[: position + 1]}{{{text[position + 2 : end]}}}{text[end + 1 :]}"
        position = text.find("^(", position)
    return text


def _latex(text: str) -> str:
    if "\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    text = _GAP.sub(" ", _COMMAND.sub(_command, _LAYOUT.sub("", text).replace("{,}", ",")))
    text = text.replace("bmatrix", "pmatrix")
    text = _LEADING_TEXT.sub("", text, count=1) if text.lstrip().startswith("\\text") else text
    whole = _WHOLE_TEXT.fullmatch(text.strip())
    text = whole[1] if whole else text
    text = _TEXT_FUNCTION.sub(r"\\\1 ", _TEXT_LETTER.sub(lambda one: one[1] or one[2], text))
    return _SHORT_SQRT.sub(r"\\sqrt{\1}", _SHORT_FRAC.sub(_fraction, text))


def _joined(text: str, word: re.Pattern[str]) -> str:
    """`2, 3 and 5` as `2; 3; 5`: the commas of such a list part its items as the word does."""
    parted = word.sub("; ", text)
    return _LIST_COMMA.sub("; ", parted) if parted != text and "=" not in text else parted


def _angles(text: str) -> str:
    """Degrees under a trigonometric function as radians; elsewhere only at the end of an item, as its unit."""
    text = _DEGREES.sub(r"^\\circ ", text)
    if _TRIGONOMETRIC.search(text):
        text = _ANGLE.sub(r"(\\frac{\1}{180}\\pi)", text)
    return _INNER_DEGREES.sub("", text).strip()


def normal_form(answer: str) -> str:
    """The answer in its one spelling; linear in its length, never raises."""
    text = answer.strip()
    if len(text) > LONGEST or (text.isascii() and text.isdigit()):
        return text
    if not text.isascii():
        text = _ascii(text).strip()
    text = renoted(_balanced(_unwrapped(text)))
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'`" and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if "\\" in text or "{" in text:
        text = _latex(_ROW_GAP.sub(r"\\\\", text))
    text = _GAP.sub(" ", text)
    text = _nest_powers(text).strip().rstrip("\\").rstrip()
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1].rstrip()
    text = text.lstrip("$").rstrip("$").strip() if text.count("$") == 1 and "\\$" not in text else text
    text = _PERCENT.sub("%", text)
    text = _joined(text, _AND) if "and" in text else text
    text = _joined(text, _OR) if "or" in text else text
    text = _angles(text) if "circ" in text else text
    text = plain_names(text)
    builder = _BUILDER.fullmatch(text) if text.startswith("\\{") else None
    text = builder[2] + builder[3] if builder is not None and builder[1] in builder[2] + builder[3] else text
    text = _counted(text) if "mathbb" in text else text
    text = _BRACED_SIGN.sub(r"\1\2", text).replace("\\log_e", "\\ln")
    return _SPACE.sub("", text).removeprefix("=")


_BUILDER = re.compile(
    r"\\\{ ?([a-z]) ?(?:\\in ?\\mathbb ?\{R\} ?)?[|:] ?(.*[<>]|.*\\(?:le|ge|ne|in)(?![a-zA-Z])(?:.*))(.*)\\\}",
    re.DOTALL,
)


def _counted(text: str) -> str:
    r"""`k\\pi, k\\in\\mathbb{Z}` with n for the letter that runs through the whole numbers: any letter would do."""
    letters = {match[1] for match in _COUNTER.finditer(text)}
    if len(letters) != 1 or re.search(r"(?<![a-zA-Z\\])n(?![a-zA-Z])", text):
        return text
    return re.sub(rf"(\\\\[a-zA-Z]+)|(?<![a-zA-Z]){letters.pop()}(?![a-zA-Z])", lambda one: one[1] or "n", text)


def plain_names(text: str) -> str:
    r"""`2*sqrt(3)` as `2*\sqrt{3}`, `pi/2` as `\pi/2`: only where nothing but such names is in the text."""
    runs = _LETTERS.findall(_COMMAND.sub("", text))
    if not runs or not all(run in _NAMES for run in runs) or "\\text" in text:
        return text
    text = _PLAIN_NAME.sub(lambda one: "\\" + _NAMES[one[1]], text)
    for command, opening, closing in (("\\sqrt(", "\\sqrt{", "}"), ("\\exp(", "e^{", "}"), ("\\abs(", "|", "|")):
        for _ in range(min(_PARENTHESES, text.count(command))):
            start = text.find(command)
            end = _closing(text, start + len(command) - 1) if start >= 0 else None
            if end is None:
                break
            text = f"{text[:start]}{opening}{text[start + len(command) : end]}{closing}{text[end + 1 :]}"
    return text
