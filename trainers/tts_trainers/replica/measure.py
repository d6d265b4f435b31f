"""The table of a miniature model: what its candidates hold, what a vote makes of them, and what refining does.

Candidates and refinement are sampled at one temperature, on test problems. Ties of a vote count as the share of the
tied answers that is right.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from pydantic import BaseModel
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tts import Candidate, Example, Message
from tts.prompts import direct_messages, refine_messages
from tts.prompts.refine import CountTokens
from tts_trainers.replica.generate import sample
from tts_trainers.replica.recipe import EvaluationStage
from tts_trainers.replica.student import token_counter


class Bin(BaseModel):
    """Problems with `n_correct` right candidates, and how many are right after voting and after refining."""

    n_correct: int
    problems: int
    majority: float
    refined: int


class Measurement(BaseModel):
    """One model on one set of test problems; shares of problems unless said otherwise."""

    problems: int
    k: int
    temperature: float
    greedy: float
    pass_1: float
    pass_k: float
    maj_k: float
    self_ref_k: float
    bins: list[Bin]


class Outcome(NamedTuple):
    """One problem."""

    n_correct: int
    majority: float
    refined: bool


def measure(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    stage: EvaluationStage,
    seed: int,
) -> Measurement:
    """Sample k candidates and one refinement for each problem, and one greedy answer."""
    direct = [direct_messages(e.problem) for e in examples]
    draw = partial(sample, model, tokenizer, top_p=stage.top_p, max_tokens=stage.max_tokens)
    greedy = draw(direct, n=1, temperature=0.0, seed=seed)
    drawn = draw(direct, n=stage.k, temperature=stage.temperature, seed=seed)
    prompts = refine_prompts(examples, drawn, count_tokens=token_counter(tokenizer), seed=seed)
    refined = draw(prompts, n=1, temperature=stage.temperature, seed=seed + 1)
    outcomes = [
        Outcome(sum(c.answer == e.answer for c in group), vote([c.answer for c in group], e.answer), answer == e.answer)
        for e, group, answer in zip(examples, drawn, [r[0].answer for r in refined], strict=True)
    ]
    right = sum(g[0].answer == e.answer for e, g in zip(examples, greedy, strict=True))
    return summarise(outcomes, greedy=right, k=stage.k, temperature=stage.temperature)


def summarise(outcomes: Sequence[Outcome], *, greedy: int, k: int, temperature: float) -> Measurement:
    """Means over the problems, and one bin for each number of correct candidates."""
    n = len(outcomes)
    return Measurement(
        problems=n,
        k=k,
        temperature=temperature,
        greedy=greedy / n,
        pass_1=sum(o.n_correct for o in outcomes) / (n * k),
        pass_k=sum(o.n_correct > 0 for o in outcomes) / n,
        maj_k=sum(o.majority for o in outcomes) / n,
        self_ref_k=sum(o.refined for o in outcomes) / n,
        bins=[_bin(c, [o for o in outcomes if o.n_correct == c]) for c in range(k + 1)],
    )


def _bin(n_correct: int, outcomes: Sequence[Outcome]) -> Bin:
    return Bin(
        n_correct=n_correct,
        problems=len(outcomes),
        majority=sum(o.majority for o in outcomes),
        refined=sum(o.refined for o in outcomes),
    )


def vote(answers: Sequence[str | None], gold: str | None) -> float:
    """Probability that a majority vote with random ties is right."""
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return 0.0
    top = max(counts.values())
    tied = [answer for answer, count in counts.items() if count == top]
    return (gold in tied) / len(tied)


def refine_prompts(
    examples: Sequence[Example], drawn: Sequence[Sequence[Candidate]], *, count_tokens: CountTokens, seed: int
) -> list[tuple[Message, ...]]:
    """The refine prompt of each problem; where no candidate has a summary, it shows none."""

    async def build() -> list[tuple[Message, ...]]:
        rng = random.Random(seed)
        return [
            (await refine_messages(e.problem, group, rng=rng, count_tokens=count_tokens)).messages
            for e, group in zip(examples, drawn, strict=True)
        ]

    return asyncio.run(build())


def as_markdown(measured: dict[str, Measurement]) -> str:
    """One row per model; the last columns are right after refining (after voting) of the problems with N_c = 0 … k."""
    k = next(iter(measured.values())).k
    heads = [
        "model",
        "greedy",
        "pass@1",
        f"pass@{k}",
        f"maj@{k}",
        f"selfRef@{k}",
        "gap",
        *(f"N_c = {c}" for c in range(k + 1)),
    ]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for name, m in measured.items():
        rates = [f"{x:.3f}" for x in (m.greedy, m.pass_1, m.pass_k, m.maj_k, m.self_ref_k)]
        bins = [f"{b.refined} of {b.problems} (maj {b.majority:.3g})" for b in m.bins]
        lines.append(" | ".join([name, *rates, f"{m.self_ref_k - m.maj_k:+.3f}", *bins]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"
