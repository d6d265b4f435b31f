"""The contract of every backend, unchanged, on the miniature in two actors."""

from __future__ import annotations

import pytest

pytest.importorskip("ray.exceptions", reason="Ray is not installed: make test-ray")  # `ray` is this folder, too
from tts.testing import BackendContract
from tts_backends.ray import RayBackend


@pytest.fixture(scope="module", autouse=True)
def _up(cluster: str) -> None:
    """Before the class makes its backend."""


class TestOnRay(BackendContract):
    controls = ("<|end|>", "<|assistant|>", "</think>")

    @classmethod
    def make(cls) -> RayBackend:
        return RayBackend("hf:miniature", RayBackend.Options(actors=2, cpus=0.1))
