"""What every backend must hold, of the miniature behind a batch service."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from openai_process import BatchServerProcess

from tts.testing import BackendContract
from tts_backends.openai_batch import OpenAIBatchBackend


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    TestBatch.server.stop()
    TestBatch.folder.cleanup()


class TestBatch(BackendContract):
    controls = ("<|end|>", "<|assistant|>", "</think>")
    folder = tempfile.TemporaryDirectory()
    server = BatchServerProcess("--folder", folder.name, "--model", "hf:miniature", start=False)

    @classmethod
    def setup_class(cls) -> None:
        cls.server.start()
        cls.server.behave(models=("miniature",), context=2048)
        super().setup_class()

    @classmethod
    def make(cls) -> OpenAIBatchBackend:
        options = OpenAIBatchBackend.Options(
            base_url=cls.server.base, ledger=Path(cls.folder.name) / "ledger", gather=0.02, poll=0.12
        )
        return OpenAIBatchBackend("miniature", options)

    def test_a_short_completion_does_not_wait_for_a_long_one(self) -> None:
        """In a batch it does: both are in one file, whose answers come when all are there."""
        before = len(self.server.ran()["batches"])
        long = self.request(self.long_question, n=2, max_tokens=20, temperature=1.5, top_p=1.0)
        found = self.ask_all(long, self.request(max_tokens=1))
        assert [len(one) for one in found] == [2, 1]
        assert len(self.server.ran()["batches"]) == before + 1

    def test_nothing_was_asked_singly_but_what_a_batch_could_not_answer(self) -> None:
        asked = self.server.stats()["asked"]
        assert len(self.ask(self.request("Compute 2*3.", n=3, max_tokens=4))) == 3
        assert self.server.stats()["asked"] == asked
        assert asyncio.run(self.backend.at_work()) in {None, False}
