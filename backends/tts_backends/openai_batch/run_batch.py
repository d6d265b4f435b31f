"""Files of requests that a program of the user's answers, such as `vllm run-batch`."""

from __future__ import annotations

import logging

from tts_backends.openai_batch.entry import Entry, State
from tts_backends.openai_batch.service import Look

_log = logging.getLogger("tts")


class RunBatch:
    """Waits for files of answers; a batch is over when its file answers every request."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._seen: dict[str, tuple[float, int]] = {}  # size of the answers with how many there were

    async def send(self, entry: Entry) -> State:
        """Say what is to be run."""
        _log.warning(
            "%d requests wait to be answered by: vllm run-batch -i %s -o %s --model %s",
            len(entry.ids), entry.requests, entry.answers, self._model,
        )  # fmt: skip
        return entry.note(batch=entry.name)

    async def look(self, entry: Entry) -> Look:
        """How many answers there are."""
        total = len(entry.ids)
        try:
            size = entry.answers.stat().st_size
        except FileNotFoundError:
            return Look("waiting", 0, total)
        if self._seen.get(entry.name, (-1, 0))[0] != size:
            self._seen[entry.name] = size, len(entry.answers_to(set(entry.ids)))
        done = self._seen[entry.name][1]
        return Look("completed" if done == total else "in_progress", done, total)

    async def fetch(self, entry: Entry, look: Look) -> None:
        """They are where they are wanted."""
