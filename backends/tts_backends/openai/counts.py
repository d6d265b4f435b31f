"""The tokens of completions, as a server counts them or as they are estimated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tts import Usage

_BYTES_PER_TOKEN = 4  # of UTF-8, where nobody counts
_MOST = 2**40  # tokens that a count may have, and sums of them in a store
_TOO_FEW = 0.45  # of the estimate: a count below is of fewer choices than there are; prose has 0.8 of it


def estimate(text: str) -> int:
    """Tokens of a text where nobody counts them: four bytes each, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


class Written(NamedTuple):
    """What one choice has written: `thinking` is a part of `text`; `cut` says that it ended at its limit of tokens."""

    thinking: str
    text: str
    cut: bool = False


class Counting(NamedTuple):
    """How tokens are counted where the server does not say.

    `prompt` is an estimate for the prompt, `count` one for other texts. `first_only` says that the server counts the
    first choice and no other.
    """

    prompt: int = 0
    count: Callable[[str], int] = estimate
    first_only: bool = False
    seconds: float = 0.0


def told_written(usage: Any) -> int:
    """Tokens that were written as a server counts them, 0 where it does not."""
    return _number(usage, "completion_tokens") or 0


def told_prompt(usage: dict[str, Any] | None) -> int:
    """Tokens of the prompt as a server counts them, 0 where it does not; some leave cached ones out."""
    prompt, cached = _number(usage, "prompt_tokens") or 0, _cached(usage)
    return prompt + cached if cached > prompt else prompt


def uncounted(usage: dict[str, Any] | None) -> bool:
    """Whether a server leaves it to us to count the prompt, or what was written."""
    return not (told_prompt(usage) and told_written(usage))


def counts_first_only(usage: dict[str, Any] | None, written: Sequence[Written], most: int | None = None) -> bool:
    """Whether the count is too low for all of several choices: it is of the first, as llama.cpp has it.

    `most` is the limit of tokens of each: those that were cut have as many.
    """
    told = _number(usage, "completion_tokens")
    if len(written) < 2 or not told:
        return False
    cut = sum(one.cut for one in written)
    if most is not None and cut > 1 and told < most * cut:
        return True
    return told < _TOO_FEW * sum(estimate(one.text) for one in written)


def split_usage(
    usage: dict[str, Any] | None,
    written: Sequence[Written],
    counting: Counting = Counting(),  # noqa: B008 - immutable
) -> list[Usage]:
    """The usage of each completion of one request, of what the server says of all of them.

    Generated tokens are shared out by length and their sum stays exact; so are thinking tokens where the server does
    not count them. The prompt counts as cached for every completion after the first; each has all of the seconds.
    """
    told, cached = told_prompt(usage), _cached(usage)
    prompt = told or counting.prompt
    shares, guessed = _shares(_number(usage, "completion_tokens"), written, counting)
    spent = _inside(usage, written, shares, all_told=not any(guessed))
    return [
        Usage(
            calls=1,
            prompt_tokens=prompt,
            cached_tokens=prompt if place else min(cached, prompt),
            thinking_tokens=inside,
            answer_tokens=share - inside,
            seconds=counting.seconds,
            estimated_tokens=guess + (0 if told else prompt),
        )
        for place, (share, inside, guess) in enumerate(zip(shares, spent, guessed, strict=True))
    ]


def _shares(told: int | None, written: Sequence[Written], counting: Counting) -> tuple[list[int], list[int]]:
    """Generated tokens of each, and how many of these are estimated."""
    lengths = [counting.count(one.text) for one in written]
    if not told and (told is None or any(lengths)):
        return lengths, lengths
    if counting.first_only and len(written) > 1:
        density = told / lengths[0] if lengths[0] else 1.0  # what the first is known to have
        others = [round(length * density) for length in lengths[1:]]
        return [told, *others], [0, *others]
    return shared_out(told, lengths), [0] * len(written)


def _inside(
    usage: dict[str, Any] | None, written: Sequence[Written], shares: Sequence[int], *, all_told: bool
) -> list[int]:
    """How many of these tokens are thinking."""
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    if reasoning and all_told:
        inside = shared_out(min(reasoning, sum(shares)), [estimate(one.thinking) for one in written])
        return [min(share, part) for share, part in zip(shares, inside, strict=True)]
    return [
        round(share * len(one.thinking) / len(one.text)) if one.thinking else 0
        for share, one in zip(shares, written, strict=True)
    ]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the weights that add up to the total."""
    if len(weights) == 1:
        return [total]
    whole, shares, given, weighed = sum(weights) or len(weights), [], 0, 0
    for weight in weights if sum(weights) else [1] * len(weights):
        weighed += weight
        share = total * weighed // whole - given
        shares.append(share)
        given += share
    return shares


def _number(usage: Any, name: str) -> int | None:
    """What a usage has under this name, where it is a count; whatever else stands there counts as missing."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def _detail(usage: Any, group: str, name: str) -> int:
    return _number(usage.get(group), name) or 0 if isinstance(usage, dict) else 0


def _cached(usage: dict[str, Any] | None) -> int:
    return _detail(usage, "prompt_tokens_details", "cached_tokens")
