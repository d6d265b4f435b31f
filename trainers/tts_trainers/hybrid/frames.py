"""What a template writes around a problem."""

from __future__ import annotations

from typing import NamedTuple

from tts.prompts import Prompts
from tts_trainers.rows import Objective

_PROBLEM, _CANDIDATE = "\x00problem\x00", "\x00candidate\x00"


class Frame(NamedTuple):
    """What stands before the problem, then after it up to the next inserted text."""

    before: str
    after: str

    def problem(self, prompt: str) -> str | None:
        """The problem in a prompt of this template; `None` where the prompt is of another one."""
        if not prompt.startswith(self.before):
            return None
        end = prompt.find(self.after, len(self.before)) if self.after else len(prompt)
        return None if end < 0 else prompt[len(self.before) : end]


def frames(prompts: Prompts) -> dict[Objective, Frame]:
    """What each of the two templates writes around a problem."""
    direct = prompts.direct.render(problem=_PROBLEM)
    refine = prompts.refine.render(problem=_PROBLEM, candidates=[_CANDIDATE])
    return {"direct": _frame(direct), "refine": _frame(refine)}


def _frame(rendered: str) -> Frame:
    before, after, *_ = rendered.split(_PROBLEM)
    return Frame(before, after.split(_CANDIDATE)[0])
