"""Built-in tasks with their graders.

They are declared as a stranger would declare them; the core finds them by entry point.
"""

from __future__ import annotations

from tts.vocabulary.hooks import Entry, hookimpl

_REASONING_GYM = "ttscale[reasoning-gym]"


@hookimpl
def tts_tasks() -> list[Entry]:
    """The built-in tasks."""
    return [
        Entry(
            name="sums",
            target="tts.tasks.sums:Sums",
            summary="sums of products in words and formulas; what the embedded miniature model can do",
        ),
        Entry(name="aime24", target="tts.tasks.competitions:Aime24", summary="AIME 2024, 30 problems"),
        Entry(name="aime25", target="tts.tasks.competitions:Aime25", summary="AIME 2025, 30 problems"),
        Entry(name="amc22_23", target="tts.tasks.competitions:Amc", summary="AMC 12 of 2022 and 2023, 83 problems"),
        Entry(name="math500", target="tts.tasks.competitions:Math500", summary="500 problems of MATH's test split"),
        Entry(name="gsm8k", target="tts.tasks.competitions:Gsm8k", summary="1,319 word problems, GSM8K's test split"),
        Entry(
            name="olympiadbench",
            target="tts.tasks.olympiadbench:OlympiadBench",
            summary="olympiad problems in English, without pictures: 675 (Qwen2.5-Math's copy) or 674 (the hub's)",
            paper="He et al. 2024, arXiv 2402.14008",
        ),
        Entry(
            name="knights_knaves",
            target="tts.tasks.knights_knaves:KnightsKnaves",
            summary="100 knights-and-knaves puzzles of 4 people, answered freely",
            paper="Xie et al. 2024, arXiv 2410.23123",
        ),
        Entry(
            name="knights_knaves_choice",
            target="tts.tasks.knights_knaves:KnightsKnavesChoice",
            summary="the same puzzles as multiple choice",
            paper="Xie et al. 2024, arXiv 2410.23123",
        ),
        Entry(
            name="reasoning_gym",
            target="tts.tasks.reasoning_gym:ReasoningGym",
            extra=_REASONING_GYM,
            summary="reasoning_gym:NAME, any generator of reasoning-gym, seeded",
            paper="Stojanovski et al. 2025, arXiv 2505.24760",
        ),
        Entry(
            name="table",
            target="tts.tasks.table:Table",
            summary="table:FILE or table:hub:ORG/NAME, any table of problems, with column names, grader and tolerance",
        ),
    ]


@hookimpl
def tts_graders() -> list[Entry]:
    """What grades the tasks besides `math`."""
    return [
        Entry(name="choice", target="tts.tasks.graders:ChoiceGrader", summary="the letter of a multiple choice"),
        Entry(
            name="numeric",
            target="tts.tasks.graders:NumericGrader",
            summary="a number within the tolerance that the gold answer names: 4.2 ± 0.1",
        ),
        Entry(
            name="answers",
            target="tts.tasks.graders:AnswersGrader",
            summary="several answers in any order, with or without a tolerance",
        ),
        Entry(
            name="assignments",
            target="tts.tasks.knights_knaves:AssignmentsGrader",
            summary="who is a knight and who a knave",
        ),
        Entry(
            name="reasoning_gym",
            target="tts.tasks.reasoning_gym:ReasoningGymGrader",
            extra=_REASONING_GYM,
            summary="the generator's own score",
        ),
    ]


@hookimpl
def tts_extractors() -> list[Entry]:
    """What finds answers that are no mathematics."""
    return [
        Entry(
            name="assignments",
            target="tts.tasks.knights_knaves:assignments",
            summary="who is said to be a knight and who a knave",
        ),
    ]
