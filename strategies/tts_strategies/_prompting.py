"""What strategies with a prompt of their own share: templates by name, what is shown of the candidates, outputs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field, field_validator

from tts import BackendError, Candidate, Context, Decision, Message, Strategy
from tts.prompts import CANDIDATE_TOKENS, Cut, Summaries, Template, in_conversation, read_template, shuffled, summaries

_LIST_FIELDS = frozenset({"problem", "candidates"})
_FOLDER = Path(__file__).parent / "templates"

Item = TypeVar("Item")


def template_of(source: str, fields: frozenset[str]) -> Template:
    """One of this package's templates by name, or a Jinja file by path; raises `ConfigError`."""
    return read_template(source, fields, _FOLDER)


class Listed(NamedTuple):
    """A prompt that lists candidates, and what of them it shows; `traced` is what a trace says of both."""

    messages: tuple[Message, ...]
    shown: Summaries
    traced: dict[str, Any]


class Listing(Strategy):
    """Base of strategies whose prompt lists the candidates' summaries, through a template with those two fields."""

    candidate_tokens: int = Field(CANDIDATE_TOKENS, ge=1)
    """Budget for the summary of each candidate, in tokens as the policy counts them, or estimated where there is no
    policy. What short summaries leave goes to long ones; one over its share loses its beginning, and the cut is logged.
    By default that of `gsr`, 6,144 for four (arXiv 2509.00084).
    """

    template: str
    """The prompt: a template of ours by name, or the path of a Jinja file with the fields `problem` and `candidates`.
    """

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        template_of(template, _LIST_FIELDS)
        return template

    @abc.abstractmethod
    def neutralise(self, text: str) -> str:
        """A summary in which nothing can be taken for a marker of the prompt, wherever it is cut."""

    async def listed(self, ctx: Context, candidates: Sequence[Candidate]) -> Listed:
        """The prompt over these candidates, in the order given: the last user message; every cut is logged."""
        template = template_of(self.template, _LIST_FIELDS)
        shown = await show(ctx, candidates, self.candidate_tokens, self.neutralise)
        prompt = template.render(problem=ctx.problem.text, candidates=shown.texts)
        traced = {"order": list(shown.order), "cuts": [cut.model_dump() for cut in shown.cuts]}
        return Listed(in_conversation(ctx.problem, prompt), shown, {"template": template.digest, **traced})


async def usable(ctx: Context) -> list[Candidate]:
    """The usable candidates, in index order; those that failed are logged."""
    found = await ctx.candidates()
    for candidate in found:
        if not candidate.ok:
            ctx.log(f"candidate {candidate.index}: left out: {candidate.error or 'empty'}")
    return list(found.usable)


async def drawn(ctx: Context) -> list[Candidate]:
    """The usable candidates in a seeded order that goes by their texts."""
    return shuffled(await usable(ctx), ctx.rng)


def with_summary(ctx: Context, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that closed their think block and have something to show, all where none has; the others are logged."""
    found = [candidate for candidate in candidates if (candidate.summary or "").strip()] or list(candidates)
    for candidate in candidates:
        if candidate not in found:
            ctx.log(f"candidate {candidate.index}: left out: no summary")
    return found


def nearly_equal(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """As few groups of at most `size` as there can be, of nearly equal size; their order goes by that of the items."""
    count = -(-len(items) // size)
    return [items[start::count] for start in range(count)]


async def show(
    ctx: Context,
    candidates: Sequence[Candidate],
    candidate_tokens: int,
    neutralise: Callable[[str], str],
    names: Sequence[str] = (),
) -> Summaries:
    """`tts.prompts.summaries`, with every cut logged."""
    shown = await summaries(
        candidates, count_tokens=ctx.count_tokens, candidate_tokens=candidate_tokens, neutralise=neutralise
    )
    log_cuts(ctx, shown.cuts, names)
    return shown


def log_cuts(ctx: Context, cuts: Sequence[Cut], names: Sequence[str] = ()) -> None:
    """Say what could not be shown whole; `names` are by index, where those are not the candidates' indices."""
    for cut in cuts:
        what = names[cut.index] if names else f"candidate {cut.index}"
        ctx.log(f"{what}: {cut.action} ({cut.tokens} tokens, {cut.kept} kept)", **cut.model_dump())


def succeeded(outputs: Sequence[Candidate], what: str, ctx: Context) -> list[Candidate]:
    """The completions that did not fail; raises `BackendError` where all did."""
    written = [output for output in outputs if output.error is None]
    if not written:
        raise BackendError(f"no {what} of problem {ctx.problem.id!r} succeeded: {outputs[0].error}")
    return written


def numbered(outputs: Sequence[Candidate]) -> list[Candidate]:
    """Completions of several prompts as one set of candidates."""
    return [candidate.model_copy(update={"index": index}) for index, candidate in enumerate(outputs)]


def decided(outputs: Sequence[Candidate], trace: dict[str, Any]) -> Decision:
    """The first output's summary, empty where its think block was never closed; the rest are alternatives."""
    texts = [output.summary or "" for output in outputs]
    trace["unfinished"] = sum(output.summary is None for output in outputs)
    return Decision(text=texts[0], alternatives=tuple(texts[1:]), trace=trace)
