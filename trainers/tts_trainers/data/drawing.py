"""Responses of a model, or those that the source recorded in its place, as candidate sets in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import tts
from tts import BackendError, Candidate, CandidateSet, ConfigError, Engine, Example, Problem, Sampled
from tts_trainers.data.recipe import RECORDED, DataRecipe, DrawnSection

BATCH = 50  # sets graded together; also how many are looked at before a run without any sign of success is stopped
_SHOWN = 120  # characters of a response in a message


class Recorded(NamedTuple):
    """A problem or prompt with what counts as its answer, and the responses recorded for it."""

    example: Example
    responses: Sequence[str]


def engine_of(
    section: DrawnSection, recipe: DataRecipe, store: Path, *, template: str | None = None, scorer: str | None = None
) -> Engine:
    """The engine of a student, with its direct template, or of a teacher; no model where responses are recorded."""
    model = None if section.model == RECORDED else section.model
    return Engine(
        model=model,
        scorer=scorer,
        store=store if model or scorer else None,
        sampling=section.sampling(recipe.seed),
        extractor=recipe.label.extractor,
        direct_template=template,
    )


async def batches(
    engine: Engine, section: DrawnSection, items: Iterable[Recorded], extract: Callable[[str], str | None]
) -> AsyncGenerator[list[Sampled], None]:
    """The sets of all items, `BATCH` at a time, in the order in which they are complete."""
    if section.model == RECORDED:
        sets = _all_recorded(items, extract)
    else:
        sets = engine.sample((item.example for item in items), section.n)
    batch: list[Sampled] = []
    async with aclosing(sets):
        async for sampled in sets:
            batch.append(sampled)
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


async def _all_recorded(
    items: Iterable[Recorded], extract: Callable[[str], str | None]
) -> AsyncGenerator[Sampled, None]:
    for item in items:
        yield _recorded(item, extract)
        await asyncio.sleep(0)  # a turn of the loop, in which Ctrl-C is heard


def _recorded(item: Recorded, extract: Callable[[str], str | None]) -> Sampled:
    candidates = []
    for index, text in enumerate(item.responses):
        thinking, summary = tts.split_thinking(text)
        answer = extract(summary) if summary else None
        candidates.append(Candidate(index=index, text=text, thinking=thinking, summary=summary, answer=answer))
    return Sampled(CandidateSet(problem=item.example.problem, candidates=tuple(candidates)), item.example.answer)


def check_answered(sets: Sequence[Sampled], who: str, extractor: str) -> None:
    """Raise where none of the first sets holds an answer: more of the same would be wasted.

    `BackendError` where the model failed on all, `ConfigError` where it answers in another form.
    """
    candidates = [candidate for one in sets for candidate in one.candidates]
    if not candidates or any(candidate.answer is not None for candidate in candidates):
        return
    failed = [candidate.error for candidate in candidates if candidate.error]
    if failed and len(failed) == len(candidates):
        raise BackendError(f"{who} failed on all of the first {len(sets)} problems: {failed[0]}")
    seen = next((" ".join(c.text.split())[-_SHOWN:] for c in candidates if c.ok), "")
    cut = sum(candidate.finish_reason == "length" for candidate in candidates)
    raise ConfigError(
        f"none of {len(candidates)} responses of {who} to the first {len(sets)} problems has an answer that the "
        f"extractor {extractor!r} finds ({cut} were cut at max_tokens; one ends: {seen!r}); use another model, "
        "template or label.extractor"
    )


def target_text(candidate: Candidate) -> str:
    """A response as a training target: with its think block in one form, whatever the backend left of the tags."""
    if candidate.thinking is None or candidate.summary is None:
        return candidate.text
    return f"<think>\n{candidate.thinking}\n</think>\n\n{candidate.summary}"


def problem_of(id_: str, fields: dict[str, object]) -> Problem:
    """A problem as the work file keeps it."""
    return Problem.model_validate({"id": id_, **fields})
