"""How a policy marks its thinking, as its texts show."""

from __future__ import annotations

from collections.abc import Iterable

from tts.vocabulary.records import Candidate
from tts.vocabulary.thinking import OPEN


def says_where_thinking_begins(candidates: Iterable[Candidate]) -> bool | None:
    """Whether a policy's texts begin with its thinking's tag or have none; `None` where nothing has come.

    One whose thinking has a closing tag only cannot be read before it has come.
    """
    texts = [candidate for candidate in candidates if candidate.ok]
    if not texts:
        return None
    return all(one.thinking is None or one.text.lstrip().startswith(OPEN) for one in texts)
