"""Training on top of TRL, of models that refine, score, judge or synthesize.

Its commands are declared as a stranger would declare them.
"""

from __future__ import annotations

from tts import Entry, hookimpl

_EXTRA = "ttscale[train]"


@hookimpl
def tts_trainers() -> list[Entry]:
    """The built-in trainers."""
    return [
        Entry(
            name="hybrid",
            target="tts_trainers.hybrid.run:train_hybrid",
            extra=_EXTRA,
            summary="hybrid SFT: direct solving and refinement in one model (arXiv 2509.00084)",
        ),
    ]


@hookimpl
def tts_commands() -> list[Entry]:
    """`tts train-data`, `tts train` and `tts paper`."""
    return [
        Entry(
            name="train-data",
            target="tts_trainers.data.cli:command",
            extra=_EXTRA,
            summary="training rows from raw problems: filter, sample, choose, augment, ask a teacher, split",
        ),
        Entry(
            name="train",
            target="tts_trainers.cli:command",
            extra=_EXTRA,
            summary="train a model that refines, a reward model, a judge or a synthesizer",
        ),
        Entry(
            name="paper",
            target="tts_trainers.replica.command:command",
            extra=_EXTRA,
            summary="a table or figure of the GSR paper on small models, the published numbers beside it",
        ),
    ]
