"""The generic judge: which of two responses to a problem is better, as chat messages.

Judges trained with `tts train judge` learn this format; the verdict is that of RM-R1 (arXiv 2505.02387), `[[A]]` or
`[[B]]` in an answer block.
"""

from __future__ import annotations

import re
from typing import Literal

from tts.prompts._shown import neutralised, visible
from tts.prompts._template import read_template
from tts.prompts.conversation import transcript
from tts.vocabulary.records import Candidate, Message, Problem
from tts.vocabulary.thinking import split_thinking

JUDGE_FIELDS = frozenset({"problem", "a", "b"})
Letter = Literal["A", "B"]

# What a response must not be able to write: a verdict, or the end of its own block.
_MARKERS = re.compile(
    r"\[\s*\[\s*[AB]\s*\]\s*\]|<\s*/?\s*answer\s*>|\[\s*(?:End\s+of\s+)?(?:Problem|Response\s+[AB])\s*\]", re.IGNORECASE
)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_VERDICT = re.compile(r"\[\[([AB])\]\]")


def judge_messages(problem: Problem, a: Candidate, b: Candidate, template: str = "judge") -> tuple[Message, ...]:
    """The prompt that shows `a` as response A and `b` as response B: one user message.

    A response is shown without its thinking (whole where its think block was never closed). Verdicts and block markers
    inside it lose their brackets, so it can neither vote for itself nor end its block.
    """
    shown = {name: neutralised(visible(one), _MARKERS) for name, one in (("a", a), ("b", b))}
    text = read_template(template, JUDGE_FIELDS).render(problem=transcript(problem), **shown)
    return (Message(role="user", content=text),)


def read_verdict(text: str) -> Letter | None:
    """The winner that a judge's output names after its thinking; `None` where it names both or none.

    Where there are answer blocks, only the last one counts.
    """
    said = split_thinking(text).summary or ""
    blocks: list[str] = _ANSWER.findall(said)
    letters: set[Letter] = set(_VERDICT.findall(blocks[-1] if blocks else said))
    return letters.pop() if len(letters) == 1 else None
