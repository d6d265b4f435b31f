from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tts import ConfigError
from tts_trainers.hybrid import HybridSFTTrainer, rows_of_arm, sft_config, train
from tts_trainers.objectives import objective_counts, row_weights
from tts_trainers.recipe import HybridObjective, Optimisation
from tts_trainers.replica.tokenizer import train_tokenizer
from tts_trainers.rows import Row

OPTIMISATION = Optimisation(steps=1, batch=2, learning_rate=1e-3, weight_decay=0.0, max_grad_norm=1e9)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["abc abd 123", "refine these 4"], vocab_size=270, context=256)


def _model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _row(objective: Any, prompt: str, completion: str) -> Row:
    return Row(
        prompt=[{"role": "user", "content": prompt}],
        completion=[{"role": "assistant", "content": completion}],
        objective=objective,
        n_correct=None,
        problem_id="p",
        provenance="{}",
    )


ROWS = [
    _row("direct", "abc", "1"),
    _row("direct", "abd", "1234"),
    _row("refine", "refine these 4 abc", "4321 4321 4321"),
    _row("refine", "refine these 4 abd 99", "12 34 56 78 90 11"),
]


def _nll(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, row: Row) -> torch.Tensor:
    """Target-token negative log-likelihoods of one row, without padding, TRL or batching."""
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
    full = tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=False)
    logits = model(torch.tensor([full])).logits[0]
    log_probs = logits.log_softmax(-1)
    return torch.stack([-log_probs[i - 1, full[i]] for i in range(len(prompt), len(full))])


def _by_hand(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, weight: float, normalisation: str
) -> torch.Tensor:
    direct = torch.cat([_nll(model, tokenizer, r) for r in ROWS if r["objective"] == "direct"])
    refine = torch.cat([_nll(model, tokenizer, r) for r in ROWS if r["objective"] == "refine"])
    if normalisation == "objective":
        return direct.mean() + weight * refine.mean()
    return (direct.sum() + weight * refine.sum()) / (len(direct) + len(refine))


def _trainer(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, tmp_path: Any, **kwargs: Any) -> Any:
    optimisation = kwargs.pop("optimisation", OPTIMISATION)
    return HybridSFTTrainer(
        model,
        sft_config(optimisation, tmp_path, 0),
        train_dataset=Dataset.from_list(list(ROWS)),
        processing_class=tokenizer,
        **kwargs,
    )


@pytest.mark.parametrize("normalisation", ["objective", "token"])
@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize(("batch", "accumulate"), [(2, 2), (1, 4)])
def test_gradient_of_an_optimiser_step_is_the_hand_computation(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Any, normalisation: Any, weight: float, batch: int, accumulate: int
) -> None:
    expected = _model(tokenizer)
    loss = _by_hand(expected, tokenizer, weight, normalisation)
    loss.backward()

    model = _model(tokenizer)
    optimisation = OPTIMISATION.model_copy(update={"batch": batch, "accumulate": accumulate})
    trainer = _trainer(
        model, tokenizer, tmp_path, refine_weight=weight, normalisation=normalisation, optimisation=optimisation
    )
    batches, counts = trainer.get_batch_samples(iter(trainer.get_train_dataloader()), accumulate, torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = accumulate
    total = sum(trainer.training_step(model, dict(b), num_items_in_batch=counts) for b in batches)

    assert total == pytest.approx(loss.item(), rel=1e-5)
    for (name, ours), theirs in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_both_losses_are_logged_apart(tokenizer: PreTrainedTokenizerFast, tmp_path: Any) -> None:
    model = _model(tokenizer)
    direct = torch.cat([_nll(model, tokenizer, r) for r in ROWS if r["objective"] == "direct"]).mean().item()
    refine = torch.cat([_nll(model, tokenizer, r) for r in ROWS if r["objective"] == "refine"]).mean().item()
    optimisation = OPTIMISATION.model_copy(update={"accumulate": 2})
    logs = train(model, tokenizer, ROWS, objective=HybridObjective(), optimisation=optimisation, output=tmp_path)
    assert logs[0]["loss_direct"] == pytest.approx(direct, rel=1e-4)
    assert logs[0]["loss_refine"] == pytest.approx(refine, rel=1e-4)


def test_only_completions_are_targets(tokenizer: PreTrainedTokenizerFast, tmp_path: Any) -> None:
    rows = _trainer(_model(tokenizer), tokenizer, tmp_path).train_dataset
    targets = {tokenizer.decode([label for label in row["labels"] if label != -100]) for row in rows}
    assert targets == {row["completion"][0]["content"] + "<|end|>" for row in ROWS}


def test_weights_sum_to_one_mean_per_objective() -> None:
    objective = torch.tensor([0, 0, 1])
    counts = torch.tensor([8, 4])
    weights = row_weights(objective, counts, refine_weight=2.0, normalisation="objective")
    assert weights.tolist() == pytest.approx([1 / 8, 1 / 8, 2 / 4])
    weights = row_weights(objective, counts, refine_weight=2.0, normalisation="token")
    assert weights.tolist() == pytest.approx([1 / 12, 1 / 12, 2 / 12])


@pytest.mark.parametrize("normalisation", ["objective", "token"])
def test_a_step_without_one_objective_has_finite_weights(normalisation: Any) -> None:
    weights = row_weights(torch.tensor([0]), torch.tensor([3, 0]), refine_weight=1.0, normalisation=normalisation)
    assert all(map(math.isfinite, weights.tolist()))


def test_the_first_position_is_never_a_target() -> None:
    labels = torch.tensor([[5, -100, 6], [-100, 7, 8]])
    assert objective_counts(labels, torch.tensor([0, 1])).tolist() == [1, 2]


@pytest.mark.parametrize(("arm", "kept"), [("direct", 2), ("refine", 2), ("hybrid", 4)])
def test_rows_of_an_arm(arm: Any, kept: int) -> None:
    assert len(rows_of_arm(ROWS, arm)) == kept


def test_an_arm_without_rows_is_a_config_error(tokenizer: PreTrainedTokenizerFast, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="arm 'hybrid' needs refine rows, and there is none"):
        train(
            _model(tokenizer),
            tokenizer,
            ROWS[:2],
            objective=HybridObjective(),
            optimisation=OPTIMISATION,
            output=tmp_path,
        )


def test_packing_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Any) -> None:
    args = sft_config(OPTIMISATION, tmp_path, 0)
    args.packing = True
    with pytest.raises(ValueError, match="join rows of both objectives"):
        HybridSFTTrainer(
            _model(tokenizer), args, train_dataset=Dataset.from_list(list(ROWS)), processing_class=tokenizer
        )
