r"""The tree of a formula, read from LaTeX or plain text in its normal form.

Only what has one meaning is read: a formula with anything else in it (`f(x)`, `1/2x`, sums over an index) has no tree,
which is no fault: who asks has other means. Reading is linear in the text, whose length and depth are limited.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_LONGEST = 600  # characters; what is longer is not worth a tree
_DEEPEST = 24  # brackets within brackets
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\[a-zA-Z]+|\\.|[a-zA-Z]|\S| +")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
        "ell",
    ]
)
FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log", "exp"]
)  # of one argument
_OF_SEVERAL = frozenset(("gcd", "lcm", "max", "min"))
_CALLED = frozenset("fghFGHPQ")  # names that before a parenthesis are functions, whose value nobody knows
_TIMES = frozenset(("*", r"\cdot", r"\times", r"\ast"))
_OVER = frozenset(("/", r"\div"))
_STARTS = frozenset(("(", "{", r"\frac", r"\sqrt", r"\binom", r"\pi", r"\lfloor", r"\lceil", r"\text"))


class Node(NamedTuple):
    """An operation on nodes, or a leaf: "number" with its value, "decimal" likewise, "symbol" with its name."""

    head: str
    args: "tuple[Node, ...]" = ()
    value: Fraction | str = ""


class _Unreadable(Exception):  # noqa: N818 - not an error: a way out of the recursion
    pass


def number(value: int | Fraction) -> Node:
    """An exact number as a leaf."""
    return Node("number", value=Fraction(value))


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(text)
        self._place = 0

    def whole(self) -> Node:
        node = self._sum()
        if self._peek():
            raise _Unreadable
        return node

    def _peek(self) -> str:
        """The next sign that is no space; empty at the end."""
        while self._place < len(self._tokens) and self._tokens[self._place].isspace():
            self._place += 1
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        sign = self._peek()
        self._place += 1
        return sign

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise _Unreadable

    def _sum(self) -> Node:
        terms: list[Node] = []
        while True:
            negative = False
            while self._peek() in {"+", "-"}:
                negative ^= self._next() == "-"
            term = self._product()
            terms.append(Node("negate", (term,)) if negative else term)
            if self._peek() not in {"+", "-"}:
                return terms[0] if len(terms) == 1 else Node("sum", tuple(terms))

    def _product(self) -> Node:
        node = self._run()
        while True:
            sign = self._peek()
            if sign in _TIMES:
                self._next()
                node = Node("product", (node, self._signed()))
            elif sign in _OVER:
                self._next()
                below = self._signed(single=True)
                if self._begins(self._peek()):
                    raise _Unreadable  # 1/2x
                node = Node("product", (node, Node("power", (below, number(-1)))))
            else:
                return node

    def _signed(self, *, single: bool = False) -> Node:
        if self._peek() == "-":
            self._next()
            return Node("negate", (self._signed(single=single),))
        return self._powered() if single else self._run()

    def _run(self) -> Node:
        """Factors side by side."""
        start = self._peek()
        factors = [self._powered()]
        while self._begins(self._peek()):
            mixed = self._mixed(start, factors) if len(factors) == 1 else None
            if mixed is None and _NUMBER.fullmatch(self._peek()):
                raise _Unreadable  # 2 3
            factors = [mixed] if mixed is not None else [*factors, self._powered()]
        return factors[0] if len(factors) == 1 else Node("product", tuple(factors))

    def _mixed(self, start: str, factors: list[Node]) -> Node | None:
        r"""`2\frac{1}{2}`: a whole number and a fraction of whole numbers below one."""
        if not start.isdigit() or factors[0].head != "number" or self._peek() != r"\frac":
            return None
        place = self._place
        part = self._powered()
        above, below = part.args if part.head == "fraction" else (part, part)
        proper = {above.head, below.head} == {"number"} and above.value < below.value  # type: ignore[operator]
        if not proper:
            self._place = place
            return None
        return Node("sum", (factors[0], part))

    @staticmethod
    def _begins(sign: str) -> bool:
        if sign in _STARTS or sign[:1].isalnum() or sign[:1] == ".":
            return True
        return sign[:1] == "\\" and (sign[1:] in _GREEK or sign[1:] in FUNCTIONS or sign[1:] in _OF_SEVERAL)

    def _powered(self) -> Node:
        node = self._base()
        while True:
            sign = self._peek()
            if sign == "^":
                self._next()
                node = Node("power", (node, self._argument()))
            elif sign == "!":
                self._next()
                node = Node("factorial", (node,))
            else:
                return node

    def _argument(self) -> Node:
        """A group in braces, or one sign."""
        sign = self._peek()
        if sign == "{":
            return self._between("{", "}")
        if sign in {"-", "+"}:  # of plain text: 2^-3
            self._next()
            inner = self._argument()
            return Node("negate", (inner,)) if sign == "-" else inner
        return self._base()

    def _between(self, opening: str, closing: str) -> Node:
        self._expect(opening)
        node = self._sum()
        self._expect(closing)
        return node

    def _base(self) -> Node:
        sign = self._next()
        if not sign:
            raise _Unreadable
        if _NUMBER.fullmatch(sign):
            return Node("decimal" if "." in sign else "number", value=Fraction(sign))
        if sign[0] == "\\":
            return self._command(sign[1:])
        if sign.isalpha() and sign.isascii():
            return self._symbol(sign)
        return self._bracket(sign)

    def _bracket(self, sign: str) -> Node:
        closing = {"(": ")", "{": "}", "|": "|", "[": "]"}.get(sign)
        if closing is None:
            raise _Unreadable
        node = self._sum()
        self._expect(closing)
        return Node("abs", (node,)) if sign == "|" else node

    def _symbol(self, name: str) -> Node:
        if name == "C" and self._peek() == "(":
            return self._chosen()
        if name in _CALLED and self._peek() == "(":
            raise _Unreadable
        if self._peek() == "_":
            self._next()
            name = f"{name}_{self._name()}"
        elif name == "e":
            return Node("e")
        elif name == "i":
            return Node("i")
        return Node("symbol", value=name)

    def _chosen(self) -> Node:
        """`C(10,3)`: how many ways there are to choose; anything else that is called so is a product."""
        place = self._place
        self._expect("(")
        above = self._sum()
        if self._peek() != ",":
            self._place = place
            return Node("symbol", value="C")
        self._expect(",")
        below = self._sum()
        self._expect(")")
        return Node("binomial", (above, below))

    def _name(self) -> str:
        """A subscript, as it is written."""
        sign = self._next()
        if sign != "{":
            if not sign:
                raise _Unreadable
            return sign
        parts = []
        while (part := self._next()) != "}":
            if not part or part == "{":
                raise _Unreadable
            parts.append(part)
        return "".join(parts)

    def _command(self, name: str) -> Node:
        if name == "pi":
            return Node("pi")
        if name in _GREEK:
            return self._symbol("\\" + name)
        if name in FUNCTIONS:
            return self._function(name)
        if name in _OF_SEVERAL:
            return self._several(name)
        special: Callable[[], Node] | None = {
            "frac": lambda: Node("fraction", (self._argument(), self._argument())),
            "sqrt": self._root,
            "binom": lambda: Node("binomial", (self._argument(), self._argument())),
            "lfloor": lambda: self._closed("floor", r"\rfloor"),
            "lceil": lambda: self._closed("ceil", r"\rceil"),
        }.get(name)
        if special is None:
            raise _Unreadable
        return special()

    def _closed(self, head: str, closing: str) -> Node:
        node = self._sum()
        self._expect(closing)
        return Node(head, (node,))

    def _root(self) -> Node:
        index = number(2)
        if self._peek() == "[":
            index = self._between("[", "]")
        return Node("root", (self._argument(), index))

    def _function(self, name: str) -> Node:
        base = None
        if name == "log" and self._peek() == "_":
            self._next()
            base = self._argument()
        power = None
        if self._peek() == "^":
            self._next()
            power = self._argument()
            if power == Node("negate", (number(1),)):
                name, power = f"arc{name}", None
                if name not in FUNCTIONS:
                    raise _Unreadable
        node = Node("log", (self._operand(), base)) if base is not None else Node(name, (self._operand(),))
        return node if power is None else Node("power", (node, power))

    def _operand(self) -> Node:
        """What a function is of: a bracket, or the factors side by side after it."""
        if self._peek() in {"(", "{", "["}:
            return self._powered_bracket()
        factors = [self._powered()]
        while self._begins(self._peek()) and self._peek()[1:] not in FUNCTIONS and self._peek() != "(":
            factors.append(self._powered())
        return factors[0] if len(factors) == 1 else Node("product", tuple(factors))

    def _powered_bracket(self) -> Node:
        opening = self._next()
        node = self._sum()
        self._expect({"(": ")", "{": "}", "[": "]"}[opening])
        return node

    def _several(self, name: str) -> Node:
        opening = self._next()
        closing = {"(": ")", "{": "}"}.get(opening)
        if closing is None:
            raise _Unreadable
        items = [self._sum()]
        while self._peek() == ",":
            self._next()
            items.append(self._sum())
        self._expect(closing)
        return Node(name, tuple(items))


def _too_deep(text: str) -> bool:
    depth = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if not 0 <= depth <= _DEEPEST:
            return True
    return text.count("^") > _DEEPEST or text.count("\\sqrt") > 2 * _DEEPEST or text.count("|") > 8


@lru_cache(maxsize=16384)
def tree(text: str) -> Node | None:
    """The tree of a formula in normal form; None where there is more than one meaning, or none that is known."""
    if len(text) > _LONGEST or _too_deep(text):
        return None
    try:
        return _Parser(text).whole()
    except (_Unreadable, RecursionError, ZeroDivisionError):
        return None
