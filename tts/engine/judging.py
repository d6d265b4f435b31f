"""A backend as a judge: its prompt is a format's, its verdict is read from what it writes."""

from __future__ import annotations

from tts.contracts.models import JudgeFormat
from tts.engine.models import Loaded
from tts.prompts import visible
from tts.prompts.refine import keep_end, share_budget
from tts.vocabulary.errors import BackendError
from tts.vocabulary.records import Candidate, Message, Problem, Sampling, Verdict


def judge_sampling(form: JudgeFormat, seed: int) -> Sampling:
    """How a format's verdicts are drawn in a run of this seed."""
    return Sampling(temperature=form.temperature, top_p=form.top_p, max_tokens=form.max_tokens, seed=seed)


async def judge_prompt(
    form: JudgeFormat, judge: Loaded, problem: Problem, a: Candidate, b: Candidate
) -> tuple[Message, ...]:
    """The format's prompt; where it would leave the judge no room to write, responses keep only their ends.

    The room is `max_tokens`, but at most half the context.
    """
    messages = form.messages(problem, a, b)
    window = judge.model.capabilities.context_length
    if window is None:
        return messages
    texts = [visible(a), visible(b)]
    whole, *counts = await judge.count_tokens(["\n".join(m.content for m in messages), *texts])
    room = window - min(form.max_tokens or window, window // 2)
    if whole <= room:
        return messages
    shares = share_budget(counts, max(room - (whole - sum(counts)), 2))
    cut = []
    for one, text, tokens, share in zip((a, b), texts, counts, shares, strict=True):
        kept = text if tokens <= share else (await keep_end(text, tokens, share, judge.count_tokens))[0]
        cut.append(one.model_copy(update={"text": kept, "thinking": None, "summary": kept}))
    return form.messages(problem, *cut)


def read_verdict(form: JudgeFormat, written: Candidate, problem: Problem) -> Verdict:
    """The verdict in a judge's completion; one without visible text has no winner.

    Raises `BackendError` where there is no completion.
    """
    if written.error is not None:
        raise BackendError(f"the judge failed on problem {problem.id!r}: {written.error}")
    winner = form.read(written.summary) if written.summary else None
    return Verdict(winner=winner, text=written.text, usage=written.usage)
