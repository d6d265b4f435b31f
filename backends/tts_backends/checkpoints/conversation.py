"""A problem with a response to it, as the conversation that a reward model reads."""

from __future__ import annotations

from collections.abc import Callable

from tts import Candidate, ContextLengthError, Message, Problem
from tts.prompts import visible
from tts_backends.checkpoints.chat import Chat


def conversation(
    chat: Chat,
    window: int,
    name: str,
    problem: Problem,
    response: Candidate,
    write: Callable[[str], str] = lambda text: text,
) -> list[int]:
    """The tokens of the problem's turns and the response's visible text, as `write` has it, with as much of its end
    as `window` tokens hold. Raises `ContextLengthError`, which names the model by `name`, where that is nothing.
    """
    asked = problem.messages or (Message(role="user", content=problem.text),)
    turns = [message for message in asked if message.role != "system"]
    text = visible(response)
    while True:
        ids = chat.encode([*turns, Message(role="assistant", content=write(text))], None, go_on=False).ids
        over = len(ids) - window
        if over <= 0:
            return ids
        (tokens,) = chat.count([text])
        kept = len(text) * (tokens - over) // tokens if tokens > over else 0
        if not kept:
            raise ContextLengthError(len(ids), window, name)
        text = text[-kept:]
