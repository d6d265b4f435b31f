"""Prompts as files: solving, refining, judging, synthesizing, templates of one's own.

The wording is ours, the parts are those of GSR (arXiv 2509.00084). A template is a Jinja file, so a user can put any
published wording in. The trainers build their data with these very functions, so what a model is trained on is what it
sees later.
"""

from __future__ import annotations

from tts.prompts._checkpoint import PROMPTS_FILE, Prompts
from tts.prompts._shown import heading, neutralised, quoted, shuffled, visible
from tts.prompts._template import Template, TemplateSource, read_template
from tts.prompts.conversation import in_conversation, transcript
from tts.prompts.judge import JUDGE_FIELDS, Letter, judge_messages, read_verdict
from tts.prompts.refine import (
    CANDIDATE_TOKENS,
    DIRECT_FIELDS,
    REFINE_FIELDS,
    Cut,
    RefinePrompt,
    Summaries,
    direct_messages,
    refine_messages,
    summaries,
)
from tts.prompts.synthesize import SYNTHESIZE_FIELDS, SynthesisPrompt, synthesize_messages

__all__ = [
    "CANDIDATE_TOKENS",
    "DIRECT_FIELDS",
    "JUDGE_FIELDS",
    "PROMPTS_FILE",
    "REFINE_FIELDS",
    "SYNTHESIZE_FIELDS",
    "Cut",
    "Letter",
    "Prompts",
    "RefinePrompt",
    "Summaries",
    "SynthesisPrompt",
    "Template",
    "TemplateSource",
    "direct_messages",
    "heading",
    "in_conversation",
    "judge_messages",
    "neutralised",
    "quoted",
    "read_template",
    "read_verdict",
    "refine_messages",
    "shuffled",
    "summaries",
    "synthesize_messages",
    "transcript",
    "visible",
]
