"""The folder of a training run: whose it is, whether it may be written, whether the run is finished.

`run.json` holds the recipe and a digest of rows and templates, so that a run never goes on with another recipe or other
data than it began with. `tts.json` beside the weights is written last and marks a finished run. Whatever else is in the
folder is the user's and stays.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tts import ConfigError
from tts.prompts import PROMPTS_FILE

RUN_FILE = "run.json"
CACHE = ".tokens"  # of no use after the run, and deleted then: no name that a user's own folder may have

BEST = "best"  # the best model of the evaluations while training
MONITOR_LOG = "monitor.jsonl"  # and their numbers
_FOLDERS = ("checkpoint-*", BEST, f"{BEST}.new", f"{BEST}.old", "adapter")
_FILES = (
    *(PROMPTS_FILE, MONITOR_LOG, "config.json", "generation_config.json", "model*.safetensors*", "training_args.bin"),
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja", "README.md"),
)


def check_writable(out: Path) -> None:
    """Raise `ConfigError` where the folder could not be written, or holds something that is no training run."""
    check_permitted(out)
    known = out / CACHE, out / RUN_FILE
    if out.is_dir() and not (out / RUN_FILE).is_file() and any(path not in known for path in out.iterdir()):
        raise ConfigError(
            f"the folder {str(out)!r} holds files that are of no training run; give a new folder as --out"
        )


def check_permitted(out: Path) -> None:
    """Raise `ConfigError` where the folder could not be written."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):  # permissions do not tell of root, nor of all file systems
            pass
    except OSError as error:
        raise ConfigError(
            f"the folder {str(out)!r} cannot be written ({error.strerror}); give another --out"
        ) from error


def settings(recipe: BaseModel, content: str) -> dict[str, Any]:
    """What `run.json` holds; `content` is the digest of rows and templates."""
    return {"recipe": recipe.model_dump(mode="json"), "content": content}


def check_same(out: Path, now: dict[str, Any]) -> None:
    """Raise `ConfigError` where the folder holds checkpoints of a run with other settings."""
    if not (out / RUN_FILE).is_file() or not has_checkpoints(out):
        return
    before: dict[str, Any] = json.loads((out / RUN_FILE).read_text("utf-8"))
    advice = "give another --out, or --no-resume to start this one again"
    if key := _difference(_learned(before["recipe"]), _learned(now["recipe"])):
        raise ConfigError(f"the folder {str(out)!r} holds a run of another recipe ({key}); {advice}")
    if before["content"] != now["content"]:
        raise ConfigError(f"the folder {str(out)!r} holds a run on other rows or templates; {advice}")


def _learned(recipe: dict[str, Any]) -> dict[str, Any]:
    """What of a recipe decides what is learned: how often something is logged or saved does not."""
    return {name: value for name, value in recipe.items() if name != "tracking"}


def begin(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder and say whose it is; what another process reads there is whole."""
    out.mkdir(parents=True, exist_ok=True)
    part = out / CACHE / f"{RUN_FILE}.{os.getpid()}"
    part.parent.mkdir(exist_ok=True)
    part.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    part.replace(out / RUN_FILE)


def clear(out: Path) -> None:
    """Delete what an earlier run wrote: its checkpoints, its model and its evaluations."""
    for file in (file for pattern in _FILES for file in out.glob(pattern)):
        file.unlink(missing_ok=True)
    for folder in (folder for pattern in _FOLDERS for folder in out.glob(pattern)):
        shutil.rmtree(folder, ignore_errors=True)


def has_checkpoints(out: Path) -> bool:
    """Whether there is anything to go on from, or a finished model."""
    return is_finished(out) or any(out.glob("checkpoint-*"))


def is_finished(out: Path) -> bool:
    """Whether the last run came to its end."""
    return (out / PROMPTS_FILE).is_file()


def _difference(before: Any, now: Any, place: str = "") -> str | None:
    """The first key that differs, with both values."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return None if before == now else f"{place}: {before!r} there, {now!r} now"
    found = (_difference(before.get(k), now.get(k), f"{place}.{k}".strip(".")) for k in sorted(before.keys() | now))
    return next(filter(None, found), None)
