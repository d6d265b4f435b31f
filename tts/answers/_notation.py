r"""Notations that say in commands or words of their own what has a plain spelling.

`\SI{9.8}{\newton}`, `{10 \choose 3}`, `2\mathbf{i}-\mathbf{j}`, `2\operatorname{cis}\frac{\pi}{3}`, `3 to 2`, `all real
numbers`.
"""

import re

_QUANTITY = re.compile(r"\\(?:SI|qty)\s*(?:\[[^\]]*\])?\{([^{}]*)\}\s*\{([^{}]*)\}")
_NUMERAL = re.compile(r"\\(?:num|numprint)\s*\{([^{}]*)\}")
_MACRO = re.compile(r"\\([a-zA-Z]+)")
_CHOOSE = re.compile(
    r"\{\s*([^{}\\]{1,20}?)\s*\\choose\s*([^{}\\]{1,20}?)\s*\}|^\s*([^{}\\]{1,20}?)\s*\\choose\s*([^{}\\]{1,20}?)\s*$"
)
_DEGREES = re.compile(r"\^\s*\{?\s*\\(?:text|mathrm)\s*\{\s*o\s*\}\s*\}?")
_THOUSANDS = re.compile(r"(?<=\d),\s*\\!\s*(?=\d{3}(?!\d))")
_RATIO = re.compile(r"(\d+)\s*(?:\\text\s*\{\s*to\s*\}|\bto\b)\s*(\d+)")
_REALS = re.compile(
    r"(?:\\text\s*\{)?\s*(?:[a-z] (?:is|can be) )?(?:the set of )?(?:any|all|every) (?:the )?reals?(?: numbers?"
    r"| values?(?: of [a-z])?"
    r"| [a-z])?\s*\}?\.?"
)
_CIS = re.compile(r"\\?(?:(?:operatorname|text|mathrm)\s*\{\s*cis\s*\}|(?<![a-zA-Z])cis(?![a-zA-Z]))\s*")
_LETTER = (
    r"(?:\\(?:mathbf|hat|vec|boldsymbol|bm)\s*\{?\s*(?:\\(?:hat|mathbf)\s*\{?\s*)?\\?(?:math)?([ijk])(?:math)?"
    r"\s*\}{0,2})"
)
_TERM = re.compile(
    rf"\s*([-+]?)\s*((?:\\[dt]?frac\{{[^{{}}]*\}}\{{[^{{}}]*\}}|\\sqrt\{{[^{{}}]*\}}|[\d./]|\s)*){_LETTER}\s*"
)
_UNLIKE_BOTH = re.compile(r"([a-zA-Z])\s*\\neq?\s*\\pm\s*(\d[\d.]*|\\frac\{\d+\}\{\d+\}|\\sqrt\{\d+\})")
_IMPLIES = re.compile(r"\\(?:implies|(?:L|l)?(?:R|r)ightarrow|Longrightarrow)(?![a-zA-Z])|→|⇒|⟹|=>(?=\s)")
_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in)")
_BOLD = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|pmb|mathrm|mathit|mathsf)\s*\{(?=[^{}]*(?:\\(?:[dt]?frac|sqrt|pi|cdot)))"
)
_UNITS = re.compile(r"(\\(?:mathrm|text|textrm)\s*\{)((?:[^{}]|\^\{-?\d\})*)\}")
_TRANSPOSED = re.compile(
    r"([(\[].*,.*[)\]])\s*\^\s*\{?\s*(?:T|\\top|\\intercal|\\(?:mathrm|mathsf|text)\s*\{\s*T\s*\})\s*\}?"
)
_FACTORIAL = re.compile(r"(?<=[\d)}])!\s*=(?!=)")


def renoted(text: str) -> str:
    """The text in plain notation; itself where it has none of these."""
    text = _concluded(text)
    if "\\" in text:
        text = _commands(text)
    if text[-1:] in "T}p" and "^" in text:
        transposed = _TRANSPOSED.fullmatch(text)
        text = transposed[1] if transposed is not None else text
    if "!" in text:
        text = _FACTORIAL.sub("!{}=", text)
    if "to" in text:
        ratio = _RATIO.fullmatch(text.strip())
        text = f"{ratio[1]}:{ratio[2]}" if ratio is not None else text
    if "real" in text and _REALS.fullmatch(text.strip().casefold()):
        return r"(-\infty,\infty)"
    return _cis(text) if "cis" in text else text


def _concluded(text: str) -> str:
    r"""Of `2x = 6 \implies x = 3` the last relation."""
    if "ightarrow" not in text and "implies" not in text and not re.search("[→⇒⟹]|=> ", text):
        return text
    parts = _IMPLIES.split(text)
    return parts[-1].strip() if all(_RELATION.search(part) for part in parts) else text


def _commands(text: str) -> str:
    text = _THOUSANDS.sub(",", text)
    if "{" in text:
        text = _UNITS.sub(lambda one: one[1] + one[2].replace("{", "").replace("}", "").replace("\\,", " ") + "}", text)
        text = _unbolded(text)
        text = _NUMERAL.sub(r"\1", _QUANTITY.sub(_quantity, text))
        text = _DEGREES.sub(r"^\\circ", text)
    if "\\ne" in text:
        text = _UNLIKE_BOTH.sub(r"\1\\ne \2, \1\\ne -\2", text)
    if "\\choose" in text:
        text = _CHOOSE.sub(lambda one: rf"\binom{{{one[1] or one[3]}}}{{{one[2] or one[4]}}}", text)
    return _vector(text) if "{i" in text or "{\\i" in text or "\\hat" in text or "\\vec" in text else text


def _unbolded(text: str) -> str:
    r"""Without bold type around a formula, `\mathbf{\frac{3}{4}}`."""
    match = _BOLD.search(text)
    if match is None:
        return text
    depth = 1
    for place in range(match.end(), len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[: match.start()] + text[match.end() : place] + text[place + 1 :]
    return text


def _quantity(match: re.Match[str]) -> str:
    r"""The value with its unit in words: `\metre\per\second` as "metre / second"."""
    unit = _MACRO.sub(lambda one: "/" if one[1] == "per" else f" {one[1]} ", match[2])
    unit = re.sub(r"\s*/\s*", "/", unit).replace(" squared", "^2").replace(" cubed", "^3").strip()
    return rf"{match[1]} \text{{ {unit}}}"


def _vector(text: str) -> str:
    """`2i-j+4k` with bold or hatted letters as `(2,-1,4)`; another text as it is."""
    parts: dict[str, str] = {}
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or term[3] in parts or (place and not term[1]):
            return text
        factor = term[2].strip()
        parts[term[3]] = ("-" if term[1] == "-" else "") + (factor or "1")
        place = term.end()
    if len(parts) < 2:
        return text
    return f"({','.join(parts.get(letter, '0') for letter in ('ijk' if 'k' in parts else 'ij'))})"


def _cis(text: str) -> str:
    r"""`2\operatorname{cis} x` as `2(\cos(x)+i\sin(x))`, where x is all that follows."""
    found = _CIS.search(text)
    if found is None or _CIS.search(text, found.end()):
        return text
    angle = text[found.end() :].strip()
    angle = angle[1:-1] if angle.startswith("(") and angle.endswith(")") and ")" not in angle[:-1] else angle
    angle = angle.removeprefix(r"\left(").removesuffix(r"\right)")
    return f"{text[: found.start()]}(\\cos({angle})+i\\sin({angle}))" if angle else text
