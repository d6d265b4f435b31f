"""What the tests of the report compare: eight problems, one of which says hostile things."""

from __future__ import annotations

from typing import Any, ClassVar

from doubles import candidate_set, recorded

import tts
from tts.eval import Comparison

HOSTILE = (
    "<script>window.hacked = 1</script> </script><script>window.hacked = 2</script> <!-- "
    "<img src=x onerror='window.hacked = 3'> $\\frac{1}{2}$ \\(x^2\\) \u2028 &lt;b&gt; 雪 \ud800 }}{% raw %}"
)


class Writes(tts.Strategy):
    """Writes 1 where nobody is right, and has a trace that is no JSON for a browser."""

    name: ClassVar[str] = "writes"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        if right := [candidate for candidate in found if candidate.answer == "1"]:
            return tts.Decision(text=right[0].text, chosen=right[0].index, rates={"kept": (1, 1)})
        text = f"<think>{HOSTILE}</think>{HOSTILE} \\boxed{{1}}"
        return tts.Decision(text=text, trace={"odd": float("nan"), "why": HOSTILE}, rates={"kept": (0, 1)})


def a_set(number: int, answers: str, said: str = "so") -> tts.Sampled:
    """A problem whose gold answer is 1 and whose candidates answer digit by digit; 0 is no answer."""
    texts = [f"<think>hm {said}</think>{said} \\boxed{{{a}}}" if a != "0" else f"{said}, no idea" for a in answers]
    found = recorded(
        candidate_set(*texts, problem=f"Problem {number}: {said}"), scores=[int(a == "1") for a in answers]
    )
    problem = found.problem.model_copy(update={"id": f"p{number}"})
    return tts.Sampled(found.model_copy(update={"problem": problem}), "1")


SETS = ("1123", "2213", "2223", "1111", "1222", "1133", "2300", "1121")


def compared_with(**engine: Any) -> Comparison:
    """Eight problems in two groups of two; majority, best_of_n and a strategy that writes."""
    sets = [a_set(i, answers, HOSTILE if i == 2 else "so") for i, answers in enumerate(SETS)]
    strategies = ["first", "majority", "best_of_n", Writes()]
    return tts.compare(sets, strategies=strategies, k=2, scorer="recorded:scores", **engine)
