"""A helper's training, up to the saved model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def run_and_save(trainer: Any, out: Path, progress: Callable[[str], None]) -> None:
    """Train, with a line of progress now and then, and write model and tokenizer to `out`."""
    from transformers import PrinterCallback

    from tts_trainers.runtime.callbacks import Progress

    trainer.remove_callback(PrinterCallback)  # it prints the same on stdout
    trainer.add_callback(Progress(progress))
    trainer.train()
    trainer.save_model(str(out))
    (out / "training_args.bin").unlink(missing_ok=True)
    trainer.accelerator.wait_for_everyone()  # whoever uses the model next finds it written
