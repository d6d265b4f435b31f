from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from hybrid_parts import DIRECT, REFINE, ROWS, loss_by_hand, settings, tiny_model, tiny_tokenizer, token_nll, trainer
from transformers import PreTrainedTokenizerFast

from tts_trainers.hybrid.objectives import STRATA, evaluation_losses


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


def _by_hand(model: Any, tokenizer: PreTrainedTokenizerFast, weight: float) -> dict[str, float]:
    def mean(rows: Any) -> float:
        return token_nll(model, tokenizer, rows).mean().item()

    return {
        "eval_loss": loss_by_hand(model, tokenizer, weight).item(),
        "eval_loss_direct": mean(DIRECT),
        "eval_loss_refine": mean(REFINE),
        "eval_loss_refine_n0": mean([row for row in ROWS if row["n_correct"] == 0]),
        "eval_loss_refine_n2": mean([row for row in ROWS if row["n_correct"] == 2]),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"per_device_eval_batch_size": 3},
        {"padding_free": True, "max_length": None, "per_device_eval_batch_size": 3, "pad_to_multiple_of": 16},
        {"packing": True, "max_length": 60},
    ],
    ids=["padded", "padding-free", "packed"],
)
def test_losses_of_the_split_are_the_hand_computation(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, changes: dict[str, Any]
) -> None:
    model = tiny_model(tokenizer)
    split = Dataset.from_list(list(ROWS))
    metrics = trainer(model, tokenizer, settings(tmp_path, **changes), eval_dataset=split, refine_weight=0.3).evaluate()
    losses = {name: value for name, value in metrics.items() if name.startswith("eval_loss")}
    assert losses == pytest.approx(_by_hand(model, tokenizer, 0.3), rel=1e-5)


def test_evaluating_between_logs_leaves_the_training_losses_alone(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    def logs(**changes: Any) -> list[tuple[float, float]]:
        args = settings(tmp_path, max_steps=4, logging_steps=2, gradient_accumulation_steps=2, **changes)
        ours = trainer(tiny_model(tokenizer), tokenizer, args, eval_dataset=Dataset.from_list(list(ROWS)))
        ours.train()
        return [(log["loss_direct"], log["loss_refine"]) for log in ours.state.log_history if "loss" in log]

    assert logs(eval_strategy="steps", eval_steps=1) == logs()


def test_another_split_can_be_given_to_evaluate(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = tiny_model(tokenizer)
    metrics = trainer(model, tokenizer, settings(tmp_path)).evaluate(
        Dataset.from_list(list(DIRECT)), metric_key_prefix="test"
    )
    expected = token_nll(model, tokenizer, DIRECT).mean().item()
    assert metrics["test_loss"] == pytest.approx(expected, rel=1e-5)
    assert metrics["test_loss_direct"] == pytest.approx(expected, rel=1e-5)
    assert "test_loss_refine" not in metrics


def test_unknown_n_c_counts_as_refine_and_as_no_stratum() -> None:
    totals = torch.zeros(STRATA, 2)
    totals[0] = torch.tensor([6.0, 3.0])
    totals[1] = torch.tensor([8.0, 2.0])
    totals[2 + 4] = torch.tensor([1.0, 2.0])
    losses = evaluation_losses(totals, refine_weight=2.0, normalisation="token")
    assert losses == pytest.approx(
        {"loss": (6 + 2 * 9) / 7, "loss_direct": 2.0, "loss_refine": 9 / 4, "loss_refine_n4": 0.5}
    )
