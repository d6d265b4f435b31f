"""Models the engine can call, declared as a stranger would declare them."""

from __future__ import annotations

from tts import Entry, hookimpl


@hookimpl
def tts_backends() -> list[Entry]:
    """The built-in backends."""
    return [
        Entry(
            name="hf",
            target="tts_backends.hf:HFBackend",
            extra="ttscale[hf]",
            summary="transformers in process: any causal LM of hub or folder, GGUF included; hf:miniature is ours",
        ),
    ]
