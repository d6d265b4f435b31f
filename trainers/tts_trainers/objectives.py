"""The hybrid objective L = L_direct + lambda * L_selfR as one weight per row (arXiv 2509.00084, section 3).

The paper does not say how the two negative log-likelihoods are normalised, so both readings are here: each its own
token mean, or one token mean over both.
"""

from __future__ import annotations

from typing import Literal

import torch

from tts_trainers.rows import OBJECTIVES

Normalisation = Literal["objective", "token"]


def row_weights(
    objective: torch.Tensor, counts: torch.Tensor, *, refine_weight: float, normalisation: Normalisation
) -> torch.Tensor:
    """What one token's negative log-likelihood weighs, for each row.

    `objective`: [rows], index into `OBJECTIVES`. `counts`: [2], target tokens of each objective in the whole optimiser
    step (all micro-batches, all ranks), so that the sum over micro-batches is the loss of the step.

    `"objective"`: mean_direct + lambda * mean_refine. `"token"`: (sum_direct + lambda * sum_refine) / all tokens.
    """
    scale = torch.tensor([1.0, refine_weight], device=counts.device)
    # An objective without a token in this step has no rows to weigh; the clamp only avoids 0 / 0.
    tokens = counts if normalisation == "objective" else counts.sum().expand(2)
    return (scale / tokens.clamp(min=1))[objective]


def objective_counts(labels: torch.Tensor, objective: torch.Tensor) -> torch.Tensor:
    """Target tokens of each objective: [2].

    `labels`: [rows, tokens], not shifted; the first position is never predicted.
    """
    per_row = labels[:, 1:].ne(-100).sum(1)
    return per_row.new_zeros(len(OBJECTIVES)).index_add(0, objective, per_row)


def objective_sums(nll: torch.Tensor, objective: torch.Tensor) -> torch.Tensor:
    """Summed negative log-likelihood of each objective: [2]; `nll` is [rows, tokens], zero off target."""
    return nll.new_zeros(len(OBJECTIVES)).index_add(0, objective, nll.sum(1))
