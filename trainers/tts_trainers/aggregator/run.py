"""`tts train aggregator`: a model that can refine learns from rewards to refine better (TRL's GRPO)."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import click

from tts import ConfigError
from tts.prompts import Prompts as CheckpointPrompts
from tts_trainers.aggregator.prompts import Prompts, make_prompts
from tts_trainers.aggregator.recipe import AggregatorRecipe
from tts_trainers.aggregator.reward import answer_reward
from tts_trainers.helpers.graded import read_graded
from tts_trainers.hybrid import checks, pretrained
from tts_trainers.recipe import load_recipe
from tts_trainers.runtime import folder as run_folder
from tts_trainers.runtime import run
from tts_trainers.runtime.checkpoints import last_checkpoint
from tts_trainers.runtime.processes import check_trainer, processes, rank
from tts_trainers.runtime.run import Say
from tts_trainers.runtime.terminal import quiet, say

log = logging.getLogger("tts.train")


class Prepared(NamedTuple):
    """All that is known before weights are loaded; `settings` is what `run.json` will hold."""

    prompts: Prompts
    templates: CheckpointPrompts
    config: Any
    tokenizer: Any
    settings: dict[str, Any]
    report: str


def train_aggregator(recipe: AggregatorRecipe, out: Path, *, resume: bool = True, say: Say = log.info) -> Path:
    """Train the recipe's model into `out`, which then holds a model that any backend loads, with its prompts.

    Goes on from the last complete checkpoint in `out`; a finished run is left as it is, `resume=False` starts again.
    Raises `ConfigError` for whatever can be known to be wrong before weights are loaded, and `KeyboardInterrupt` after
    Ctrl-C, when a checkpoint is saved.
    """
    prepared = prepare(recipe, out)
    if not run.is_to_be_done(out, prepared.settings, prepared.report, say, resume=resume):
        return out
    trainer = _trainer(recipe, prepared, out, say)
    with pretrained.quiet_peft():
        run.train(trainer, last_checkpoint(out), say)
    _save(trainer, recipe, prepared, out)
    return out


def prepare(recipe: AggregatorRecipe, out: Path) -> Prepared:
    """Everything before the weights: folder, candidates, prompts."""
    check_trainer()
    recipe.optimisation.accumulation(processes())
    templates = checks.load_prompts(recipe.prompts)
    run_folder.check_writable(out)
    data = recipe.data
    if data.candidates is None:
        raise ConfigError("data.candidates is not set: give stored candidate sets; `tts sample` draws them")
    config = pretrained.load_config(recipe.model)
    tokenizer = pretrained.load_tokenizer(recipe.model)
    sets = read_graded(data.candidates, limit=data.limit, extractor=data.extractor, grader=data.grader)

    async def count(texts: Any) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    made, too_long = _fitting(make_prompts(sets, recipe, count), recipe, config, tokenizer)
    content = hashlib.blake2b(json.dumps([made.rows, templates.model_dump_json()]).encode(), digest_size=16)
    counts = ", ".join(f"{count:,} {what}" for what, count in made.counts.items())
    if too_long:
        counts += f"; {too_long:,} too long and left out"
    report = f"{data.candidates}: {len(sets):,} problems; {len(made.rows):,} prompts to learn from: {counts}"
    return Prepared(made, templates, config, tokenizer, run_folder.settings(recipe, content.hexdigest()), report)


def _fitting(made: Prompts, recipe: AggregatorRecipe, config: Any, tokenizer: Any) -> tuple[Prompts, int]:
    """The prompts that leave room for a completion, and how many do not.

    Raises `ConfigError` where none does.
    """
    checks.check_positions(recipe.model, recipe.optimisation.max_length, pretrained.declared_positions(config))
    longest = recipe.optimisation.max_length or recipe.model.max_positions or pretrained.declared_positions(config)
    if longest is None:
        return made, 0
    room = longest - recipe.rollout.max_tokens
    texts = [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) for row in made.rows
    ]
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    kept = [row for row, length in zip(made.rows, lengths, strict=True) if length <= room]
    if not kept:
        raise ConfigError(
            f"no prompt leaves room for rollout.max_tokens = {recipe.rollout.max_tokens:,} in {longest:,} tokens: the "
            f"shortest has {min(lengths):,}; lower rollout.max_tokens or show fewer candidates (data.shown)"
        )
    return made._replace(rows=kept), len(made.rows) - len(kept)


def arguments(recipe: AggregatorRecipe, out: Path, started: int) -> dict[str, Any]:
    """The recipe as TRL's `GRPOConfig` takes it."""
    rollout, reward, tracking = recipe.rollout, recipe.reward, recipe.tracking
    return {
        "output_dir": str(out),
        "seed": recipe.seed,
        **recipe.optimisation.arguments(started),
        "num_generations": rollout.generations,
        "generation_batch_size": recipe.optimisation.batch,
        "temperature": rollout.temperature,
        "top_p": rollout.top_p,
        "max_completion_length": rollout.max_tokens,
        "use_vllm": rollout.engine == "vllm",
        "loss_type": reward.loss,
        "beta": reward.beta,
        "epsilon": reward.epsilon,
        "scale_rewards": reward.scale,
        "save_strategy": "steps",
        "save_steps": tracking.save_steps,
        "save_total_limit": tracking.keep_checkpoints,
        "logging_steps": tracking.logging_steps,
        "report_to": tracking.report_to,
        "run_name": tracking.run_name,
        "ddp_find_unused_parameters": False,
        "disable_tqdm": True,
    }


