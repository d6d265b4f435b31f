"""A hybrid run: recipe, checks, trainer, checkpoint.

The order is that of cost: the recipe, the machine, the folder, the rows, their tokens, and only then the weights.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from tts_trainers.hybrid import pretrained
from tts_trainers.hybrid.card import write_card
from tts_trainers.hybrid.preparation import Prepared, prepare
from tts_trainers.hybrid.preview import preview
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.runtime import folder as run_folder
from tts_trainers.runtime import run
from tts_trainers.runtime.checkpoints import last_checkpoint
from tts_trainers.runtime.processes import processes
from tts_trainers.runtime.run import Say

log = logging.getLogger("tts.train")


def train_hybrid(
    recipe: HybridRecipe, out: Path, *, resume: bool = True, say: Say = log.info, command: str | None = None
) -> Path:
    """Train the recipe's student into `out`, which then holds a model that any backend loads, with its prompts.

    A model card beside it says what it was made of; `command` is the line that began the run, for the card.

    Goes on from the last complete checkpoint in `out`; a finished run is left as it is. `resume=False` starts again
    and deletes what the earlier run wrote. Raises `ConfigError` for whatever can be known to be wrong before weights
    are loaded, and `KeyboardInterrupt` after Ctrl-C, when a checkpoint is saved.
    """
    prepared = prepare(recipe, out, out / run_folder.CACHE)
    if not run.is_to_be_done(out, prepared.settings, prepared.report, say, resume=resume):
        return out
    trainer = _trainer(recipe, prepared, out, say)
    run.train(trainer, last_checkpoint(out), say)
    _save(trainer, recipe, prepared, out, command)
    return out


def check_hybrid(recipe: HybridRecipe, out: Path, *, resume: bool = True, rows: bool = False) -> str:
    """All checks and nothing else: what would be trained on, in a few lines; nothing is written into `out`.

    With `rows` some of them follow as their tokens say them, with the targets marked. Raises `ConfigError` as
    `train_hybrid` does, but for what this machine lacks, which is a warning.
    """
    with tempfile.TemporaryDirectory() as cache:
        prepared = prepare(recipe, out, Path(cache), elsewhere=True)
        if resume:
            run_folder.check_same(out, prepared.settings)
        learned = preview(prepared.train, prepared.tokenizer) if rows else ""
        return f"{prepared.report}\n\n{learned}" if rows else prepared.report


def arguments(recipe: HybridRecipe, out: Path, processes: int, *, evaluates: bool) -> dict[str, Any]:
    """The recipe as TRL's `SFTConfig` takes it; `evaluates` where there are held-out rows."""
    optimisation, tracking = recipe.optimisation, recipe.tracking
    return {
        "output_dir": str(out),
        "seed": recipe.seed,
        **optimisation.arguments(processes),
        "per_device_eval_batch_size": optimisation.per_device,
        "optim": optimisation.optimiser,
        # Rows that are too long were left out; TRL would cut them, and refuses to in a padding-free batch.
        "max_length": optimisation.max_length if optimisation.packing else None,
        "packing": optimisation.packing,
        "padding_free": optimisation.padding_free,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": tracking.evaluation_steps,
        "save_strategy": "steps",
        "save_steps": tracking.save_steps,
        "save_total_limit": tracking.keep_checkpoints,
        "logging_steps": tracking.logging_steps,
        "report_to": tracking.report_to,
        "run_name": tracking.run_name,
        "ddp_find_unused_parameters": False,
        "disable_tqdm": True,
    }


def _trainer(recipe: HybridRecipe, prepared: Prepared, out: Path, say: Say) -> Any:
    import torch
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig

    from tts_trainers.hybrid.trainer import HybridSFTTrainer
    from tts_trainers.runtime.callbacks import CarriedPrompts, Progress

    # Before the weights: under DeepSpeed they are read in parts, which these arguments decide.
    given = arguments(recipe, out, processes(), evaluates=prepared.evaluation is not None)
    args = SFTConfig(**given, use_cpu=not torch.cuda.is_available())
    with pretrained.quiet_peft():
        trainer = HybridSFTTrainer(
            pretrained.load_model(recipe.model, prepared.config, prepared.tokenizer.eos_token_id),
            args,
            train_dataset=prepared.train,
            eval_dataset=prepared.evaluation,
            processing_class=prepared.tokenizer,
            refine_weight=recipe.objective.refine_weight,
            normalisation=recipe.objective.normalisation,
            alternate=recipe.optimisation.order == "alternate",
            callbacks=[CarriedPrompts(prepared.prompts), Progress(say)],
            peft_config=None if recipe.lora is None else pretrained.lora_config(recipe.lora),
        )
    trainer.remove_callback(PrinterCallback)  # it prints what `Progress` says, on stdout
    if recipe.monitoring is not None:
        from tts_trainers.hybrid.monitor import monitor_callback

        monitor_callback(recipe.monitoring, prepared.tokenizer, out, prompts=prepared.prompts).attach(trainer)
    return trainer


def _save(trainer: Any, recipe: HybridRecipe, prepared: Prepared, out: Path, command: str | None) -> None:
    """The finished model, with its prompts."""
    adapter = out / "adapter"
    if not run.save_weights(trainer, out if recipe.lora is None else adapter):
        return
    if recipe.lora is not None:
        pretrained.merge_adapter(recipe.model, prepared.config, prepared.tokenizer.eos_token_id, adapter, out)
        prepared.tokenizer.save_pretrained(out)
    write_card(out, recipe, prepared.report, command)
    run.finish(out, prepared.prompts)
