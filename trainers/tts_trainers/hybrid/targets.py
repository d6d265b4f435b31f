"""What a row teaches, token by token, or why it would teach something else than it says.

A model writes what it was taught after the prompt that it will see, so the prompt's tokens come first, the completion
follows at once, and one control token ends the turn. A chat template that was written for another model, or that
rearranges thinking, breaks one of these without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

IGNORED = -100  # the label that torch's cross-entropy leaves out
_SHOWN = 40


class Targets(NamedTuple):
    """The tokens of a row; `labels` are those to be learned, the prompt's are `IGNORED`."""

    ids: list[int]
    labels: list[int]


def targets(
    tokenizer: Any, prompts: Sequence[str], texts: Sequence[str], completions: Sequence[str]
) -> list[Targets | str]:
    """For each row its tokens, or what the chat template does to it, as the rest of a sentence.

    `prompts` are rendered with the generation prompt, `texts` with the completion.
    """
    heads, wholes = _ids(tokenizer, prompts), _ids(tokenizer, texts)
    control = control_tokens(tokenizer)
    found: list[Targets | str] = []
    for prompt, text, completion, head, whole in zip(prompts, texts, completions, heads, wholes, strict=True):
        fault = _fault(prompt, text, completion)
        if fault is None and whole[: len(head)] != head:  # tokens merged over the border; a model that writes has none
            whole = head + _ids(tokenizer, [text[len(prompt) :]])[0]
            if "".join(tokenizer.decode(whole).split()) != "".join(text.split()):
                fault = "joins a prompt and a completion in one token"
        fault = fault or _end_fault(tokenizer, completion, whole[len(head) :], control)
        found.append(fault or Targets(whole, [IGNORED] * len(head) + whole[len(head) :]))
    return found


def control_tokens(tokenizer: Any) -> frozenset[int]:
    """The tokens that no text of a user is encoded as: ends of turns, roles, padding."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset([*tokenizer.all_special_ids, *(at for at, token in added.items() if token.special)])


def end_of_turn(tokenizer: Any, labels: Sequence[int]) -> int:
    """The control token that a row's targets end with."""
    control = control_tokens(tokenizer)
    return next(label for label in reversed(labels) if label in control)


def _fault(prompt: str, text: str, completion: str) -> str | None:
    """What a chat template did to the text of a row."""
    if not text.startswith(prompt):
        return "writes a prompt in another way when a completion follows it"
    shown, wanted = ("".join(part.split()) for part in (text[len(prompt) :], completion))
    if "".join(prompt.split()).endswith("<think>"):  # the turn is opened inside the think block
        wanted = wanted.removeprefix("<think>")
    if shown.startswith(wanted):
        return None
    if shown.startswith(("</think>", "<think></think>")):
        return "closes the thinking before a completion begins, which would be learned"
    if wanted in shown:
        begun = text[len(prompt) :].strip()
        return f"writes {begun[: min(begun.find(completion.strip()[:1]), _SHOWN)]!r} before a completion"
    _, closed, summary = wanted.rpartition("</think>")
    dropped = closed and summary in shown and closed not in shown
    return "drops the think block of a completion" if dropped else "changes the text of a completion"


def _end_fault(tokenizer: Any, completion: str, learned: Sequence[int], control: frozenset[int]) -> str | None:
    """What is wrong with how the targets end."""
    last = len(learned)
    while last and learned[last - 1] not in control and not tokenizer.decode([learned[last - 1]]).strip():
        last -= 1
    if last and learned[last - 1] in control:
        return None
    written = tokenizer.decode(learned[:last]).rstrip()
    if "".join(written.split()).endswith("".join(completion.split())[-_SHOWN:]):
        return "ends a completion with no token that ends the turn, so that the model would never stop"
    return f"ends a completion with the characters {written[-12:]!r}, for which this tokenizer has no control token"


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return found
