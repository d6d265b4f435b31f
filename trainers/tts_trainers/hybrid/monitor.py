"""Evaluation while training: whether refinement already beats the vote, on problems that are held out.

The model in training is sampled in place, through the `hf` backend; training goes on as if nothing had happened.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import tts
from tts.eval import Comparison
from tts.prompts import CANDIDATE_TOKENS, DIRECT_FIELDS, REFINE_FIELDS, Prompts, Template
from tts_trainers.hybrid.monitor_settings import Monitoring
from tts_trainers.runtime.folder import BEST, MONITOR_LOG


def monitor_callback(
    section: Monitoring, tokenizer: Any, out: str | Path, *, prompts: Prompts | None = None
) -> Monitor:
    """The callback that evaluates as `section` says, with the prompts that the rows were made with (ours by default).

    Its `attach(trainer)` makes it one of a trainer's callbacks.
    """
    if prompts is None:
        direct, refine = Template.load("direct", DIRECT_FIELDS), Template.load("refine", REFINE_FIELDS)
        prompts = Prompts(
            direct_template=direct.source,
            refine_template=refine.source,
            candidate_tokens=CANDIDATE_TOKENS,
            k=section.k,
        )
    return Monitor(section, tokenizer, Path(out), prompts)


class Monitor(TrainerCallback):
    """Logs `eval_pass_1`, `eval_majority` (maj@k), `eval_self_ref` (selfRef@k) and `eval_gap` with its 95 % interval.

    Each evaluation is a line of `monitor.jsonl`; the model of the highest selfRef@k is kept in `best/`, apart from the
    trainer's checkpoints and their limit. After a kill, both go on from what is there. With several processes the first
    one evaluates and the others wait for it, `ddp_timeout` seconds at most.
    """

    def __init__(self, section: Monitoring, tokenizer: Any, out: Path, prompts: Prompts) -> None:
        self._section, self._tokenizer, self._prompts = section, tokenizer, prompts
        self._log, self._best, self._best_value = out / MONITOR_LOG, out / BEST, float("-inf")
        self._trainer: Trainer | None = None
        self._backend: Any = None

    def attach(self, trainer: Trainer) -> Self:
        """Watch this trainer, and log through it, so that TensorBoard and the like see the numbers."""
        self._trainer = trainer
        if self not in trainer.callback_handler.callbacks:
            trainer.add_callback(self)
        return self

    def on_train_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' signature
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - as above
        model: Any = None,
        **_: Any,
    ) -> None:
        """Find out what cannot work, and where an earlier run had come to.

        Raises `ConfigError` on every process, so that none waits for another.
        """
        if self._trainer is None:
            raise tts.ConfigError("the monitor has no trainer to log through; call monitor.attach(trainer) first")
        self._check_task()
        with as_served(model):
            backend = (
                tts.plugins()
                .resolve("backend", "hf")
                .from_model(model, self._tokenizer, name="model in training", prompts=self._prompts)
            )
        if state.is_world_process_zero:
            self._backend = backend
            self._resume(state.global_step)
        else:
            tts.run_sync(backend.aclose)

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' signature
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Evaluate every so many steps, and after the last one."""
        due = state.global_step % self._section.every_steps == 0 or state.global_step >= state.max_steps
        if self._backend is None or not due:
            return
        with as_served(model):
            table = self._evaluate()
        numbers = _numbers(table)
        row = {"step": state.global_step, "epoch": state.epoch, "k": table.k, "problems": len(table.rows), **numbers}
        row["seconds"] = round(table.seconds, 3)
        if self._section.keep_best and numbers["eval_self_ref"] > self._best_value:
            self._keep(model, row)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._report(numbers, control)

    def on_train_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' signature
        state: TrainerState,  # noqa: ARG002 - as above
        control: TrainerControl,  # noqa: ARG002 - as above
        **_: Any,
    ) -> None:
        """Let the model go."""
        if self._backend is not None:
            tts.run_sync(self._backend.aclose)
            self._backend = None

    def _check_task(self) -> None:
        source = self._section.task
        examples = list(tts.read_examples(source, limit=self._section.limit))
        unknown = next((one.problem.id for one in examples if one.answer is None), None)
        if not examples or unknown is not None:
            what = "has no problem" if unknown is None else f"has no answer for problem {unknown!r}"
            raise tts.ConfigError(f"monitoring.task = {source!r} {what}; give a task with answers to compare with")

    def _resume(self, step: int) -> None:
        """Keep what an earlier run has found up to `step`; a run that starts anew begins its own record."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        rows = [] if step == 0 or not self._log.is_file() else _complete_rows(self._log)
        self._log.write_text("".join(json.dumps(row) + "\n" for row in rows if row["step"] <= step), "utf-8")
        old = self._best.with_name(f"{BEST}.old")
        if old.is_dir() and not self._best.exists():  # killed between two renames
            old.rename(self._best)
        if step and (self._best / MONITOR_LOG).is_file():
            self._best_value = _complete_rows(self._best / MONITOR_LOG)[-1]["eval_self_ref"]

    def _evaluate(self) -> Comparison:
        section = self._section
        return tts.compare(
            section.task,
            strategies=["majority", "gsr"],
            k=section.k,
            limit=section.limit,
            model=self._backend,
            sampling=tts.Sampling(
                temperature=section.temperature, top_p=section.top_p, max_tokens=section.max_tokens, seed=section.seed
            ),
        )

    def _keep(self, model: Any, row: dict[str, Any]) -> None:
        """Put the model in the place of the best one, in one step as far as a kill can see."""
        new, old = self._best.with_name(f"{BEST}.new"), self._best.with_name(f"{BEST}.old")
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        model.save_pretrained(new)
        self._tokenizer.save_pretrained(new)
        self._prompts.write(new)
        (new / MONITOR_LOG).write_text(json.dumps(row) + "\n", "utf-8")
        if self._best.exists():
            self._best.rename(old)
        new.rename(self._best)
        shutil.rmtree(old, ignore_errors=True)
        self._best_value = row["eval_self_ref"]

    def _report(self, numbers: dict[str, float], control: TrainerControl) -> None:
        due = control.should_log  # logging clears it, and the training loss of this step is still to be logged
        # Not `trainer.log`: TRL's and ours would empty their running means of the training metrics.
        Trainer.log(self._trainer, numbers)  # type: ignore[arg-type]  # attached when training began
        control.should_log = due


@contextmanager
def as_served(model: Any) -> Iterator[None]:
    """The model in evaluation mode; afterwards every module's mode and all random states are as before."""
    modes = [(module, module.training) for module in model.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    devices = [model.device] if model.device.type == "cuda" else []
    model.eval()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(python)
        np.random.set_state(numpy)


def _numbers(table: Comparison) -> dict[str, float]:
    gap = table.gap("gsr", "majority")
    bounds = (table.pass_at_1_bounds, table.bounds("majority"), table.bounds("gsr"))
    # The lower ends: one that answers a single problem is not the best one. A model that says nothing yet fails on
    # every problem: that is no accuracy, but nothing to stop training for.
    pass_1, voted, refined = (0.0 if one is None else one.low for one in bounds)
    return {
        "eval_pass_1": pass_1,
        "eval_majority": voted,
        "eval_self_ref": refined,
        "eval_gap": refined - voted,
        "eval_gap_low": gap.low if gap else -1.0,
        "eval_gap_high": gap.high if gap else 1.0,
        "eval_failed": float(len(table.failed)),
    }


def _complete_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a log whose last line may be cut off."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
