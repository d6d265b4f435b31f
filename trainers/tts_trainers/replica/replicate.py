"""All stages of the replica, in one process or in several, up to the report on them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from tts import ConfigError
from tts_trainers.replica import tables
from tts_trainers.replica.evaluate import Evaluation
from tts_trainers.replica.family import Family
from tts_trainers.replica.jobs import needed_for, run_jobs
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.stages import Stage, minutes_by_the_clock, run_stages


def replicate(out: Path, recipe: ReplicaRecipe, *, all_sizes: bool = False, jobs: int = 1) -> str:
    """Make what is not there yet, `jobs` stages at a time, and return the tables as Markdown.

    Raises `ConfigError` where `out` holds a stage made with other settings.
    """
    stages = _stages(out, recipe, all_sizes=all_sizes)
    if jobs > 1:
        run_jobs(out, stages, partial(_start, out, recipe, all_sizes, max(1, torch.get_num_threads() // jobs)), jobs)
    return _report(out, recipe, stages, run_stages(out, stages))


def _start(out: Path, recipe: ReplicaRecipe, all_sizes: bool, share: int, name: str, alone: bool) -> BaseProcess:
    threads = torch.get_num_threads() if alone else share
    arguments = (out, recipe, all_sizes, threads, name)
    process = multiprocessing.get_context("spawn").Process(target=_make_one, args=arguments)
    process.start()
    return process


def _make_one(out: Path, recipe: ReplicaRecipe, all_sizes: bool, threads: int, name: str) -> None:
    """In a process of its own: one stage, when all that it builds on is there."""
    tell()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        run_stages(out, needed_for(name, _stages(out, recipe, all_sizes=all_sizes)))
    except ConfigError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # the process that started this one says so


def _stages(out: Path, recipe: ReplicaRecipe, *, all_sizes: bool) -> list[Stage]:
    family, evaluation = Family(out, recipe), Evaluation(out, recipe)
    hybrid, settings = f"hybrid-{recipe.main}", [recipe.evaluation]
    *student, hybrid_arm = family.size(recipe.main)
    stages = [
        family.tokenizer(),
        *student,
        family.arm("refine"),  # the judge waits longest for it
        family.arm("direct"),
        *family.helpers(),
        hybrid_arm,
    ]
    stages += [
        Stage("methods", evaluation.methods, settings, [hybrid, "direct", "refine", "reward", "judge", "synthesizer"]),
        Stage("controls", evaluation.controls, settings, [hybrid]),
        Stage("ks", evaluation.numbers_of_candidates, settings, [hybrid]),
        Stage("harder", evaluation.harder, [*settings, recipe.harder], [hybrid, "direct"]),
        Stage("arms", evaluation.arms, settings, [hybrid, "direct", "refine"]),
    ]
    if all_sizes:
        for size in recipe.sizes:
            stages += family.size(size) if size != recipe.main else []
        stages.append(Stage("sizes", evaluation.sizes, settings, [f"hybrid-{size}" for size in recipe.sizes]))
    return stages


def _report(out: Path, recipe: ReplicaRecipe, stages: Sequence[Stage], seconds: dict[str, float]) -> str:
    parts = [
        tables.methods(out / "methods", recipe),
        tables.controls(out / "controls"),
        tables.of_family("table2", out / "arms", recipe),
        tables.of_family("figure6", out / "ks", recipe),
        tables.of_family("figure7", out / "harder", recipe),
    ]
    if "sizes" in seconds:
        parts.append(tables.of_family("figure2", out / "sizes", recipe, parameters(out, recipe)))
    spent = ", ".join(f"{name} {took:.0f}" for name, took in seconds.items())
    minutes = minutes_by_the_clock(out, stages)
    parts.append(f"Seconds of each stage: {spent}; {minutes:.0f} minutes by the clock.\n")
    return "\n".join(parts)


def parameters(out: Path, recipe: ReplicaRecipe) -> dict[str, int]:
    """How many parameters each size has that is there."""
    from tts_trainers.replica.student import load

    folders = {size: out / f"base-{size}" for size in recipe.sizes}
    return {size: load(folder)[0].num_parameters() for size, folder in folders.items() if folder.is_dir()}


def _end_with_parent() -> None:
    """A stage that goes on after a kill -9 would write beside the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def tell() -> None:
    """Log what is done, and of other libraries what is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", force=True)
    for noisy in ("httpx", "datasets", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
