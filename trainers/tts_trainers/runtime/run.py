"""A training run, from a folder that may hold one already to whole weights in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tts.prompts import Prompts
from tts_trainers.runtime import folder
from tts_trainers.runtime.processes import processes

Say = Callable[[str], None]


def is_to_be_done(out: Path, settings: dict[str, Any], report: str, say: Say, *, resume: bool) -> bool:
    """Take the folder on for a run with these settings; whether there is anything left to do.

    Raises `ConfigError` where it holds a run of others.
    """
    if resume:
        folder.check_same(out, settings)
    else:
        folder.clear(out)
    say(report)
    if folder.is_finished(out):
        say(f"{out} holds the finished run already")
        return False
    folder.begin(out, settings)
    return True


def train(trainer: Any, last: Path | None, say: Say) -> None:
    """Train from the last checkpoint, where there is one; raises `KeyboardInterrupt` after Ctrl-C, when it is saved."""
    from tts_trainers.runtime.callbacks import StopOnInterrupt

    if last is not None:
        say(f"going on from {last}")
    with StopOnInterrupt(install=processes() == 1) as interrupt:
        trainer.add_callback(interrupt)
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if interrupt.asked:
        say(f"stopped and saved after step {trainer.state.global_step}; the same command goes on from there")
        raise KeyboardInterrupt


def save_weights(trainer: Any, place: Path) -> bool:
    """Write the whole weights, also where processes share them; whether this process is to write the rest."""
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(place))
    trainer.accelerator.wait_for_everyone()
    return bool(trainer.is_world_process_zero())


def finish(out: Path, prompts: Prompts) -> None:
    """The prompts are written last, which marks the run as finished."""
    prompts.write(out)
    shutil.rmtree(out / folder.CACHE, ignore_errors=True)
