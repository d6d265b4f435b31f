"""The files of a model as they were when it was loaded."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from tts import BackendUnavailable
from tts.prompts import PROMPTS_FILE
from tts_backends.checkpoints.digest import Stamp, adapted, weight_files, weights_digest
from tts_backends.checkpoints.source import Source

_ALSO = {".jinja", ".txt"}  # templates and vocabularies: small, and read when the model is loaded


class CheckpointFiles:
    """Made before a model is loaded; knows afterwards whether its files are still those.

    A file with another time is read again, so that one that was only touched is none that changed. A model of the hub
    has its commit, and no files here but those of the user's that it is given, such as a chat template.
    """

    def __init__(self, source: Source, *given: Path | None) -> None:
        self._source, self._lock = source, threading.Lock()
        self._given = [path.expanduser() for path in given if path is not None]
        self._commit: str | None = None
        self._content = ""
        self._stamps = self._found()

    def _found(self) -> list[Stamp]:
        return _stamps(self._source) + [Stamp.of(path) for path in self._given if path.is_file()]

    def digest(self, commit: str | None) -> str:
        """What the weights are that have just been loaded.

        Raises `BackendUnavailable` where a file has changed meanwhile: nobody can say what was loaded.
        """
        self._commit = commit
        found = weights_digest(self._source, commit)
        self._content = self._described(found)
        if self._found() != self._stamps:
            raise BackendUnavailable(f"{self._source.place!r} has changed while it was loaded", retryable=True)
        return found

    def changed(self) -> bool:
        """Whether what was loaded is not what would be loaded now."""
        with self._lock:
            try:
                stamps = self._found()
                if stamps == self._stamps and all(stamp.settled for stamp in stamps):
                    return False
                same = self._described(weights_digest(self._source, self._commit)) == self._content
            except (OSError, ValueError, KeyError):
                return True  # loading again says what is wrong
            if same:
                self._stamps = stamps
            return not same

    def _described(self, weights: str) -> str:
        seen = hashlib.blake2b(weights.encode(), digest_size=16)
        for file in (*_others(self._source), *filter(Path.is_file, self._given)):
            seen.update(f"\0{file.name}\0".encode() + file.read_bytes())
        return seen.hexdigest()


def _stamps(source: Source) -> list[Stamp]:
    if source.folder is None:
        return []
    base = adapted(source)
    own = [Stamp.of(file) for file in (*weight_files(source), *_others(source))]
    return own + (_stamps(base) if base is not None else [])


def _others(source: Source) -> list[Path]:
    if source.folder is None:
        return []
    return [p for p in sorted(source.folder.iterdir()) if p.suffix in _ALSO or p.name == PROMPTS_FILE]
