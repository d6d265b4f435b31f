"""Batch services with OpenAI's interface: files of requests that are answered within a day at half the price."""

from __future__ import annotations

from tts_backends.openai_batch.backend import OpenAIBatchBackend

__all__ = ["OpenAIBatchBackend"]
