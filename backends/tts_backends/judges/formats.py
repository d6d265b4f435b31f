"""Formats of generative judges, from the question to the verdict.

A format is put before the reference of any backend: `generic:hf:FOLDER`, `rrm:vllm:Reward-Reasoning/RRM-7B`. Wordings
are ours, markers and verdicts are those the checkpoints were trained on; `@template=FILE` puts a model card's published
wording in place of ours, `@system=FILE` that of the system message, where the format has one. A response is shown
without its thinking, and whatever it contains of the format's markers loses its meaning, so that it can neither end its
block nor vote for itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tts import Candidate, JudgeFormat, Message, Problem
from tts.prompts import JUDGE_FIELDS, judge_messages, neutralised, read_template, read_verdict, transcript, visible

__all__ = ["RMR1", "RRM", "Generic", "PairJudge", "RMR1Instruct"]

Winner = Literal["a", "b", "tie"] | None
_FOLDER = Path(__file__).parent / "templates"
_WINNER_OF: dict[str, Winner] = {"A": "a", "B": "b"}
_ASSISTANTS: dict[str, Winner] = {"Assistant 1": "a", "Assistant 2": "b"}


class Generic(JudgeFormat):
    """For any instruction-tuned model, and for judges trained with `tts train judge`; verdict `[[A]]` or `[[B]]`."""

    template: str = "judge"
    """The user message: "judge" (ours), or the path of a Jinja file with the fields `problem`, `a` and `b`."""

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


class _Published(JudgeFormat):
    """A format that published checkpoints know: a user message from `template`, greedy by default.

    Inside a response `_MARKERS` lose their brackets, and a line where `_HEADING` matches is quoted.
    """

    temperature: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Sampling temperature of the judge's output; 0 is greedy, as the authors evaluate it, and then votes in one order
    are all the same.
    """

    top_p: float = Field(1.0, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default all of it."""

    template: str
    """The user message: a template of ours by name, or the path of a Jinja file with the fields `problem`, `a` and `b`.
    """

    _MARKERS: ClassVar[re.Pattern[str]]
    _HEADING: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")  # none

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        read_template(template, JUDGE_FIELDS, _FOLDER)
        return template

    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """One user message."""
        fields = {"problem": transcript(problem), "a": self._shown(a), "b": self._shown(b)}
        text = read_template(self.template, JUDGE_FIELDS, _FOLDER).render(**fields)
        return (Message(role="user", content=text),)

    def _shown(self, response: Candidate) -> str:
        return self._HEADING.sub("> ", neutralised(visible(response), self._MARKERS))


class _WithSystem(_Published):
    """A published format with a system message, from `system`."""

    system: str
    """The system message: a template of ours by name, or the path of a Jinja file without fields."""

    @field_validator("system")
    @classmethod
    def _system_is_readable(cls, system: str) -> str:
        read_template(system, frozenset(), _FOLDER)
        return system

    def messages(self, problem: Problem, a: Candidate, b: Candidate) -> tuple[Message, ...]:
        """A system and a user message."""
        text = read_template(self.system, frozenset(), _FOLDER).render()
        return (Message(role="system", content=text), *super().messages(problem, a, b))


_CHATBOTS = (
    r"\[\s*\[\s*[AB]\s*\]\s*\]|<\s*/?\s*answer\s*>"
    r"|\[\s*(?:Client\s+Question|The\s+(?:Start|End)\s+of\s+Chatbot\s+[AB]['’]s\s+Response)\s*\]"
)


def _chatbot(text: str) -> Winner:
    """The letter in double brackets, where there is one letter only."""
    letters = set(re.findall(r"\[\[([AB])\]\]", text))
    return _WINNER_OF[letters.pop()] if len(letters) == 1 else None


class RMR1(_Published):
    """RM-R1's distilled models (arXiv 2505.02387): one user message, verdict `[[A]]` or `[[B]]`, both is none.

    Greedy by default, as its authors evaluate it; several votes in one order need `@temperature=`.
    """

    template: str = "rm-r1"
    """The user message: "rm-r1" (ours), or the path of a Jinja file with the fields `problem`, `a` and `b`."""

    _MARKERS: ClassVar[re.Pattern[str]] = re.compile(_CHATBOTS, re.IGNORECASE)

    def read(self, text: str) -> Winner:
        """The letter in double brackets, where there is one letter only."""
        return _chatbot(text)


class RMR1Instruct(_WithSystem):
    """RM-R1's instruct models (arXiv 2505.02387): the task in the system message, verdict as `RMR1`.

    The judge names the type of task, writes a solution or a rubric of its own, and evaluates by it.
    """

    template: str = "rm-r1-instruct"
    """The user message: "rm-r1-instruct" (ours), or the path of a Jinja file with the fields `problem`, `a` and `b`."""

    system: str = "rm-r1-instruct-system"
    """The system message: "rm-r1-instruct-system" (ours), or the path of a Jinja file without fields."""

    _MARKERS: ClassVar[re.Pattern[str]] = re.compile(
        _CHATBOTS + r"|<\s*/?\s*(?:type|rubric|justify|solution|eval|quote_[AB]|summary_[AB])\s*>", re.IGNORECASE
    )

    def read(self, text: str) -> Winner:
        """The letter in double brackets, where there is one letter only."""
        return _chatbot(text)


class RRM(_WithSystem):
    r"""Reward Reasoning Models (arXiv 2505.14674): verdict `\boxed{Assistant 1}` or `\boxed{Assistant 2}`, exactly."""

    temperature: float = Field(0.6, ge=0, allow_inf_nan=False)
    """Sampling temperature of the judge's output. By default the paper's (arXiv 2505.14674)."""

    max_tokens: int | None = Field(8192, ge=1)
    """The most new tokens of a verdict with its thinking. By default the paper's (arXiv 2505.14674)."""

    template: str = "rrm"
    """The user message: "rrm" (ours), or the path of a Jinja file with the fields `problem`, `a` and `b`."""

    system: str = "rrm-system"
    """The system message: "rrm-system" (ours), or the path of a Jinja file without fields."""

    _MARKERS: ClassVar[re.Pattern[str]] = re.compile(r"\\boxed\s*\{\s*Assistant\s+[12]\s*\}", re.IGNORECASE)
    _HEADING: ClassVar[re.Pattern[str]] = re.compile(
        r"^(?=[^\S\n]*#+\s*(?:Query|Assistant\s+responses|Assistant\s+[12]|Analysis)\b)", re.IGNORECASE | re.MULTILINE
    )

    def read(self, text: str) -> Winner:
        """The last box, where it names an assistant and no other box names the other."""
        boxes: list[str] = re.findall(r"\\boxed\{([^{}]*)\}", text)
        named = {_ASSISTANTS[box] for box in boxes if box in _ASSISTANTS}
        return _ASSISTANTS.get(boxes[-1]) if len(named) == 1 else None


class PairJudge(_WithSystem):
    """PairJudge RM (arXiv 2501.13007): judges each response on its own, `<resp_a_judge>Correct</resp_a_judge>`.

    The only correct one wins; both correct or both incorrect is a tie, which a knockout leaves to its coin (the paper's
    tournament drops two incorrect ones). Greedy by default, as its authors run it.
    """

    max_tokens: int | None = Field(2048, ge=1)
    """The most new tokens of a verdict with its thinking. By default as its authors run it (arXiv 2501.13007)."""

    template: str = "pairjudge"
    """The user message: "pairjudge" (ours), or the path of a Jinja file with the fields `problem`, `a` and `b`."""

    system: str = "pairjudge-system"
    """The system message: "pairjudge-system" (ours), or the path of a Jinja file without fields."""

    _MARKERS: ClassVar[re.Pattern[str]] = re.compile(
        r"<\s*/?\s*(?:resp_[ab]_judge|response_[ab]|question)\s*>", re.IGNORECASE
    )
    _HEADING: ClassVar[re.Pattern[str]] = re.compile(
        r"^(?=[^\S\n]*(?:#+\s*)?\*\*\s*(?:Question|Response\s+[AB]|Final\s+Judgment|Math\s+Judgement)\b)",
        re.IGNORECASE | re.MULTILINE,
    )

    def read(self, text: str) -> Winner:
        """The response that alone is judged correct; a response judged both ways is not judged."""
        said = [set(re.findall(rf"<resp_{name}_judge>\s*(\w+)\s*</resp_{name}_judge>", text)) for name in "ab"]
        if said == [{"Correct"}, {"Incorrect"}]:
            return "a"
        if said == [{"Incorrect"}, {"Correct"}]:
            return "b"
        return "tie" if said in ([{"Correct"}] * 2, [{"Incorrect"}] * 2) else None
