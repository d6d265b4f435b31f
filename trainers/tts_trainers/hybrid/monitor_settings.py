"""The table `[monitoring]` of a training recipe: what is evaluated while a model trains, at which steps."""

from __future__ import annotations

from pydantic import Field

from tts_trainers.recipe import Section


class Monitoring(Section):
    """Evaluation while training: pass@1, maj@k, selfRef@k and their gap on a held-out task.

    The task is solved by the model as it is then.
    """

    task: str = Field("task:sums@size=64", min_length=1)
    """Held-out problems: `task:NAME[@field=value,...]`, or a file with problem and answer. By default 64 that the
    miniature knows.
    """

    every_steps: int = Field(ge=1)
    """Optimiser steps between two evaluations; there is one more at the end."""

    k: int = Field(4, ge=1)
    """Candidates per problem. By default the paper's four (arXiv 2509.00084)."""

    temperature: float = Field(0.6, ge=0, allow_inf_nan=False)
    """Sampling temperature of candidates and refinements; 0 is greedy. By default that of the paper's evaluation."""

    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default that of the paper's
    evaluation.
    """

    max_tokens: int | None = Field(None, ge=1)
    """The most new tokens of a completion. By default up to 32,768 or what the context leaves."""

    limit: int | None = Field(None, ge=1)
    """Read only so many problems of the task. By default all."""

    seed: int = 0
    """Seed of the sampling: the same at every evaluation, so that they can be compared."""

    keep_best: bool = True
    """Keep the model of the highest selfRef@k in `best/`. On by default (our choice)."""
