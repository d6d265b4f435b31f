"""What the teacher of the family thinks before a refinement: the problem first, then what its candidates are worth.

A refinement that only ever walked through its candidates taught the family to recompute their lines, whosever they
were. So the givens come from the problem, each candidate is told to have them or not, and only lines of those that have
them are used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.tasks.sums import Term, comparison

_PRODUCT = re.compile(r"^(\d+\*\d+) = \d", re.MULTILINE)


def refinement(terms: Sequence[Term], summaries: Sequence[str]) -> str:
    """The thinking part of a refinement: the givens, who has them, then the comparison step by step.

    `1 yes, 2 no 41*8, 3 none`: the first writes products of the problem only, the second one that the problem does not
    have, the third no product.
    """
    given = [f"{term.left}*{term.right}" for term in terms]
    foreign = [_foreign(summary, given) for summary in summaries]
    said = [f"{number} {_verdict(one)}" for number, one in enumerate(foreign, 1)]
    used = [summary for summary, one in zip(summaries, foreign, strict=True) if one == ""]
    return f"{', '.join(given)}.\n{', '.join(said)}.\n{comparison(terms, used)}"


def _foreign(summary: str, given: Sequence[str]) -> str | None:
    """The first product that the problem does not have, "" where there is none, `None` without any product."""
    written = _PRODUCT.findall(summary)
    return next((product for product in written if product not in given), "") if written else None


def _verdict(foreign: str | None) -> str:
    if foreign is None:
        return "none"
    return f"no {foreign}" if foreign else "yes"
