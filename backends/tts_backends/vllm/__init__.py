"""vLLM in process."""

from __future__ import annotations

from tts_backends.vllm.backend import VLLMBackend

__all__ = ["VLLMBackend"]
