"""What the room declares as a stranger would declare it: extractors, the mathematical grader."""

from __future__ import annotations

from tts.vocabulary.hooks import Entry, hookimpl


@hookimpl
def tts_extractors() -> list[Entry]:
    """The built-in extractors."""
    summaries = {
        "auto": "the last box, else ####, else 'the answer is', else a choice letter, else the last formula or number",
        "boxed": r"the last \boxed{} with balanced braces",
        "gsm8k": "what follows ####",
        "answer_is": "what follows 'the answer is'",
        "choice": "the letter of a multiple choice",
        "number": "the last plain number",
        "verbatim": "the whole visible text",
    }
    function = {"auto": "extract"}
    return [
        Entry(name=name, target=f"tts.answers.extraction:{function.get(name, name)}", summary=summary)
        for name, summary in summaries.items()
    ]


@hookimpl
def tts_graders() -> list[Entry]:
    """The built-in graders."""
    return [Entry(name="math", target="tts.answers.grader:MathGrader", summary="mathematical equality of answers")]
