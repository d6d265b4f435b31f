"""What a student or a teacher did not answer, counted by stage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tts import Candidate
from tts.eval import Missing

LOST = "missing candidates"  # in the settings of a stage
WHO = {"prompts": "the student", "answers": "the teacher"}


class Lost:
    """Counts problems and candidates of the stages of one run; only stages that were made now have counts."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, stage: str, candidates: Sequence[Candidate]) -> None:
        """Count one problem, or one prompt of the teacher."""
        errors = [one.error for one in candidates if one.error is not None]
        self._counts[stage].update(problems=1, incomplete=bool(errors), candidates=len(candidates), lost=len(errors))
        self._reasons[stage].update(errors)

    def missing(self, stage: str) -> Missing:
        """What is missing of a stage."""
        counts = self._counts[stage]
        return Missing(
            problems=counts["problems"],
            incomplete=counts["incomplete"],
            candidates=counts["candidates"],
            candidates_missing=counts["lost"],
            reasons=tuple(self._reasons[stage].most_common()),
        )

    def settings(self, stage: str) -> dict[str, Any]:
        """What keeps a stage from counting as made before: it is made anew, and asks for what is missing."""
        missing = self.missing(stage)
        return {LOST: missing.candidates_missing} if missing.candidates_missing else {}
