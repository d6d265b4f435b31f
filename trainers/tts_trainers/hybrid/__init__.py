"""One model that solves problems, then refines candidates (arXiv 2509.00084)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tts_trainers.hybrid.trainer import HybridSFTTrainer

__all__ = ["HybridSFTTrainer"]


def __getattr__(name: str) -> Any:
    """The trainer when it is asked for: recipes, checks and the command must not wait for torch."""
    if name == "HybridSFTTrainer":
        from tts_trainers.hybrid.trainer import HybridSFTTrainer

        return HybridSFTTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
