"""`Run`: one strategy on many problems."""

from __future__ import annotations

from collections.abc import Iterator

from tts.metrics.comparison import Comparison
from tts.vocabulary.records import Result


class Run(Comparison):
    """One strategy on many problems: a comparison of one, with its results at hand."""

    @property
    def strategy(self) -> str:
        """The label of the strategy."""
        return self.strategies[0]

    @property
    def answers(self) -> dict[str, str | None]:
        """The final answer by problem id."""
        return {result.problem.id: result.answer for result in self.results}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __getitem__(self, position: int) -> Result:
        return self.rows[position].outcome.results[self.strategy]
