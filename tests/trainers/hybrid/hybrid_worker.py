"""One rank of a small hybrid run; the main process writes what was logged and the weights it ended with.

python -m torch.distributed.run --nproc_per_node 2 hybrid_worker.py '{"output": ..., "settings": {...}}'
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType, PartialState
from datasets import Dataset
from hybrid_parts import ROWS, settings, tiny_model, tiny_tokenizer, trainer
from torch.distributed.tensor import DTensor

KEPT = ("loss", "loss_direct", "loss_refine")


def run(output: Path, changes: dict[str, Any], resume: str | None = None) -> dict[str, Any]:
    tokenizer = tiny_tokenizer()
    # Seven rows to evaluate on: two ranks of two rows have one too few.
    args = settings(output, per_device_eval_batch_size=2, **changes)
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        # accelerate shards on accelerators only; nothing else in FSDP2 minds that these ranks are CPUs.
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    ours = trainer(
        tiny_model(tokenizer, tie_word_embeddings=False),
        tokenizer,
        args,
        ROWS,
        eval_dataset=Dataset.from_list(list(ROWS[:7])),
        refine_weight=0.3,
    )
    ours.train(resume_from_checkpoint=resume)
    losses = [{name: log[name] for name in KEPT if name in log} for log in ours.state.log_history if "loss" in log]
    evaluated = {name: value for name, value in ours.evaluate().items() if name.startswith("eval_loss")}
    state = ours.accelerator.get_state_dict(ours.model_wrapped)
    weights = {name: tensor.float().flatten().tolist() for name, tensor in (state or {}).items()}
    return {
        "losses": losses,
        "evaluated": evaluated,
        "weights": weights,
        "main": ours.is_world_process_zero(),
        "kind": ours.accelerator.distributed_type.value,
        "sharded": any(isinstance(p, DTensor) or hasattr(p, "ds_id") for p in ours.model_wrapped.parameters()),
    }


def main() -> None:
    torch.set_num_threads(1)
    job = json.loads(sys.argv[1])
    output = Path(job["output"])
    found = run(output / "run", job["settings"])
    if "resume" in job:
        found["resumed"] = run(output / "run", job["settings"], str(output / "run" / job["resume"]))["losses"]
    if found["main"]:
        (output / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
