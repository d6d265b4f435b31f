"""What a run adds to the trainer: prompts in every checkpoint, progress, a stop that loses nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tts.prompts import Prompts


class CarriedPrompts(TrainerCallback):
    """Writes `tts.json` into each checkpoint."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002 - transformers' signature
        """After the checkpoint is complete."""
        if state.is_world_process_zero:
            self._prompts.write(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")


class Progress(TrainerCallback):
    """One line for each log: the step, then the losses and what else was logged."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' signature
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - transformers' signature
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Numbers to four digits, so that a line stays a line."""
        if state.is_world_process_zero:
            numbers = [f"{k} {v:.4g}" for k, v in (logs or {}).items() if isinstance(v, int | float)]
            self._say(f"step {state.global_step}/{state.max_steps}  {'  '.join(numbers)}")


class StopOnInterrupt(TrainerCallback):
    """On Ctrl-C or SIGTERM: finish the step, save a checkpoint, stop. A second Ctrl-C stops at once.

    With several processes the handlers are not installed: each would stop at another step, and wait for the others.
    """

    def __init__(self, *, install: bool) -> None:
        self.asked = False
        self._install = install and threading.current_thread() is threading.main_thread()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if self._install:
            self._before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002 - transformers' signature
        """Between two optimiser steps everything can be saved."""
        if self.asked:
            control.should_save = True
            control.should_training_stop = True

    def _ask(self, *_: object) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
