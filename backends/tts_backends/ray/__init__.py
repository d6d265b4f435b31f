"""Models in actors of a Ray cluster."""

from __future__ import annotations

from tts_backends.ray.model import RayBackend, RayJudge, RayScorer

__all__ = ["RayBackend", "RayJudge", "RayScorer"]
