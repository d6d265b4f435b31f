"""Rows of a training file in TRL's conversational `prompt` / `completion` form.

A model is to be trained on what it sees later, so prompts come from `tts.prompts` and are never written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, get_args

from tts import Message

Objective = Literal["direct", "refine"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


class Row(TypedDict):
    """One training example; see docs/design/training.md for the columns."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    objective: Objective
    n_correct: int | None
    problem_id: str
    provenance: str


def row(
    prompt: Sequence[Message],
    completion: str,
    objective: Objective,
    *,
    problem_id: str,
    n_correct: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Row:
    """A row from chat messages and the target text (with its think block)."""
    return Row(
        prompt=[m.model_dump() for m in prompt],
        completion=[{"role": "assistant", "content": completion}],
        objective=objective,
        n_correct=n_correct,
        problem_id=problem_id,
        provenance=json.dumps(dict(provenance or {}), sort_keys=True),
    )
