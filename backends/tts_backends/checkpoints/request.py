"""A request to an engine in process, from its prompt in tokens to the completions made of generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from tts import Completion, ConfigError, ContextLengthError, Request, Usage
from tts_backends.checkpoints.chat import Chat, Prompt
from tts_backends.foreign import in_thread

_MOST_TOKENS = 32_768  # what `max_tokens=None` means


class Prepared(NamedTuple):
    """An encoded prompt and the most tokens that each of its completions may have."""

    prompt: Prompt
    limit: int


async def prepare(chat: Chat, request: Request, context: int, name: str) -> Prepared:
    """Encode a request for a model of `context` positions.

    Raises `ConfigError` where seeds and completions do not match, `ContextLengthError` where the prompt leaves no room.
    """
    if len(request.seeds) != request.n:
        raise ConfigError(f"a request for {request.n} completions has {len(request.seeds)} seeds; give one for each")
    prompt = await in_thread(chat.encode, request.messages, request.sampling.thinking)
    room = context - len(prompt.ids)
    if room < 1:
        raise ContextLengthError(len(prompt.ids), context, name)
    return Prepared(prompt, min(request.sampling.max_tokens or _MOST_TOKENS, room))


def completion(
    chat: Chat,
    prompt: Prompt,
    tokens: Sequence[int],
    *,
    index: int,
    text: str | None,
    finish_reason: str,
    cached_tokens: int,
    logprob: float | None,
    seconds: float = 0.0,
) -> Completion:
    """Generated tokens as a completion; `text` where a stop string has cut it, `seconds` where they are known.

    Whatever else an engine ends it with than "stop" or "length" makes it a failed one.
    """
    parts = chat.split(tokens, prompt.opens_thinking, text)
    usage = Usage(
        calls=1,
        prompt_tokens=len(prompt.ids),
        cached_tokens=cached_tokens,
        thinking_tokens=parts.thinking_tokens,
        answer_tokens=len(tokens) - parts.thinking_tokens,
        seconds=round(seconds, 4),
    )
    if finish_reason not in ("stop", "length"):
        why = f"the engine ended the completion with {finish_reason!r}"
        return Completion(index=index, text="", finish_reason="error", usage=usage, error=why)
    return Completion(
        index=index,
        text=parts.text,
        thinking=parts.thinking,
        summary=parts.summary,
        finish_reason=cast("Literal['stop', 'length']", finish_reason),
        usage=usage,
        logprob=logprob,
    )
