"""The external synthesizer's prompt: a model reads another model's responses to write the final one.

Format of the CoT-based Synthesizer (arXiv 2501.01668), in our wording.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from tts.prompts._shown import heading, neutralised, quoted, shuffled, visible
from tts.prompts._template import read_template
from tts.prompts.conversation import in_conversation
from tts.vocabulary.record import Record
from tts.vocabulary.records import Candidate, Message, Problem

SYNTHESIZE_FIELDS = frozenset({"problem", "candidates"})
_MARKERS = re.compile(
    r"\[\s*(?:Instruction|The\s+(?:Start|End)\s+of\s+(?:Original\s+Question|AI\s+Responses))\s*\]", re.IGNORECASE
)
# A candidate that writes the prompt's own heading must not look like a further candidate.
_HEADING = heading("Response")


class SynthesisPrompt(Record):
    """A synthesizer prompt with the order of candidates in it (indices)."""

    messages: tuple[Message, ...]
    order: tuple[int, ...]


def synthesize_messages(
    problem: Problem, candidates: Sequence[Candidate], *, rng: random.Random, template: str = "synthesize"
) -> SynthesisPrompt:
    """The prompt over the candidates' visible texts, in random but seeded order: the last user message.

    A candidate without a summary (its think block was never closed) is left out; if none has one, their whole texts are
    shown. The prompt's own markers inside a candidate lose their brackets.
    """
    usable = [c for c in shuffled(candidates, rng) if c.ok]
    shown = [c for c in usable if (c.summary or "").strip()] or usable
    texts = [quoted(neutralised(visible(c), _MARKERS), _HEADING) for c in shown]
    text = read_template(template, SYNTHESIZE_FIELDS).render(problem=problem.text, candidates=texts)
    return SynthesisPrompt(messages=in_conversation(problem, text), order=tuple(c.index for c in shown))
