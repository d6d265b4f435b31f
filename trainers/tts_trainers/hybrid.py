"""Hybrid SFT: TRL's `SFTTrainer` with the two objectives of GSR (arXiv 2509.00084, section 3).

Rows are TRL's conversational `prompt` / `completion` with a column `objective` (`"direct"` or `"refine"`). The loss is
on completion tokens only. Both losses are logged apart, as `loss_direct` and `loss_refine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import Sampler
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from tts import ConfigError
from tts_trainers.objectives import Normalisation, objective_counts, objective_sums, row_weights
from tts_trainers.recipe import Arm, HybridObjective, Optimisation
from tts_trainers.rows import OBJECTIVES, Row
from tts_trainers.sampler import AlternatingSampler


class ObjectiveCollator(DataCollatorForLanguageModeling):
    """TRL's collator, with the objective of each row beside its tokens."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """A padded batch with `objective`: [rows]."""
        batch: dict[str, Any] = super().torch_call(examples)
        batch["objective"] = torch.tensor([OBJECTIVES.index(example["objective"]) for example in examples])
        return batch


class HybridSFTTrainer(SFTTrainer):
    """`SFTTrainer` whose loss is L_direct + lambda * L_selfR.

    `normalisation` is explained at `tts_trainers.objectives.row_weights`; token counts are those of the whole optimiser
    step, so gradient accumulation and several ranks give the loss of one large batch. Packing mixes objectives in a row
    and is refused.
    """

    def __init__(
        self,
        model: PreTrainedModel | str,
        args: SFTConfig,
        *,
        train_dataset: Dataset,
        processing_class: PreTrainedTokenizerBase,
        refine_weight: float = 1.0,
        normalisation: Normalisation = "objective",
        **kwargs: Any,
    ) -> None:
        if args.packing or args.padding_free:
            raise ValueError("packing and padding_free join rows of both objectives; turn them off for hybrid training")
        self._refine_weight = refine_weight
        self._normalisation = normalisation
        self._sums = torch.zeros(len(OBJECTIVES))
        self._counts = torch.zeros(len(OBJECTIVES))
        collator = ObjectiveCollator(pad_token_id=processing_class.pad_token_id)
        super().__init__(
            model=model,
            args=args,
            data_collator=collator,
            train_dataset=train_dataset,
            processing_class=processing_class,
            **kwargs,
        )

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[no-untyped-call]  # TRL's has no annotations
        columns: Any = self._signature_columns
        if "objective" not in columns:
            columns.append("objective")

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return AlternatingSampler(
            [OBJECTIVES.index(name) for name in rows["objective"]],
            [len(ids) for ids in rows["input_ids"]],
            batch_size=self._train_batch_size,
            seed=self.args.seed,
        )

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device
    ) -> torch.Tensor:
        """Target tokens of each objective in the whole optimiser step: [2]."""
        counts = [objective_counts(batch["labels"], batch["objective"]) for batch in batch_samples]
        total = torch.stack(counts).sum(0).to(device) if counts else torch.zeros(len(OBJECTIVES), device=device)
        gathered: torch.Tensor = self.accelerator.reduce(total, reduction="sum")
        return gathered

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The share of one micro-batch in the loss of its optimiser step."""
        objective = inputs.pop("objective")
        labels = inputs["labels"]
        outputs, nll = _token_nll(model, inputs)
        counts = objective_counts(labels, objective)
        step = num_items_in_batch if isinstance(num_items_in_batch, torch.Tensor) else None
        weights = row_weights(
            objective,
            counts if step is None else step,
            refine_weight=self._refine_weight,
            normalisation=self._normalisation,
        )
        # DDP averages gradients over ranks, while the counts are sums over them.
        ranks = 1 if step is None else self.accelerator.num_processes
        loss = (nll.sum(1) * weights).sum() * ranks
        self._sums += objective_sums(nll.detach(), objective).cpu()
        self._counts += counts.cpu()
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add `loss_direct` and `loss_refine`, means over the target tokens since the last log."""
        both = torch.stack([self._sums, self._counts]).to(self.accelerator.device)
        sums, counts = self.accelerator.reduce(both, reduction="sum").cpu()
        for name, total, count in zip(OBJECTIVES, sums.tolist(), counts.tolist(), strict=True):
            if count:
                logs[f"loss_{name}"] = total / count
        self._sums.zero_()
        self._counts.zero_()
        super().log(logs, start_time)


def rows_of_arm(rows: Sequence[Row], arm: Arm) -> list[Row]:
    """The rows that an arm of the paper's Table 2 trains on."""
    return [row for row in rows if arm in ("hybrid", row["objective"])]


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    *,
    objective: HybridObjective,
    optimisation: Optimisation,
    output: Path,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Train `model` in place on the rows of the arm; returns what was logged, `loss_direct` and `loss_refine` apart.

    Raises `ConfigError` where the arm has no row, or the hybrid arm lacks one of the objectives.
    """
    chosen = rows_of_arm(rows, objective.arm)
    wanted = set(OBJECTIVES) if objective.arm == "hybrid" else {objective.arm}
    if missing := sorted(wanted - {row["objective"] for row in chosen}):
        raise ConfigError(f"arm {objective.arm!r} needs {missing[0]} rows, and there is none")
    trainer = HybridSFTTrainer(
        model,
        sft_config(optimisation, output, seed),
        train_dataset=Dataset.from_list(list(chosen)),
        processing_class=tokenizer,
        refine_weight=objective.refine_weight,
        normalisation=objective.normalisation,
    )
    trainer.train()
    return list(trainer.state.log_history)


def sft_config(optimisation: Optimisation, output: Path, seed: int) -> SFTConfig:
    """TRL's settings for one stage."""
    return SFTConfig(
        output_dir=str(output),
        seed=seed,
        max_steps=optimisation.steps,
        per_device_train_batch_size=optimisation.batch,
        gradient_accumulation_steps=optimisation.accumulate,
        learning_rate=optimisation.learning_rate,
        lr_scheduler_type=optimisation.schedule,
        warmup_steps=optimisation.warmup_steps,
        weight_decay=optimisation.weight_decay,
        adam_beta2=optimisation.adam_beta2,
        max_grad_norm=optimisation.max_grad_norm,
        bf16=optimisation.bf16,
        use_cpu=not torch.cuda.is_available(),
        activation_checkpointing=False,
        dataloader_drop_last=True,
        dataset_num_proc=None,
        logging_steps=20,
        save_strategy="no" if optimisation.save_steps is None else "steps",
        save_steps=optimisation.save_steps or 1,
        save_only_model=True,
        report_to="none",
        disable_tqdm=True,
    )


def _token_nll(model: torch.nn.Module, inputs: dict[str, Any]) -> tuple[Any, torch.Tensor]:
    """The model's output and the negative log-likelihood of each target token, [rows, tokens - 1], zero off target."""
    labels = inputs["labels"]
    if labels.device.type != "cpu":
        outputs = model(**inputs, fused_lm_head=True)
        return outputs, -outputs.log_probs
    # TRL's fused head saves memory with Triton; without it a step of a small model takes twice as long. The columns
    # before the first target are never scored.
    first = int(labels[:, 1:].ne(-100).any(0).nonzero()[0])
    columns = torch.arange(first, labels.shape[1] - 1, device=labels.device)
    without_labels = {name: value for name, value in inputs.items() if name != "labels"}
    outputs = model(**without_labels, use_cache=False, logits_to_keep=columns)
    logits = outputs.logits.float().transpose(1, 2)
    return outputs, torch.nn.functional.cross_entropy(logits, labels[:, first + 1 :], reduction="none")
