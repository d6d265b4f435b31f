"""One training run of the replica: rows of an arm, in memory, on a model that is trained in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.sft_config import SFTConfig

from tts import ConfigError
from tts_trainers.hybrid.trainer import HybridSFTTrainer
from tts_trainers.recipe import Arm, HybridObjective
from tts_trainers.replica.recipe import Optimisation
from tts_trainers.rows import OBJECTIVES, Row
from tts_trainers.runtime.half import half_is_fast


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

    With `optimisation.save_steps` it goes on from the last checkpoint in `output`, which must be of these very rows.

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
        length_window=optimisation.length_window,
    )
    trainer.train(resume_from_checkpoint=True if optimisation.save_steps is not None else None)
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
        lr_scheduler_kwargs={"num_decay_steps": optimisation.decay_steps} if optimisation.decay_steps else None,
        warmup_steps=optimisation.warmup_steps,
        weight_decay=optimisation.weight_decay,
        adam_beta2=optimisation.adam_beta2,
        max_grad_norm=optimisation.max_grad_norm,
        bf16=optimisation.bf16 and half_is_fast(),
        use_cpu=not torch.cuda.is_available(),
        activation_checkpointing=False,
        dataloader_drop_last=True,
        dataset_num_proc=None,
        logging_steps=20,
        save_strategy="no" if optimisation.save_steps is None else "steps",
        save_steps=optimisation.save_steps or 1,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )
