"""Candidate sets that were sampled in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from tts.contracts.models import Backend
from tts.engine.functions import ModelFunction
from tts.engine.models import model_name
from tts.interop.export import candidates_frame, write_sets
from tts.metrics.completeness import Cut, cut_of
from tts.metrics.missing import Missing, missing_of_sets
from tts.metrics.tables import counted
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import CandidateSet, Sampled, Sampling, Usage


class Samples(Sequence[CandidateSet]):
    """Candidate sets with the gold answers of their problems, in the order of the problems.

    `model` is the model that made them, as it was given, so that a later `tts.compare` refines with the same one.
    """

    def __init__(
        self,
        sampled: Sequence[Sampled],
        model: str | Backend | ModelFunction | None,
        sampling: Sampling | None,
        spent: dict[str, Usage],
    ) -> None:
        self.sampled: list[Sampled] = list(sampled)
        self.model: str | Backend | ModelFunction | None = model
        self.sampling: Sampling | None = sampling
        self.spent: dict[str, Usage] = spent

    @property
    def answers(self) -> dict[str, str | None]:
        """Gold answers by problem id."""
        return {one.candidates.problem.id: one.answer for one in self.sampled}

    def __len__(self) -> int:
        return len(self.sampled)

    @overload
    def __getitem__(self, position: int) -> CandidateSet: ...
    @overload
    def __getitem__(self, position: slice) -> Samples: ...
    def __getitem__(self, position: int | slice) -> CandidateSet | Samples:
        if isinstance(position, slice):
            return Samples(self.sampled[position], self.model, self.sampling, self.spent)
        return self.sampled[position].candidates

    def __repr__(self) -> str:
        sizes = sorted({len(one.candidates) for one in self.sampled})
        of = "an unknown model" if self.model is None else model_name(self.model)
        what = f"Samples: {counted(len(self), 'problem')} × {'/'.join(map(str, sizes)) or 0} candidates of {of}"
        lacking = [str(self.missing)] if self.missing.incomplete else []
        return f"<{'; '.join([what, *lacking, *([str(self.cut)] if self.cut else [])])}>"

    @property
    def missing(self) -> Missing:
        """Which candidates failed or were refused, and why; its `check` raises where that is too much."""
        return missing_of_sets(one.candidates for one in self.sampled)

    @property
    def cut(self) -> Cut | None:
        """How many candidates were cut at the limit of tokens; `None` for none."""
        sampled = [one for each in self.sampled for one in each.candidates if one.error is None]
        return cut_of(sampled, self.sampling.max_tokens if self.sampling else None)

    def save(self, path: str | Path) -> Path:
        """Write .jsonl or .parquet that `tts.compare` and the command line read back."""
        target = Path(path)
        if target.suffix not in (".jsonl", ".parquet"):
            raise ConfigError(f"cannot save candidate sets to {str(path)!r}: the ending must be .jsonl or .parquet")
        write_sets(self.sampled, target)
        return target

    def to_dataframe(self) -> Any:
        """One row per candidate, as a pandas frame."""
        return candidates_frame(self.sampled)
