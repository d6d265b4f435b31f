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
    replies = "the tools that are called, or the JSON value that is all of it, written alike; else as auto"
    written = {
        "json": ("json_value", "the last JSON value, so that equal values are written alike"),
        "code": ("code", "the last fenced block"),
        "text": ("said", "what follows 'answer:', else the box, else the whole visible text"),
    }
    return [
        *(
            Entry(name=name, target=f"tts.answers.extraction:{function.get(name, name)}", summary=summary)
            for name, summary in summaries.items()
        ),
        *(
            Entry(name=name, target=f"tts.answers.written:{target}", summary=summary)
            for name, (target, summary) in written.items()
        ),
        Entry(name="reply", target="tts.answers.reply:reply", summary=replies),
    ]


@hookimpl
def tts_graders() -> list[Entry]:
    """The built-in graders."""
    return [
        Entry(name="math", target="tts.answers.grader:MathGrader", summary="mathematical equality of answers"),
        Entry(name="json", target="tts.answers.written:JsonGrader", summary="equal JSON values"),
        Entry(name="code", target="tts.answers.written:CodeGrader", summary="the same code, but for white space"),
        Entry(
            name="text", target="tts.answers.written:TextGrader", summary="words without case, articles, punctuation"
        ),
    ]
