"""Copy a checkpoint written by transformers 5 so that an engine with transformers 4 can read it.

    python engines/sglang_checkpoint.py FOLDER COPY

FOLDER is a model's folder, `miniature` is the one that ships with the library. Weights are linked, not copied.
"""

from __future__ import annotations

import argparse
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def convert(folder: Path, copy: Path) -> Path:
    """The copy: three names changed in its configuration, everything else as it is."""
    copy.mkdir(parents=True, exist_ok=True)
    for file in (one for one in folder.iterdir() if one.is_file()):
        (copy / file.name).unlink(missing_ok=True)
        if file.suffix == ".safetensors":
            (copy / file.name).symlink_to(file.resolve())
        else:
            shutil.copy(file, copy / file.name)
    _edit(copy / "config.json", _model)
    _edit(copy / "tokenizer_config.json", _tokenizer)
    return copy


def _edit(file: Path, change: Any) -> None:
    settings = json.loads(file.read_text("utf-8"))
    change(settings)
    file.write_text(json.dumps(settings, indent=2), "utf-8")


def _model(settings: dict[str, Any]) -> None:
    if "dtype" in settings:
        settings["torch_dtype"] = settings.pop("dtype")
    rope = settings.pop("rope_parameters", None)
    if rope is not None:
        settings["rope_theta"] = rope.pop("rope_theta")
        scaled = rope.get("rope_type", "default") != "default"
        settings["rope_scaling"] = rope if scaled else None


def _tokenizer(settings: dict[str, Any]) -> None:
    if settings.get("tokenizer_class") == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"


def shipped() -> Path:
    """The folder of `hf:miniature`."""
    package = find_spec("tts_backends")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "miniature"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("copy", type=Path)
    arguments = parser.parse_args()
    convert(shipped() if arguments.folder == "miniature" else Path(arguments.folder), arguments.copy)
