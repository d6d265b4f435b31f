"""The hybrid objective L = L_direct + lambda * L_selfR as one weight per target token (arXiv 2509.00084, section 3).

The paper does not say how the two negative log-likelihoods are normalised, so both readings are here: each its own
token mean, or one token mean over both.

Every token carries its *stratum*, which says both its objective and, on evaluation, its N_c: 0 is direct, 1 is refine
with N_c unknown, 2 + N_c is refine with N_c correct candidates. A token and not a row, so that rows can be packed.
"""

from __future__ import annotations

import torch

from tts import ConfigError
from tts_trainers.recipe import Normalisation
from tts_trainers.rows import OBJECTIVES, Objective

STRATA = 128  # as many as an int8 column can tell apart


def stratum(objective: Objective, n_correct: int | None) -> int:
    """The stratum of a row.

    Raises `ConfigError` for an objective that is neither direct nor refine, and for an N_c that no prompt can have.
    """
    if objective not in OBJECTIVES:
        raise ConfigError(f"objective {objective!r} is not one of {', '.join(OBJECTIVES)}; mend the training file")
    if objective == "direct":
        return 0
    if n_correct is None:
        return 1
    if not 0 <= n_correct < STRATA - 2:
        raise ConfigError(f"n_correct {n_correct} is not between 0 and {STRATA - 3}; mend the training file")
    return 2 + n_correct


def objective_of(strata: torch.Tensor) -> torch.Tensor:
    """Index into `OBJECTIVES` of each token."""
    return strata.clamp(max=1)


def token_weights(
    objective: torch.Tensor, counts: torch.Tensor, *, refine_weight: float, normalisation: Normalisation
) -> torch.Tensor:
    """What the negative log-likelihood of each token weighs.

    `objective`: any shape, index into `OBJECTIVES`. `counts`: [2], target tokens of each objective in the whole
    optimiser step (all micro-batches, all ranks), so that the sum over micro-batches is the loss of the step.

    `"objective"`: mean_direct + lambda * mean_refine. `"token"`: (sum_direct + lambda * sum_refine) / all tokens.
    """
    scale = torch.tensor([1.0, refine_weight], device=counts.device)
    # An objective without a token in this step has none to weigh; the clamp only avoids 0 / 0.
    tokens = counts if normalisation == "objective" else counts.sum().expand(2)
    return (scale / tokens.clamp(min=1))[objective]


def group_sums(values: torch.Tensor, groups: torch.Tensor, size: int) -> torch.Tensor:
    """The sum of `values` in each of `size` groups; `groups` has the shape of `values`."""
    return values.new_zeros(size).index_add(0, groups.reshape(-1), values.reshape(-1))


def objective_counts(targets: torch.Tensor, objective: torch.Tensor) -> torch.Tensor:
    """Target tokens of each objective: [2]; `targets` are labels already shifted to where they are predicted."""
    return group_sums(targets.ne(-100).long(), objective, len(OBJECTIVES))


def evaluation_losses(totals: torch.Tensor, *, refine_weight: float, normalisation: Normalisation) -> dict[str, float]:
    """`loss` (the objective of the whole split), `loss_direct`, `loss_refine`, and `loss_refine_n0` ... by N_c.

    `totals`: [STRATA, 2], summed negative log-likelihood and target tokens of each stratum. A loss without a token is
    left out.
    """
    objective = objective_of(torch.arange(STRATA))
    sums, counts = (group_sums(one, objective, len(OBJECTIVES)) for one in totals.unbind(1))
    weights = token_weights(
        torch.arange(len(OBJECTIVES)), counts, refine_weight=refine_weight, normalisation=normalisation
    )
    named = {f"loss_{name}": pair for name, pair in zip(OBJECTIVES, torch.stack([sums, counts], 1), strict=True)}
    named |= {f"loss_refine_n{n}": pair for n, pair in enumerate(totals[2:])}
    means = {name: (pair[0] / pair[1]).item() for name, pair in named.items() if pair[1] > 0}
    return {"loss": (weights * sums).sum().item()} | means
