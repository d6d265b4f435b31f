from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hybrid_parts import (
    DIRECT,
    REFINE,
    ROWS,
    assert_same_gradients,
    backward_of_one_step,
    loss_by_hand,
    settings,
    tiny_model,
    tiny_tokenizer,
    token_nll,
    trainer,
)
from hypothesis import given
from hypothesis import strategies as st
from transformers import MixtralConfig, MixtralForCausalLM, PreTrainedTokenizerFast

from tts import ConfigError
from tts_trainers.hybrid.objectives import objective_counts, objective_of, stratum, token_weights
from tts_trainers.recipe import HybridObjective
from tts_trainers.replica.recipe import Optimisation
from tts_trainers.replica.train import rows_of_arm, train

OPTIMISATION = Optimisation(steps=1, batch=2, learning_rate=1e-3, weight_decay=0.0, max_grad_norm=1e9)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@pytest.mark.parametrize("normalisation", ["objective", "token"])
@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize("batch", [4, 1])
def test_gradient_of_an_optimiser_step_is_the_hand_computation(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, normalisation: Any, weight: float, batch: int
) -> None:
    expected = tiny_model(tokenizer)
    loss = loss_by_hand(expected, tokenizer, weight, normalisation)
    loss.backward()
    args = settings(tmp_path, per_device_train_batch_size=batch)
    ours = trainer(tiny_model(tokenizer), tokenizer, args, refine_weight=weight, normalisation=normalisation)
    assert backward_of_one_step(ours) == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(ours.model, expected)


