"""SGLang, started for this run or reached at its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tts_backends.sglang.backend import SGLangBackend

__all__ = ["SGLangBackend"]


def __getattr__(name: str) -> Any:
    """The backend when it is asked for: the engine's own process is of this package, too, and must not load it."""
    if name == "SGLangBackend":
        from tts_backends.sglang.backend import SGLangBackend

        return SGLangBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
