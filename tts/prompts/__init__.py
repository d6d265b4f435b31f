"""Prompts as files: the direct and the refine mode of one model (GSR, arXiv 2509.00084), and templates of one's own.

The wording is ours; the paper gives the parts. A template is a Jinja file, so a user can put any published wording in.
The trainers build their data with these very functions, so what a model is trained on is what it sees later.
"""

from __future__ import annotations

from tts.prompts._template import Template, TemplateSource
from tts.prompts.refine import DIRECT_FIELDS, REFINE_FIELDS, Cut, RefinePrompt, direct_messages, refine_messages

__all__ = [
    "DIRECT_FIELDS",
    "REFINE_FIELDS",
    "Cut",
    "RefinePrompt",
    "Template",
    "TemplateSource",
    "direct_messages",
    "refine_messages",
]
