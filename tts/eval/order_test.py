"""Contamination by order: whether a model finds a data set likelier in the order in which it was published."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from tts.api.warm_models import WarmModels
from tts.bridge.loop import run_sync
from tts.metrics.tables import Table, counted
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Candidate, Example, Problem

SHUFFLES, SHARD = 99, 10
_PROMPT = Problem(id="canonical-order", prompt="Write out the problems of the collection, one after the other.")


class CanonicalOrder(NamedTuple):
    """How likely a model finds the order in the file beside other orders; prints as a table.

    `likelier` is how much more log-probability per token, in nats, that order has than the mean of the others, over all
    shards; `p` the chance of as much where the model has not seen that order. `cut` says that shards did not fit the
    model, so that what is behind was not read.
    """

    model: str
    problems: int
    shards: int
    shuffles: int
    likelier: float
    p: float
    cut: bool

    def __str__(self) -> str:
        return str(self.table())

    @property
    def least(self) -> float:
        """The smallest p that so many other orders can give."""
        return 1 / (self.shuffles + 1)

    def table(self) -> Table:
        """One row."""
        told = "seen in this order" if self.p <= 0.05 else "cannot tell"
        rows = [[self.model, f"{self.likelier:+.4f}", f"{self.p:.2g}", told]]
        size = f"{counted(self.problems, 'problem')} in {counted(self.shards, 'shard')}"
        notes = [
            f"{size}, each beside {self.shuffles} other orders (arXiv 2310.17623); p is at least {self.least:g}",
            "where it cannot tell, the problems may have been seen all the same, in another order or one by one",
        ]
        if self.cut:
            notes.append("shards did not fit the model and were cut: give fewer problems of each with --shard")
        head = ["model", "likelier by, nats per token", "p", ""]
        return Table("Canonical order: is the order of the file likelier than others?", head, rows, notes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict()


def canonical_order(
    examples: Sequence[Example], model: str, *, shuffles: int = SHUFFLES, shard: int = SHARD, seed: int = 0
) -> CanonicalOrder:
    """Test whether a model has seen a data set in the order of its file (Oren et al. 2023, arXiv 2310.17623).

    Problems in their order, each with its gold answer, are cut into shards; a model that never saw them finds no order
    of a shard likelier than another, whatever the problems are. `model` is a scorer that gives log-probabilities of a
    text, such as `likelihood:NAME`. p is exact: the sum over shards for the order of the file,
    among the sums for as many random orders. Where problems are sorted, or each builds on the last, their order is
    likely without having been seen. Raises `ConfigError` for fewer than two problems, or a model that is no scorer.
    """
    if len(examples) < 2 or shard < 2 or shuffles < 1:
        raise ConfigError(
            f"{counted(len(examples), 'problem')}, shard={shard}, shuffles={shuffles}: an order is of two or more, "
            "beside one or more others"
        )
    texts = [f"{one.problem.text}\n{one.answer}" if one.answer else one.problem.text for one in examples]
    parts = [texts[start : start + shard] for start in range(0, len(texts), shard)]
    parts = [part for part in parts if len(set(part)) > 1]
    rng = random.Random(seed)
    orders = [[part, *(rng.sample(part, len(part)) for _ in range(shuffles))] for part in parts]

    async def work() -> tuple[list[list[float]], bool]:
        async with WarmModels({("scorer", model)}) as models:
            scorer = (await models.get("scorer", model, None)).model
            found = []
            for each in orders:
                scores = await scorer.score(_PROMPT, [_written(i, order) for i, order in enumerate(each)])
                found.append([one.value for one in scores])
            longest = max(parts, key=lambda part: sum(map(len, part)))
            whole, twice = await scorer.score(_PROMPT, [_written(0, longest), _written(1, [*longest, *longest])])
            return found, twice.usage.prompt_tokens <= whole.usage.prompt_tokens

    values, cut = run_sync(work)
    sums = [sum(own[place] for own in values) for place in range(shuffles + 1)]
    others = sum(sums[1:]) / shuffles
    p = (1 + sum(one >= sums[0] for one in sums[1:])) / (shuffles + 1)
    return CanonicalOrder(model, len(texts), len(parts), shuffles, (sums[0] - others) / len(parts), p, cut)


def _written(index: int, order: Sequence[str]) -> Candidate:
    text = "\n\n".join(order)
    return Candidate(index=index, text=text, summary=text)
