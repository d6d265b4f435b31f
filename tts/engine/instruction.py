"""What the user wants to be asked of the policy: the template of the direct prompt, a system prompt."""

from __future__ import annotations

from typing import NamedTuple

from tts.prompts import Prompts, TemplateSource, direct_messages
from tts.vocabulary.records import Message, Problem


class Instruction(NamedTuple):
    """`template` is that of the direct prompt, `None` for the one that the model was trained with, else ours.

    `system` stands above whatever the policy is asked, unless the problem, or a strategy, has a system prompt.
    """

    template: TemplateSource | None = None
    system: str | None = None

    def direct(self, problem: Problem, trained: Prompts | None) -> tuple[Message, ...]:
        """The prompt that asks for a solution."""
        return self.under(direct_messages(problem, self.template or (trained.direct if trained else "direct")))

    def under(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The messages below the system prompt."""
        if self.system is None or (messages and messages[0].role == "system"):
            return messages
        return (Message(role="system", content=self.system), *messages)
