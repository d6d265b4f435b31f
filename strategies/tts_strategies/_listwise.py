"""Selection from a numbered list: one prompt shows candidates 0, 1, 2 …, the policy's verdict names one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tts import Candidate, Context, Message
from tts.prompts import Template
from tts_strategies._prompting import show, succeeded, traced


class ListFormat(NamedTuple):
    """How a list is asked about: `neutralise` is for candidates, `read` finds the verdict in a visible text."""

    template: Template
    candidate_tokens: int
    neutralise: Callable[[str], str]
    read: Callable[[str], int | None]


class Pick(NamedTuple):
    """The candidate selected, and how: `said` in the trace has the verdicts, `None` for each that could not be read."""

    chosen: Candidate
    trace: dict[str, Any]


async def pick(ctx: Context, candidates: Sequence[Candidate], form: ListFormat) -> Pick:
    """Let the policy select from the candidates, shown in the order given.

    A verdict that cannot be read, or names no candidate shown, is asked for once more: the next draw of the same
    prompt. After that the candidates vote. A list of one is not asked about.
    """
    shown = await show(ctx, candidates, form.candidate_tokens, form.neutralise)
    by_index = {candidate.index: candidate for candidate in candidates}
    listed = [by_index[index] for index in shown.order]
    if len(listed) == 1:
        return Pick(listed[0], {**traced(shown), "said": [], "by": "only one"})
    prompt = form.template.render(problem=ctx.problem.text, candidates=shown.texts)
    said: list[int | None] = []
    for draw in (1, 2):
        outputs = await ctx.generate([Message(role="user", content=prompt)], draw)
        (output,) = succeeded(outputs[-1:], "selection", ctx)
        number = form.read(output.summary or "")
        if number is not None and number < len(listed):
            return Pick(listed[number], {**traced(shown), "said": [*said, number], "by": "verdict"})
        said.append(None)
    return Pick(await vote(ctx, listed), {**traced(shown), "said": said, "by": "vote"})


async def vote(ctx: Context, candidates: Sequence[Candidate]) -> Candidate:
    """The first member of the largest class of equal answers; the first of all where nobody has an answer.

    Of classes of one size the one that comes first wins, so a seeded order makes a seeded choice.
    """
    labels = (await ctx.cluster([candidate.answer for candidate in candidates])).labels
    sizes = Counter(label for label in labels if label is not None)
    largest = max(sizes.values(), default=0)
    members = (c for c, label in zip(candidates, labels, strict=True) if label is not None and sizes[label] == largest)
    return next(members, candidates[0])


class Counts(NamedTuple):
    """Verdicts asked for and how many of them were invalid; lists asked about and on how many the candidates voted."""

    verdicts: int
    invalid: int
    lists: int
    fallbacks: int

    @classmethod
    def of(cls, picks: Sequence[Pick]) -> Counts:
        """The sums over some picks."""
        said = [verdict for one in picks for verdict in one.trace["said"]]
        how = [one.trace["by"] for one in picks if one.trace["by"] != "only one"]
        return cls(len(said), said.count(None), len(how), how.count("vote"))

    @property
    def rates(self) -> dict[str, tuple[int, int]]:
        """As `tts.Decision` has them."""
        return {"invalid verdicts": (self.invalid, self.verdicts), "votes instead": (self.fallbacks, self.lists)}
