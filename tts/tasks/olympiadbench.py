"""OlympiadBench, English mathematics without pictures (He et al. 2024, arXiv 2402.14008).

Decisions:
* There are two editions. The hub's configuration OE_TO_maths_en_COMP has 674 problems; the copy that most papers
  evaluate on, GSR's among them, came with Qwen2.5-Math and has 675: one more of the type "Expression". Both are read;
  the number of problems of a run says which it was.
* A gold answer keeps the tolerance that the data set gives for it: `4.2 ± 1e-1`. The grader is `answers`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tts.rows.columns import gold
from tts.rows.files import Row
from tts.tasks._pinned import Benchmark, Pin, text_of
from tts.vocabulary.records import Example, Problem

_KEPT = ("answer_type", "is_multiple_answer", "unit", "subfield")


class OlympiadBench(Benchmark):
    """Olympiad problems with one or several final answers: 675 in Qwen2.5-Math's copy, 674 on the hub."""

    name: ClassVar[str] = "olympiadbench"
    pin: ClassVar[Pin] = Pin(
        hub="Hothan/OlympiadBench",
        split="train",
        revision="91184b52131e7fc9455fef848035173aea8cc01a",
        checksums={675: "46d85624f895c286", 674: None},
        config="OE_TO_maths_en_COMP",
        files=("olympiadbench_math_en", "OE_TO_maths_en_COMP"),
    )

    grader: str = "answers"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default `answers`: several of them in any order, within the tolerance that the data set gives.
    """

    def example(self, row: Row, position: int) -> Example:
        """The hub's columns, or those of a normalised copy (`problem` for `question`)."""
        question, answer = text_of(row, "question", "problem"), gold(row, text_of(row, "final_answer", "answer"))
        metadata = {name: row.value[name] for name in _KEPT if name in row.value}
        name = str(row.value.get("id") or f"olympiadbench-{position}")
        return Example(
            problem=Problem(id=name, prompt=_with_context(row, question), metadata=metadata),
            answer=_with_tolerance(answer, row.value.get("error")),
        )


def _with_context(row: Row, question: str) -> str:
    context = row.value.get("context")
    return f"{context}\n\n{question}" if isinstance(context, str) and context.strip() else question


def _with_tolerance(answer: str | None, error: Any) -> str | None:
    if answer is None or error in (None, "", "null"):
        return answer
    return f"{answer} ± {error}"
