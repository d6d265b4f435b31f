"""What a server says of a prompt that does not fit, in the words of many; there is no field for it in the interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_NUMBER = r"\(?`?(\d[\d,]*)"
_LIMIT = (
    rf"context limit: [\d,]+ \+ [\d,]+ > {_NUMBER}",
    rf"must be <= {_NUMBER}",
    rf"less than {_NUMBER} tokens",
    rf"cannot exceed {_NUMBER}",
    rf"tokens allowed {_NUMBER}",
    rf"configured limit of {_NUMBER}",
    r"(?:context (?:length|size|window|limit)|model length|prompt length|n_ctx)[^\d{]{0,40}?(\d[\d,]*)",
    r"(?:> |larger than |with |exceeds the limit of )(\d[\d,]*) (?:maximum|tokens)",
)
_PROMPT = (
    rf"context limit: {_NUMBER} \+",
    rf"Given: {_NUMBER}",
    rf"token count {_NUMBER}",
    r"(\d[\d,]*) (?:in the messages|in the prompt|input tokens|tokens? from the input)",
    r"(?:input|request) \((\d[\d,]*) tokens",
    r"(?:resulted in|contains?|too long:?|n_prompt_tokens\"?:?) ?(?:at least )?(\d[\d,]*)",
    r"- received (\d[\d,]*)",
    r"requested (\d[\d,]*) tokens",
)
# A limit on new tokens alone; the prompt may be short.
_MOST = (
    rf"at most {_NUMBER} (?:completion|output) tokens",
    rf"range of .?max_(?:completion_)?tokens.? (?:is|should be) \[1, ?{_NUMBER}",
    rf"max_tokens: [\d,]+ > {_NUMBER}",
    rf"max_(?:completion_)?tokens.? must be less than or equal to {_NUMBER}",
)
_MOST_AND_ONE = rf"maxOutputTokens.{{0,80}} to {_NUMBER} \(exclusive\)"
_ABOUT = re.compile(
    r"context|too long|prompt length|model length|input length|inputs. (?:tokens|must)|token count|too many tokens|"
    r"input tokens|max_?(?:completion_|output_?|new_)?tokens",
    re.IGNORECASE,
)
_CERTAIN = re.compile(
    r"context_length_exceeded|exceed_context_size|exceed\w* (?:the )?(?:available |maximum |model'?s? |max )*"
    r"context (?:size|window|length|limit)|input length exceeds|reduce the length of the (?:messages|prompt|input)|"
    r"prompt (?:is )?too long|input is too long|too many tokens",
    re.IGNORECASE,
)
_EXCESS = re.compile(r"\bby \d[\d,]* tokens?", re.IGNORECASE)  # how much too long, which is neither of the lengths


class Overflow(NamedTuple):
    """What a server said, in tokens: of the prompt, of the context, of the most new tokens; `None` where no number."""

    prompt: int | None
    context: int | None
    most: int | None = None


def overflow_in(text: str) -> Overflow:
    """The lengths that an error message names."""
    text = _EXCESS.sub("", text)
    most, beyond = _number(_MOST, text), _number((_MOST_AND_ONE,), text)
    if beyond is not None:
        most = beyond - 1
    if most is not None:
        return Overflow(None, None, most)
    return Overflow(_number(_PROMPT, text), _number(_LIMIT, text))


def overflow_of(status: int, said: str, body: str) -> Overflow | None:
    """What a refusal says of lengths, where it is about them: by a number, or by words that mean nothing else."""
    certain = _CERTAIN.search(f"{said} {body}") is not None
    if status not in {400, 413, 422} and not (certain and status == 500):
        return None
    found = overflow_in(f"{said} {body}") if certain or _ABOUT.search(said) else Overflow(None, None)
    return found if certain or any(number is not None for number in found) else None


def _number(patterns: Sequence[str], text: str) -> int | None:
    """What the first pattern that is found says."""
    found = next((match for pattern in patterns if (match := re.search(pattern, text, re.IGNORECASE))), None)
    return int(found[1].replace(",", "")) if found else None
