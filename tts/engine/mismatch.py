"""One warning where a checkpoint is prompted otherwise than it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from tts.contracts.strategy import Strategy
from tts.engine.models import Loaded
from tts.prompts import DIRECT_FIELDS, TemplateSource, read_template
from tts.vocabulary.errors import MismatchWarning


def warn_of_mismatches(
    policy: Loaded | None, direct_template: TemplateSource | None, strategies: Iterable[Strategy], k: int
) -> None:
    """Say once what the call does otherwise than the policy was trained to; `direct_template` as the user gave it."""
    trained = policy.model.capabilities.prompts if policy else None
    if policy is None or trained is None:
        return
    found = list(dict.fromkeys(mismatch for one in strategies for mismatch in one.mismatches(trained, k)))
    if direct_template and read_template(direct_template, DIRECT_FIELDS).source != trained.direct_template:
        found.insert(0, f"direct_template={direct_template!r} is not the one it was trained on (leave it out)")
    if found:
        sentence = f"{policy.reference!r} is not used as it was trained: {'; '.join(found)}"
        warnings.warn(sentence, MismatchWarning, stacklevel=2)
