"""The suite of every backend on the real engine; whether a place is free is read in the engine's own metrics."""

from __future__ import annotations

import pytest

pytest.importorskip("vllm.v1", reason="vLLM has an environment of its own: make test-vllm")
from prometheus_client import REGISTRY

from tts.testing import BackendContract
from tts_backends.vllm import VLLMBackend


class TestVLLM(BackendContract):
    controls = ("<|end|>", "<|assistant|>", "</think>")

    @classmethod
    def make(cls) -> VLLMBackend:
        options = {"enforce_eager": "true", "block_size": "32", "kv_cache_memory_bytes": "200M"}
        return VLLMBackend("miniature", VLLMBackend.Options(**options, disable_log_stats="false"))

    def running(self) -> int | None:
        names = {"vllm:num_requests_running", "vllm:num_requests_waiting"}
        return int(sum(s.value for metric in REGISTRY.collect() for s in metric.samples if s.name in names))
