"""One suite, unchanged, on two backends: transformers in process, and the same model behind a server."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiohttp")

import torch
from openai_process import ServerProcess

from tts.testing import BackendContract
from tts_backends.hf import HFBackend
from tts_backends.openai import OpenAIBackend

CONTROLS = ("<|end|>", "<|assistant|>", "</think>")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    OnServer.server.stop()


class TestHF(BackendContract):
    controls = CONTROLS

    @classmethod
    def make(cls) -> HFBackend:
        return HFBackend("miniature", HFBackend.Options())

    def running(self) -> int | None:
        return len(self.backend._batcher._live)


class OnServer(BackendContract):
    """The miniature behind a server in another process, which tells its reasoning apart and logs what runs."""

    controls = CONTROLS
    options: dict[str, Any] = {}
    server = ServerProcess("--model", "hf:miniature", start=False)

    @classmethod
    def setup_class(cls) -> None:
        cls.server.start()
        cls.server.behave(models=("miniature",), context=2048)
        super().setup_class()

    @classmethod
    def make(cls) -> OpenAIBackend:
        return OpenAIBackend("miniature", OpenAIBackend.Options(base_url=cls.server.base, **cls.options))

    def running(self) -> int | None:
        return self.server.stats()["running"]

    def test_the_server_was_probed(self) -> None:
        can = self.backend.capabilities
        assert (can.seed, can.logprobs, can.exact_token_counts, can.context_length) == (True, True, True, 2048)


class TestServer(OnServer):
    pass


class TestStream(OnServer):
    options = {"stream": True}
