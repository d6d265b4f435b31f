"""How a prompt that is made of a problem stands in the conversation that the problem is."""

from __future__ import annotations

from tts.vocabulary.records import Message, Problem


def in_conversation(problem: Problem, prompt: str) -> tuple[Message, ...]:
    """A prompt over the last user message, after the turns before it as they are; alone, where there are none.

    Where others have spoken since, such as tools, all turns stay, the last user message among them.
    """
    turns = problem.messages or ()
    earlier = turns[:-1] if turns and turns[-1].role == "user" else turns
    return (*earlier, Message(role="user", content=prompt))


def transcript(problem: Problem) -> str:
    """The problem as one text for who is no part of the conversation, such as a judge: each turn after its role.

    The text itself where there is one turn only.
    """
    turns = problem.messages or ()
    if len(turns) < 2:
        return problem.text
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.content}" for turn in turns)
