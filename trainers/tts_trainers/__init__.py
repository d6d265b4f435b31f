"""Training on top of TRL, declared as a stranger would declare it."""

from __future__ import annotations

from tts import Entry, hookimpl


@hookimpl
def tts_trainers() -> list[Entry]:
    """The built-in trainers."""
    return [
        Entry(
            name="hybrid",
            target="tts_trainers.hybrid:train",
            extra="ttscale[train]",
            summary="hybrid SFT: direct solving and refinement in one model (arXiv 2509.00084)",
        ),
    ]
