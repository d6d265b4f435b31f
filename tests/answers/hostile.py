"""Generated answers that no grader should be asked: they take time, memory or the process, where nothing stops them.

And what they cost: wall time says little on a busy machine, CPU time of the program and its workers says it anywhere.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from tts.answers import Answers

Make = Callable[[random.Random], str]


def _tower(draw: random.Random) -> str:
    """A power of a power of a power …"""
    form = draw.choice(("{base}^{{{rest}}}", "({base})^({rest})", "{base}**({rest})", "{base}^{rest}", "\\exp({rest})"))
    text = str(draw.randint(2, 99))
    for _ in range(draw.randint(3, 12)):
        text = form.format(base=draw.choice([str(draw.randint(2, 99)), "x", "-3", "1.5", "\\frac{2}{3}"]), rest=text)
    return text


def _nested(draw: random.Random) -> str:
    """Fractions, roots, parentheses or absolute values within each other."""
    depth = draw.choice((5, 15, 29, 31, 100, 400, 3000))
    opening, closing = draw.choice(
        [("\\frac{1}{1+", "}"), ("\\sqrt{1+", "}"), ("(", ")"), ("\\left(", "\\right)"), ("\\frac{", "}{7}"),
         ("|", "|"), ("\\log(2+", ")"), ("\\boxed{", "}"), ("\\text{", "}"), ("f(", ")")]
    )  # fmt: skip
    return opening * depth + draw.choice(("x", "2", "\\pi", "")) + closing * depth


def _long(draw: random.Random) -> str:
    """100,000 characters of one or two things."""
    pieces = (
        "a",
        "(",
        "{",
        " ",
        "\\",
        "9",
        "1+",
        "x*",
        "$",
        "1,",
        "\\frac",
        "=",
        "-",
        "1=",
        "and ",
        "\\boxed{",
        "\n",
        "٣",
        "½",
        "x^",
        "_",
        "%",
        "\\(",
        "1 000 ",
        "answer is ",
    )
    piece = "".join(draw.choices(pieces, k=draw.choice((1, 2))))
    return (piece * (100_000 // len(piece) + 1))[:100_000]


def _unbalanced(draw: random.Random) -> str:
    """Braces and brackets that do not pair up, in and around mathematics."""
    parts = draw.choices(
        ["{", "}", "(", ")", "[", "]", "\\{", "\\}", "\\frac{1}{2}", "\\boxed{", "x", "2", "\\left(", "\\right]", "$"],
        k=draw.choice((8, 40, 300, 5000)),
    )
    return "".join(parts)


def _control(draw: random.Random) -> str:
    """Control characters, surrogates, marks that turn the reading direction, broken escapes."""
    signs = [*map(chr, range(32)), "\x7f", "\ud800", "\udfff", "\u202e", "\u200b", "\ufeff", "\U000e0001", "\u0301"]
    parts = draw.choices([*signs, "1", "x", "+", "\\frac{1}{2}", "\\", "√", "∞"], k=draw.choice((3, 20, 2000)))
    return "".join(parts)


def _enormous(draw: random.Random) -> str:
    """Integers that fill the memory, and short ways to write them."""
    digits = "".join(draw.choices("0123456789", k=draw.choice((400, 4299, 4301, 20_000, 99_000)))) or "9"
    short = draw.choice(
        ("{n}!", "({n}!)!", "(({n}!)!)!", "\\binom{{{n}000000000}}{{{n}00000}}", "{n}^{{{n}00000000}} \\mod 13",
         "10^{{{n}00000000}}", "\\sum_{{k=1}}^{{{n}0000000000}} \\frac{{1}}{{k}}", "\\prod_{{k=1}}^{{10^{{{n}}}}} k",
         "\\gcd({n}!, {n}1!)", "1e{n}00000000", "0.{n}e-99999999", "{n}!!", "\\Gamma({n}000000)", "F_{{{n}000000000}}",
         "\\lfloor \\sqrt{{10^{{{n}000}}}} \\rfloor", "(x_1+x_2+x_3+x_4+x_5)^{{{n}}}", "\\int_0^{{{n}}} e^{{x^x}} dx")
    ).format(n=draw.randint(5, 99))  # fmt: skip
    return draw.choice(
        (short, short, digits, f"{digits}!", f"\\frac{{{digits}}}{{{digits[::-1]}}}", f"{digits}.{digits}")
    )


def _matrix(draw: random.Random) -> str:
    """Matrices: large, ragged, within each other, with entries that are work of their own."""
    size, kind = draw.choice((2, 5, 12, 40, 80)), draw.choice(("pmatrix", "bmatrix", "vmatrix", "cases", "array"))
    entry = draw.choice(("{i}", "x_{{{i}}}", "\\frac{{1}}{{{i}}}", "\\sqrt{{{i}}}", "{i}^{{99}}", "\\sin({i}x)"))
    rows = [" & ".join(entry.format(i=i + j + 1) for j in range(size - (draw.random() < 0.1))) for i in range(size)]
    text = f"\\begin{{{kind}}} " + " \\\\ ".join(rows) + f" \\end{{{kind}}}"
    power = draw.choice(("", "", "^{-1}", "^{1000}", "^{T}"))
    return text.replace(rows[0], f"{text} & 1", 1) if draw.random() < 0.1 else text + power


def _interval(draw: random.Random) -> str:
    """Intervals, unions, sets and inequalities: many, inside out, or with ends that take work."""
    ends = ["-\\infty", "\\infty", "0", "1", "\\pi", "\\sqrt{2}", "9^{9^9}", "-5", "x", "", "\\frac{1}{0}", "100!"]
    count = draw.choice((1, 2, 20, 300, 3000))
    spans = [
        f"{draw.choice('([')}{draw.choice(ends)}, {draw.choice(ends)}{draw.choice(')]')}"
        for _ in range(min(count, 300))
    ]
    numbers = ", ".join(str(draw.randrange(10**6)) for _ in range(count))
    chain = " < ".join(draw.choice(ends) or "y" for _ in range(min(count, 60)))
    return draw.choice(
        (" \\cup ".join(spans), f"\\{{{numbers}\\}}", f"x \\in {spans[0]} \\setminus \\{{{numbers}\\}}", chain)
    )


KINDS: dict[str, Make] = {
    "power tower": _tower,
    "nested": _nested,
    "100,000 characters": _long,
    "unbalanced": _unbalanced,
    "control characters": _control,
    "enormous integer": _enormous,
    "matrix": _matrix,
    "interval": _interval,
}


def hostile(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many (kind, answer), the kinds in turn; the same for one seed."""
    draw, kinds, found = random.Random(seed), list(KINDS.items()), dict[str, str]()
    while len(found) < count:
        name, make = kinds[len(found) % len(kinds)]
        found.setdefault(make(draw), name)
    return [(name, text) for text, name in found.items()]


class Cost:
    """Wall and CPU seconds since it was made; CPU of this process and of the service's workers, dead forks included."""

    def __init__(self, service: Answers) -> None:
        self._service = service
        self._wall, self._cpu = time.monotonic(), self._used()

    def _used(self) -> float:
        pids = self._service._pool.pids() if self._service._pool else []
        return time.process_time() + sum(map(_worker_seconds, pids))

    @property
    def wall(self) -> float:
        return time.monotonic() - self._wall

    @property
    def cpu(self) -> float:
        return self._used() - self._cpu


def _worker_seconds(pid: int) -> float:
    """CPU time of a process and of those that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
