"""Formats of generative judges: what each is asked, and how its verdict is read.

A format is put before the reference of any backend: `generic:hf:FOLDER`, `rrm:vllm:Reward-Reasoning/RRM-7B`. Wordings
are ours, markers and verdicts are those the checkpoints were trained on; `@template=FILE` puts a model card's published
wording in place of ours. A response is shown without its thinking, and whatever it contains of the format's markers
loses its meaning, so that it can neither end its block nor vote for itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tts import Candidate, JudgeFormat, Message, Problem
from tts.prompts import JUDGE_FIELDS, judge_messages, neutralised, read_template, read_verdict, visible

__all__ = ["RMR1", "RRM", "Generic"]

Winner = Literal["a", "b"] | None
_FOLDER = Path(__file__).parent / "judge_templates"
_OURS = {name: str(_FOLDER / f"{name}.jinja") for name in ("rm-r1", "rrm", "rrm-system")}
_WINNER_OF: dict[str, Winner] = {"A": "a", "B": "b"}
_ASSISTANTS: dict[str, Winner] = {"Assistant 1": "a", "Assistant 2": "b"}


class Generic(JudgeFormat):
    """For any instruction-tuned model, and for judges trained with `tts train judge`; verdict `[[A]]` or `[[B]]`.

    `template` is "judge" or the path of a Jinja file with the fields `problem`, `a` and `b`.
    """

    template: str = "judge"

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        read_template(template, JUDGE_FIELDS)
        return template

    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """One user message."""
        return judge_messages(problem, a, b, self.template)

    def read(self, text: str) -> Winner:
        """The one verdict in the last answer block, or in the text where there is none."""
        return _WINNER_OF.get(read_verdict(text) or "")


class RMR1(JudgeFormat):
    """RM-R1's distilled models (arXiv 2505.02387): one user message, verdict `[[A]]` or `[[B]]`, both is none.

    Greedy by default, as its authors evaluate it; several votes in one order need `@temperature=`. `template` is
    "rm-r1" or the path of a Jinja file with the fields `problem`, `a` and `b`.
    """

    temperature: float = Field(0.0, ge=0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    template: str = "rm-r1"

    _MARKERS: ClassVar[re.Pattern[str]] = re.compile(
        r"\[\s*\[\s*[AB]\s*\]\s*\]|<\s*/?\s*answer\s*>"
        r"|\[\s*(?:Client\s+Question|The\s+(?:Start|End)\s+of\s+Chatbot\s+[AB]['’]s\s+Response)\s*\]",
        re.IGNORECASE,
    )

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        read_template(_OURS.get(template, template), JUDGE_FIELDS)
        return template

    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """One user message."""
        shown = {name: neutralised(visible(one), self._MARKERS) for name, one in (("a", a), ("b", b))}
        return (_rendered("user", self.template, JUDGE_FIELDS, problem=problem.text, **shown),)

    def read(self, text: str) -> Winner:
        """The letter in double brackets, where there is one letter only."""
        letters = set(re.findall(r"\[\[([AB])\]\]", text))
        return _WINNER_OF[letters.pop()] if len(letters) == 1 else None


class RRM(JudgeFormat):
    r"""Reward Reasoning Models (arXiv 2505.14674): verdict `\boxed{Assistant 1}` or `\boxed{Assistant 2}`, exactly.

    `template` (fields `problem`, `a` and `b`) and `system` (no fields) are "rrm" and "rrm-system", or paths of Jinja
    files, of the user and the system message.
    """

    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int | None = Field(8192, ge=1)
    template: str = "rrm"
    system: str = "rrm-system"

    _BOX: ClassVar[re.Pattern[str]] = re.compile(r"\\boxed\s*\{\s*Assistant\s+[12]\s*\}", re.IGNORECASE)
    _HEADING: ClassVar[re.Pattern[str]] = re.compile(
        r"^(\s*)(#+\s*(?:Query|Assistant\s+responses|Assistant\s+[12]|Analysis)\b)", re.IGNORECASE | re.MULTILINE
    )

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        read_template(_OURS.get(template, template), JUDGE_FIELDS)
        return template

    @field_validator("system")
    @classmethod
    def _system_is_readable(cls, system: str) -> str:
        read_template(_OURS.get(system, system), frozenset())
        return system

    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """A system and a user message."""
        texts = {name: neutralised(visible(one), self._BOX) for name, one in (("a", a), ("b", b))}
        shown = {name: self._HEADING.sub(r"\1> \2", text) for name, text in texts.items()}
        return (
            _rendered("system", self.system, frozenset()),
            _rendered("user", self.template, JUDGE_FIELDS, problem=problem.text, **shown),
        )

    def read(self, text: str) -> Winner:
        """The last box, where it names an assistant and no other box names the other."""
        boxes: list[str] = re.findall(r"\\boxed\{([^{}]*)\}", text)
        named = {_ASSISTANTS[box] for box in boxes if box in _ASSISTANTS}
        return _ASSISTANTS.get(boxes[-1]) if len(named) == 1 else None


def _rendered(role: Literal["system", "user"], source: str, fields: frozenset[str], **values: str) -> Message:
    return Message(role=role, content=read_template(_OURS.get(source, source), fields).render(**values))
