"""A checkpoint carries its prompts: `tts.json` beside its weights, which the backends read."""

from __future__ import annotations

from pathlib import Path

from tts.prompts import Prompts


def write_prompts(
    folder: str | Path, *, direct_template: str, refine_template: str, candidate_tokens: int, k: int
) -> Prompts:
    """Write the prompts that the training rows were made with; `k` candidates were shown, each of so many tokens.

    The templates are sources, not names. Raises `ConfigError` for one that does not parse or lacks a field.
    """
    prompts = Prompts(
        direct_template=direct_template, refine_template=refine_template, candidate_tokens=candidate_tokens, k=k
    )
    prompts.write(Path(folder))
    return prompts
