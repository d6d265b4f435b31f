"""What a trained helper is measured with: the library's own grader on the checkpoint's own backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import tts
from tts import BackendError, Candidate, Engine, Example, Message, Problem, Sampling, run_sync
from tts.eval import grade_answers
from tts_trainers.runtime.processes import rank

TestT = TypeVar("TestT")
FiguresT = TypeVar("FiguresT")


def measured(tests: Sequence[TestT], measure: Callable[[Sequence[TestT]], FiguresT]) -> FiguresT | None:
    """What the first process measures on the tests, while the others go on; `None` there, and without tests."""
    return measure(tests) if tests and rank() == 0 else None


def grade(
    pairs: Sequence[tuple[str, str | None]], grader: str = "math", problems: Sequence[str] | None = None
) -> list[bool]:
    """One verdict per (gold answer, answer), by a grader as `tts.grader` names it.

    `problems` has the text of each pair's problem, whose wording says how answers are compared.
    """

    async def work() -> list[bool]:
        judge = tts.grader(grader)
        try:
            return await grade_answers(judge, pairs, problems)
        finally:
            await judge.aclose()

    return run_sync(work)


def respond(folder: Path, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Candidate]:
    """One response of a checkpoint folder to each prompt, as a user of it gets them.

    A prompt that fails (too long for the model) gives a candidate with `error`; raises `BackendError` where all do.
    """
    examples = [Example(problem=Problem(id=str(i), messages=tuple(prompt))) for i, prompt in enumerate(prompts)]

    reference = f"hf:{folder.resolve()}"

    async def work() -> dict[str, Candidate]:
        async with Engine(model=reference, sampling=sampling) as engine:
            return {one.candidates.problem.id: one.candidates[0] async for one in engine.sample(examples, k=1)}

    found = run_sync(work)
    responses = [found[example.problem.id] for example in examples]
    if responses and all(response.error is not None for response in responses):
        raise BackendError(f"the trained model answers no prompt: {responses[0].error}")
    return responses
