"""transformers in process."""

from __future__ import annotations

from tts_backends.hf.backend import HFBackend

__all__ = ["HFBackend"]
