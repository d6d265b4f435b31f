"""Servers with OpenAI's interface."""

from __future__ import annotations

from tts_backends.openai.backend import OpenAIBackend

__all__ = ["OpenAIBackend"]
