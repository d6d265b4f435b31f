"""The table `[monitoring]` of a training recipe: what is evaluated while a model trains, at which steps."""

from __future__ import annotations

from pydantic import Field

from tts_trainers.recipe import Section


class Monitoring(Section):
    """Evaluation while training: pass@1, maj@k, selfRef@k and their gap on a held-out task.

    Every `every_steps` optimiser steps, and once at the end, `task` (`task:NAME[@field=value,...]`, or a file with
    problem and answer) is solved by the model as it is then, sampled as `temperature`, `top_p` and `max_tokens` say.
    `keep_best` keeps the model of the highest selfRef@k in `best/`.
    """

    task: str = Field("task:sums@size=64", min_length=1)
    every_steps: int = Field(ge=1)
    k: int = Field(4, ge=1)
    temperature: float = Field(0.6, ge=0, allow_inf_nan=False)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)
    seed: int = 0
    keep_best: bool = True