def _trainer(recipe: AggregatorRecipe, prepared: Prepared, out: Path, say: Say) -> Any:
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    from tts_trainers.runtime.callbacks import CarriedPrompts, Progress

    tokenizer = prepared.tokenizer
    model = pretrained.load_model(recipe.model, prepared.config, tokenizer.eos_token_id)
    known = model.generation_config.eos_token_id
    ends = frozenset(known if isinstance(known, list) else [known])
    reward = answer_reward(extractor=recipe.data.extractor, grader=recipe.data.grader, ends=ends)
    with pretrained.quiet_peft():
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward,
            args=GRPOConfig(**arguments(recipe, out, processes()), use_cpu=not torch.cuda.is_available()),
            train_dataset=Dataset.from_list(list(prepared.prompts.rows)),
            processing_class=tokenizer,
            callbacks=[CarriedPrompts(prepared.templates), Progress(say)],
            peft_config=None if recipe.lora is None else pretrained.lora_config(recipe.lora),
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _save(trainer: Any, recipe: AggregatorRecipe, prepared: Prepared, out: Path) -> None:
    """The finished model, with its prompts."""
    adapter = out / "adapter"
    if not run.save_weights(trainer, out if recipe.lora is None else adapter):
        return
    if recipe.lora is not None:
        pretrained.merge_adapter(recipe.model, prepared.config, prepared.tokenizer.eos_token_id, adapter, out)
        prepared.tokenizer.save_pretrained(out)
    run.finish(out, prepared.templates)


@click.command(name="aggregator")
@click.argument("candidates", metavar="CANDIDATES")
@click.option("--model", metavar="MODEL", help="What to start from: a folder or a hub id; it must refine already.")
@click.option("--recipe", default="aggregator-small", show_default=True, help="A TOML file, or one of ours by name.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where the run, and the model at its end, go.",
)
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one key; may be given again.")
@click.option("--resume/--no-resume", default=True, help="Go on with the run in --out (default), or start it again.")
@click.option("--dry-run", is_flag=True, help="Make all checks, say which prompts there are, and stop.")
def command(
    candidates: str,
    model: str | None,
    recipe: str,
    out: Path,
    changes: tuple[str, ...],
    resume: bool,
    dry_run: bool,
) -> None:
    """Train a model to refine better, by rewards on prompts over the CANDIDATES: a store (.db), or a file of sets.

    Running the same command again goes on from the last checkpoint.
    """
    given = {"data.candidates": candidates, "model.name": model}
    shortcuts = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items() if value is not None]
    settings = load_recipe(recipe, AggregatorRecipe, [*changes, *shortcuts])
    quiet()
    if dry_run:
        click.echo(prepare(settings, out).report)
        return
    done = train_aggregator(settings, out, resume=resume, say=say)
    if rank() == 0:
        click.echo(done)
