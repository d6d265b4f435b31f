"""A training run in a process of its own: killed_training.py OUTPUT STEPS, one line per logged step."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hybrid_parts import settings, tiny_model, tiny_tokenizer, trainer
from transformers import TrainerCallback


class Say(TrainerCallback):
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" in logs:
            losses = [logs["loss"], logs["loss_direct"], logs["loss_refine"]]
            print(json.dumps([state.global_step, *losses]), flush=True)


def main() -> None:
    tokenizer = tiny_tokenizer()
    args = settings(
        Path(sys.argv[1]),
        max_steps=int(sys.argv[2]),
        gradient_accumulation_steps=2,
        lr_scheduler_type="cosine",
        save_strategy="steps",
        save_steps=3,
        save_total_limit=2,
        eval_strategy="no",
    )
    # Dropout makes the random states of the checkpoint matter.
    model = tiny_model(tokenizer, attention_dropout=0.2)
    trainer(model, tokenizer, args, callbacks=[Say()]).train(resume_from_checkpoint=True)


if __name__ == "__main__":
    main()
