"""What tells one model's outputs from another's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tts.prompts import PROMPTS_FILE
from tts_backends.checkpoints.source import Source, find

_WHOLE = 64 * 2**20  # files up to this many bytes are hashed whole
_SAMPLES, _SAMPLE = 256, 16384  # of larger files: so many pieces, spread evenly, of so many bytes


def fingerprint(*parts: Any) -> str:
    """What identifies a model's outputs, of all that changes them."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def weights_digest(source: Source, commit: str | None) -> str:
    """What the weights are: a local folder's files, with those of an adapter's base, or a hub id at its commit."""
    seen = hashlib.blake2b(digest_size=16)
    if source.folder is None:
        seen.update(f"{source.place}@{commit}/{source.gguf}".encode())
        return seen.hexdigest()
    if source.gguf is not None:
        files = [source.folder / source.gguf]
    else:
        found = [p for p in sorted(source.folder.iterdir()) if p.suffix in {".safetensors", ".json", ".bin", ".model"}]
        files = [p for p in found if p.name != PROMPTS_FILE]  # it changes what is asked, not what is answered
    for file in files:
        seen.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        _hash_content(file, seen)
    adapter = source.folder / "adapter_config.json"
    if source.gguf is None and adapter.is_file():
        base = json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"]
        seen.update(weights_digest(find(base), commit).encode())
    return seen.hexdigest()


def _hash_content(file: Path, seen: Any) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _WHOLE:
            seen.update(stream.read())
            return
        for piece in range(_SAMPLES):
            stream.seek(piece * (size - _SAMPLE) // (_SAMPLES - 1))
            seen.update(stream.read(_SAMPLE))
