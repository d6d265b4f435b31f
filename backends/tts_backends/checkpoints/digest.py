"""What tells one model's outputs from another's."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

from tts.prompts import PROMPTS_FILE
from tts_backends.checkpoints.source import Source, find

_WHOLE = 64 * 2**20  # larger files are hashed in pieces of so many bytes, several at a time
_READ = 2**20
_AT_ONCE = 8  # threads: hashing gives up the GIL, and one alone is slower than a disk
_SETTLED = 2.0  # seconds after which a file that is written again has another time, on any file system


def fingerprint(*parts: Any) -> str:
    """What identifies a model's outputs, of all that changes them."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def weights_digest(source: Source, commit: str | None) -> str:
    """What the weights are: a local folder's files, with those of an adapter's base, or a hub id at its commit."""
    seen = hashlib.blake2b(digest_size=16)
    if source.folder is None:
        seen.update(f"{source.place}@{commit}/{source.gguf}".encode())
        return seen.hexdigest()
    for file in weight_files(source):
        seen.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        _hash_content(file, seen)
    if (base := adapted(source)) is not None:
        seen.update(weights_digest(base, commit).encode())
    return seen.hexdigest()


def weight_files(source: Source) -> list[Path]:
    """The files of a folder that decide what the model answers."""
    assert source.folder is not None
    if source.gguf is not None:
        return [source.folder / source.gguf]
    found = [p for p in sorted(source.folder.iterdir()) if p.suffix in {".safetensors", ".json", ".bin", ".model"}]
    return [p for p in found if p.name != PROMPTS_FILE]  # it changes what is asked, not what is answered


def adapted(source: Source) -> Source | None:
    """The model that an adapter is put on, where this is one."""
    assert source.folder is not None
    adapter = source.folder / "adapter_config.json"
    if source.gguf is not None or not adapter.is_file():
        return None
    return find(json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"])


class Stamp(NamedTuple):
    """What a file is known by without reading it; times are in nanoseconds."""

    path: str
    size: int
    mtime: int
    inode: int

    @classmethod
    def of(cls, file: Path) -> Self:
        """As the file is now."""
        found = file.stat()
        return cls(str(file.resolve()), found.st_size, found.st_mtime_ns, found.st_ino)

    @property
    def settled(self) -> bool:
        """Whether the file cannot have changed since without its time."""
        return abs(time.time() - self.mtime / 1e9) > _SETTLED


_known: dict[Stamp, bytes] = {}  # digests of large files; a process that loads a model again does not read it again


def _hash_content(file: Path, seen: Any) -> None:
    """Take in a whole file: its bytes, or a digest of its pieces where it is large."""
    stamp = Stamp.of(file)
    if stamp.size <= _WHOLE:
        seen.update(file.read_bytes())
        return
    settled = stamp.settled  # when reading begins
    if (digest := _known.get(stamp)) is None:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            pieces = threads.map(lambda start: _piece(file, start), range(0, stamp.size, _WHOLE))
            digest = hashlib.blake2b(b"".join(pieces), digest_size=16).digest()
        if settled:
            _known[stamp] = digest
    seen.update(digest)


def _piece(file: Path, start: int) -> bytes:
    seen = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        stream.seek(start)
        for _ in range(_WHOLE // _READ):
            seen.update(stream.read(_READ))
    return seen.digest()
