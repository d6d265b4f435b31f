"""Built-in tasks, declared as a stranger would declare them; the core finds them through the entry point."""

from __future__ import annotations

from tts._hooks import Entry, hookimpl


@hookimpl
def tts_tasks() -> list[Entry]:
    """The built-in tasks."""
    return [
        Entry(
            name="sums",
            target="tts.tasks.sums:Sums",
            summary="sums of products in words and formulas; what the embedded miniature model can do",
        ),
    ]