def test_a_whole_step_of_training_moves_the_weights_as_by_hand(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    expected = tiny_model(tokenizer)
    loss_by_hand(expected, tokenizer).backward()
    torch.optim.SGD(expected.parameters(), lr=0.1).step()
    args = settings(
        tmp_path,
        gradient_accumulation_steps=8,
        max_steps=1,
        optim="sgd",
        learning_rate=0.1,
        lr_scheduler_type="constant",
    )
    ours = trainer(tiny_model(tokenizer), tokenizer, args)
    ours.train()
    for one, other in zip(ours.model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_gradient_checkpointing_changes_nothing(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    plain, checkpointed = tiny_model(tokenizer), tiny_model(tokenizer)
    args = settings(tmp_path, per_device_train_batch_size=2)
    loss = backward_of_one_step(trainer(plain, tokenizer, args))
    ours = trainer(checkpointed, tokenizer, settings(tmp_path, per_device_train_batch_size=2))
    checkpointed.activation_checkpointing_enable()
    assert checkpointed.is_activation_checkpointing
    assert backward_of_one_step(ours) == pytest.approx(loss, rel=1e-6)
    assert_same_gradients(checkpointed, plain, rtol=1e-6, atol=1e-7)


def test_bf16_is_near_float32(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = tiny_model(tokenizer, initializer_range=0.05)
    exact = loss_by_hand(model, tokenizer).item()
    logs = trainer(model, tokenizer, settings(tmp_path, bf16=True, gradient_accumulation_steps=8, max_steps=1))
    logs.train()
    assert logs.state.log_history[0]["loss"] == pytest.approx(exact, rel=1e-2)


def test_the_balancing_loss_of_experts_is_added(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    config = MixtralConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=4,
    )

    def first_loss(coefficient: float) -> tuple[float, float]:
        torch.manual_seed(0)
        ours = trainer(
            MixtralForCausalLM(config),
            tokenizer,
            settings(tmp_path, per_device_train_batch_size=4, router_aux_loss_coef=coefficient),
        )
        batch = dict(next(iter(ours.get_train_dataloader())))
        ours.current_gradient_accumulation_steps = 2
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        balance = ours.model(**inputs, output_router_logits=True).aux_loss
        return ours.compute_loss(ours.model, batch).item(), balance.item()

    (plain, balance), (with_balance, _) = first_loss(0.0), first_loss(0.5)
    assert balance > 0.1
    assert with_balance - plain == pytest.approx(0.5 * balance / 2, rel=1e-3)


def test_both_losses_are_logged_apart(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = tiny_model(tokenizer)
    direct = token_nll(model, tokenizer, DIRECT).mean().item()
    refine = token_nll(model, tokenizer, REFINE).mean().item()
    optimisation = OPTIMISATION.model_copy(update={"accumulate": 4})
    logs = train(model, tokenizer, ROWS, objective=HybridObjective(), optimisation=optimisation, output=tmp_path)
    assert logs[0]["loss_direct"] == pytest.approx(direct, rel=1e-4)
    assert logs[0]["loss_refine"] == pytest.approx(refine, rel=1e-4)


def test_only_completions_are_targets(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    rows = trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path)).train_dataset
    targets = {tokenizer.decode([label for label in row["labels"] if label != -100]) for row in rows}
    assert targets == {row["completion"][0]["content"] + "<|end|>" for row in ROWS}


@given(
    objective=st.lists(st.integers(0, 1), min_size=1, max_size=20),
    normalisation=st.sampled_from(["objective", "token"]),
    weight=st.floats(0, 4),
)
def test_weights_of_equal_losses_give_the_loss_once_per_mean(
    objective: list[int], normalisation: Any, weight: float
) -> None:
    tokens = torch.tensor(objective)
    counts = torch.bincount(tokens, minlength=2)
    weights = token_weights(tokens, counts, refine_weight=weight, normalisation=normalisation)
    scale = [1.0, weight]
    if normalisation == "objective":
        expected = sum(scale[one] for one in set(objective))
    else:
        expected = sum(scale[one] for one in objective) / len(objective)
    assert weights.sum().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("normalisation", ["objective", "token"])
def test_a_step_without_one_objective_has_finite_weights(normalisation: Any) -> None:
    weights = token_weights(torch.tensor([0]), torch.tensor([3, 0]), refine_weight=1.0, normalisation=normalisation)
    assert all(map(math.isfinite, weights.tolist()))


def test_counts_are_of_targets_only() -> None:
    targets = torch.tensor([[-100, 6], [7, 8]])
    assert objective_counts(targets, torch.tensor([[0, 0], [1, 0]])).tolist() == [2, 1]


def test_a_stratum_knows_its_objective() -> None:
    strata = [stratum("direct", None), stratum("direct", 3), stratum("refine", None), stratum("refine", 0)]
    assert strata == [0, 0, 1, 2]
    assert objective_of(torch.tensor(strata)).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("objective", "guess", "objective 'guess' is not one of direct, refine"),
        ("n_correct", 500, "n_correct 500 is not between 0 and 125"),
    ],
)
def test_rows_that_cannot_be_weighed_are_refused(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, column: str, value: Any, message: str
) -> None:
    rows: Any = [*ROWS[:5], {**ROWS[5], column: value}]
    with pytest.raises(ConfigError, match=message):
        trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path), rows)


def test_rows_without_an_objective_are_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    rows: Any = [{name: value for name, value in one.items() if name != "objective"} for one in ROWS]
    with pytest.raises(ConfigError, match="the training rows have no column 'objective'"):
        trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path), rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss_type": "dft"}, "loss_type 'dft' is not a hybrid loss"),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor 0.1 has no place in the loss"),
        ({"average_tokens_across_devices": False}, "average_tokens_across_devices must be on"),
        ({"packing": True, "packing_strategy": "wrapped"}, "packing_strategy 'wrapped' cuts rows apart"),
        ({"packing": True, "packing_strategy": "bfd_split"}, "packing_strategy 'bfd_split' cuts rows apart"),
        ({"packing": True, "eval_packing": True}, "eval_packing would lose which row"),
    ],
)
def test_settings_that_would_change_the_loss_are_refused(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path, **changes))


@pytest.mark.parametrize(("arm", "kept"), [("direct", 4), ("refine", 4), ("hybrid", 8)])
def test_rows_of_an_arm(arm: Any, kept: int) -> None:
    assert len(rows_of_arm(ROWS, arm)) == kept


def test_an_arm_without_rows_is_a_config_error(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="arm 'hybrid' needs refine rows, and there is none"):
        train(
            tiny_model(tokenizer),
            tokenizer,
            DIRECT,
            objective=HybridObjective(),
            optimisation=OPTIMISATION,
            output=tmp_path,
        )
