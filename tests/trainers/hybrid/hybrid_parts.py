"""A tiny Llama, eight rows of both objectives, and the loss of the paper written out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl.trainer.sft_config import SFTConfig

from tts_trainers.hybrid.trainer import HybridSFTTrainer
from tts_trainers.replica.tokenizer import train_tokenizer
from tts_trainers.rows import Row

torch.set_num_threads(1)  # threads cost more than a model of this size


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["abc abd 123", "refine these 4"], vocab_size=270, context=256)


def tiny_model(tokenizer: PreTrainedTokenizerFast, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "initializer_range": 0.5,  # so that what a token sees changes its logits visibly
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return LlamaForCausalLM(LlamaConfig(**config | changes))


def row(objective: Any, prompt: str, completion: str, n_correct: int | None = None) -> Row:
    return Row(
        prompt=[{"role": "user", "content": prompt}],
        completion=[{"role": "assistant", "content": completion}],
        objective=objective,
        n_correct=n_correct,
        problem_id="p",
        provenance="{}",
    )


ROWS = [
    row("direct", "abc", "1"),
    row("direct", "abd", "1234"),
    row("direct", "abd abc", "12 21"),
    row("direct", "ab", "3"),
    row("refine", "refine these 4 abc", "4321 4321 4321", 0),
    row("refine", "refine these 4 abd 99", "12 34 56 78 90 11", 0),
    row("refine", "refine 4", "7 7", 2),
    row("refine", "refine these abc", "12 3"),
]
DIRECT = [r for r in ROWS if r["objective"] == "direct"]
REFINE = [r for r in ROWS if r["objective"] == "refine"]


def token_nll(model: Any, tokenizer: PreTrainedTokenizerFast, rows: list[Row]) -> torch.Tensor:
    """Target-token negative log-likelihoods, one row at a time: no padding, no packing, no TRL."""
    parts = []
    for one in rows:
        prompt = tokenizer.apply_chat_template(one["prompt"], add_generation_prompt=True, return_dict=False)
        full = tokenizer.apply_chat_template(one["prompt"] + one["completion"], return_dict=False)
        log_probs = model(torch.tensor([full])).logits[0].float().log_softmax(-1)
        parts += [-log_probs[i - 1, full[i]] for i in range(len(prompt), len(full))]
    return torch.stack(parts)


def loss_by_hand(
    model: Any, tokenizer: PreTrainedTokenizerFast, weight: float = 1.0, normalisation: str = "objective"
) -> torch.Tensor:
    direct, refine = token_nll(model, tokenizer, DIRECT), token_nll(model, tokenizer, REFINE)
    if normalisation == "objective":
        return direct.mean() + weight * refine.mean()
    return (direct.sum() + weight * refine.sum()) / (len(direct) + len(refine))


def settings(output: Path, **changes: Any) -> SFTConfig:
    defaults = {
        "output_dir": str(output),
        "use_cpu": True,
        "bf16": False,
        "per_device_train_batch_size": 1,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "max_grad_norm": 1e9,
        "activation_checkpointing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return SFTConfig(**defaults | changes)


def trainer(
    model: Any, tokenizer: PreTrainedTokenizerFast, args: SFTConfig, rows: list[Row] = ROWS, **kwargs: Any
) -> HybridSFTTrainer:
    data = Dataset.from_list(list(rows))
    return HybridSFTTrainer(model, args, train_dataset=data, processing_class=tokenizer, **kwargs)


def backward_of_one_step(trainer: HybridSFTTrainer) -> float:
    """Accumulates the gradient of all batches as one optimiser step does; returns its loss."""
    loader = trainer.get_train_dataloader()
    batches, counts = trainer.get_batch_samples(iter(loader), len(loader), torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = len(batches)
    return sum(trainer.training_step(trainer.model, dict(b), num_items_in_batch=counts).item() for b in batches)


def assert_same_gradients(ours: torch.nn.Module, theirs: torch.nn.Module, **tolerance: float) -> None:
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(
            one.grad, other.grad, **{"rtol": 1e-4, "atol": 1e-5} | tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )
