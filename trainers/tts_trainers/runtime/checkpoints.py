"""Which checkpoint a killed run goes on from."""

from __future__ import annotations

import json
from pathlib import Path

_STATE = "trainer_state.json"  # transformers writes it last, when weights, optimiser and random states are on disk


def last_checkpoint(folder: Path | str) -> Path | None:
    """The newest `checkpoint-N` of a run that was written to its end; `None` where there is none.

    A process killed while saving leaves a folder that looks like a checkpoint and is not one.
    """
    found = [(int(step), path) for path in Path(folder).glob("checkpoint-*") if (step := path.name[11:]).isdecimal()]
    return next((path for _, path in sorted(found, reverse=True) if _is_complete(path)), None)


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True
