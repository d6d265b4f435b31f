"""The two modes of GSR as chat messages: solve directly, or refine one's own candidates (arXiv 2509.00084, section 3).

The refiner sees summaries only, each cut to its share of a token budget, in random but seeded order.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

from tts.prompts._shown import heading, neutralised, quoted, shuffled
from tts.prompts._template import Template, TemplateSource, read_template
from tts.prompts.conversation import in_conversation
from tts.vocabulary.record import Record
from tts.vocabulary.records import Candidate, Message, Problem

DIRECT_FIELDS = frozenset({"problem"})
REFINE_FIELDS = frozenset({"problem", "candidates"})
CANDIDATE_TOKENS = 1536  # the paper's 6,144 for four
# A candidate that writes the prompt's own heading must not look like a further candidate.
_HEADING = heading("Candidate Response")

CountTokens = Callable[[Sequence[str]], Awaitable[list[int]]]


class Cut(Record):
    """What the planner did to one candidate: cut it to its budget, or left it out."""

    index: int
    action: str
    tokens: int
    kept: int


class Summaries(Record):
    """What a prompt shows of candidates: texts, their indices in the same order, and what had to be cut."""

    texts: tuple[str, ...]
    order: tuple[int, ...]
    cuts: tuple[Cut, ...]


class RefinePrompt(Record):
    """A refine prompt with the order of candidates in it (indices) and what had to be cut."""

    messages: tuple[Message, ...]
    order: tuple[int, ...]
    cuts: tuple[Cut, ...]


def direct_messages(problem: Problem, template: TemplateSource | Template = "direct") -> tuple[Message, ...]:
    """The direct-solving prompt: one user message, no system prompt; a problem given as messages is sent as it is."""
    if problem.messages is not None:
        return problem.messages
    return (Message(role="user", content=read_template(template, DIRECT_FIELDS).render(problem=problem.text)),)


async def refine_messages(
    problem: Problem,
    candidates: Sequence[Candidate],
    *,
    rng: random.Random,
    count_tokens: CountTokens,
    candidate_tokens: int = CANDIDATE_TOKENS,
    template: TemplateSource | Template = "refine",
) -> RefinePrompt:
    """The refine prompt over the candidates' `summaries`, in random but seeded order.

    Of a problem given as messages the earlier turns come before it as they are.
    """
    shown = await summaries(
        shuffled(candidates, rng),
        count_tokens=count_tokens,
        candidate_tokens=candidate_tokens,
        neutralise=lambda text: quoted(neutralised(text), _HEADING),
    )
    texts = [_HEADING.sub(r"\1", text) for text in shown.texts]  # a cut may bring a heading to the start of a line
    text = read_template(template, REFINE_FIELDS).render(problem=problem.text, candidates=texts)
    return RefinePrompt(messages=in_conversation(problem, text), order=shown.order, cuts=shown.cuts)


async def summaries(
    candidates: Sequence[Candidate],
    *,
    count_tokens: CountTokens,
    neutralise: Callable[[str], str],
    candidate_tokens: int = CANDIDATE_TOKENS,
) -> Summaries:
    """The usable candidates' summaries, in the order given, within a budget of tokens.

    The budget is `candidate_tokens` times the number of candidates shown; what a short summary leaves is given to the
    long ones. A summary over its share loses its beginning, because the end holds the answer. A candidate without a
    summary (its think block was never closed) or with an empty one is left out; if no candidate has one, the ends of
    their texts are shown instead. Every cut is returned. `neutralise` takes their meaning from a prompt's markers in a
    text; it comes before the cut, so a marker must be one wherever it stands.
    """
    usable = [c for c in candidates if c.ok]
    shown = [c for c in usable if (c.summary or "").strip()]
    left_out, action = {c.index for c in candidates} - {c.index for c in shown}, "left out: no summary"
    if not shown:
        shown, action = usable, "no candidate has a summary: the end of its text is shown"
    cuts = [Cut(index=i, action=action, tokens=0, kept=0) for i in sorted(left_out)]
    texts = [neutralise((c.summary or c.text).strip()) for c in shown]
    counts = await count_tokens(texts) if texts else []
    shares = share_budget(counts, candidate_tokens * len(texts))
    for position, (candidate, tokens, share) in enumerate(zip(shown, counts, shares, strict=True)):
        if tokens > share:
            texts[position], kept = await keep_end(texts[position], tokens, share, count_tokens)
            cuts.append(Cut(index=candidate.index, action="beginning cut", tokens=tokens, kept=kept))
    return Summaries(texts=tuple(texts), order=tuple(c.index for c in shown), cuts=tuple(cuts))


def share_budget(counts: Sequence[int], budget: int) -> list[int]:
    """Max-min fair shares of `budget` tokens: nobody gets more than it asks, what is left goes to those over theirs."""
    shares = [0] * len(counts)
    left = budget
    order = sorted(range(len(counts)), key=counts.__getitem__)
    for rank, position in enumerate(order):
        shares[position] = min(counts[position], left // (len(order) - rank))
        left -= shares[position]
    return shares


async def keep_end(text: str, tokens: int, limit: int, count_tokens: CountTokens) -> tuple[str, int]:
    """The longest end of `text` within `limit` tokens (to within 2 %), with its token count."""
    low, high = 0, len(text)  # characters kept: `low` fits, `high` does not
    guess = len(text) * limit // max(tokens, 1)
    best, best_tokens = "", 0
    for _ in range(8):
        kept = text[len(text) - guess :]
        (count,) = await count_tokens([kept])
        if count <= limit:
            low, best, best_tokens = guess, kept, count
            if count >= 0.98 * limit:
                break
        else:
            high = guess
        guess = (low + high) // 2
    return best, best_tokens
