"""What strategies with a prompt of their own share: templates by name, what of the candidates is shown, and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tts import BackendError, Candidate, Context, Decision
from tts.prompts import Summaries, Template, read_template, shuffled, summaries

LIST_FIELDS = frozenset({"problem", "candidates"})
_FOLDER = Path(__file__).parent / "templates"


def template_of(source: str, fields: frozenset[str]) -> Template:
    """One of this package's templates by name, or a Jinja file by path; raises `ConfigError`."""
    return read_template(source, fields, _FOLDER)


async def drawn(ctx: Context) -> list[Candidate]:
    """The usable candidates in a seeded order that goes by their texts; those that failed are logged."""
    found = await ctx.candidates()
    for candidate in found:
        if not candidate.ok:
            ctx.log(f"candidate {candidate.index}: left out: {candidate.error or 'empty'}")
    return shuffled(found.usable, ctx.rng)


async def show(
    ctx: Context, candidates: Sequence[Candidate], candidate_tokens: int, neutralise: Callable[[str], str]
) -> Summaries:
    """`tts.prompts.summaries`, with every cut logged."""
    shown = await summaries(
        candidates, count_tokens=ctx.count_tokens, candidate_tokens=candidate_tokens, neutralise=neutralise
    )
    for cut in shown.cuts:
        ctx.log(f"candidate {cut.index}: {cut.action} ({cut.tokens} tokens, {cut.kept} kept)", **cut.model_dump())
    return shown


def traced(shown: Summaries) -> dict[str, Any]:
    """What a trace says of what was shown: indices in the prompt's order, and cuts."""
    return {"order": list(shown.order), "cuts": [cut.model_dump() for cut in shown.cuts]}


def succeeded(outputs: Sequence[Candidate], what: str, ctx: Context) -> list[Candidate]:
    """The completions that did not fail; raises `BackendError` where all did."""
    written = [output for output in outputs if output.error is None]
    if not written:
        raise BackendError(f"no {what} of problem {ctx.problem.id!r} succeeded: {outputs[0].error}")
    return written


def decided(outputs: Sequence[Candidate], trace: dict[str, Any]) -> Decision:
    """The first output's summary, empty where its think block was never closed; the rest are alternatives."""
    texts = [output.summary or "" for output in outputs]
    trace["unfinished"] = sum(output.summary is None for output in outputs)
    return Decision(text=texts[0], alternatives=tuple(texts[1:]), trace=trace)
