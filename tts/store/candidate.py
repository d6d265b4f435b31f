"""The candidate that a completion makes."""

from __future__ import annotations

from collections.abc import Callable

from tts.vocabulary.records import Candidate, Completion


def candidate_of(completion: Completion, index: int, extract: Callable[[str], str | None]) -> Candidate:
    """The candidate made of a completion, with its answer extracted from the visible text."""
    summary = completion.summary
    return Candidate(
        index=index,
        text=completion.text,
        thinking=completion.thinking,
        summary=summary,
        answer=extract(summary) if summary else None,
        finish_reason=completion.finish_reason,
        usage=completion.usage,
        logprob=completion.logprob,
        error=None,
    )
