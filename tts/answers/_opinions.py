"""What several graders say of the same pairs, to find the answers that a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tts.answers._service import Answers

GRADERS = ("math_verify", "numeric")


class Opinions(NamedTuple):
    """Verdicts on one (gold, answer) pair; `None` where a grader has none, or was stopped at its limits.

    `service` is the answers service's, which grades; `string` compares the texts without spaces and delimiters;
    `math_verify` is Math-Verify's own; `numeric` compares values to six digits.
    """

    service: bool
    string: bool
    math_verify: bool | None
    numeric: bool | None

    @property
    def disagree(self) -> bool:
        """Whether somebody contradicts: two texts may differ and be equal, but equal texts are equal."""
        told = {self.service, self.math_verify, self.numeric} - {None}
        return len(told) > 1 or (self.string and False in told)


async def second_opinions(
    pairs: Sequence[tuple[str, str]], *, time_limit: float = 2.0, memory_mb: int = 512
) -> list[Opinions]:
    """Opinions on each (gold, answer), in order; each grader in worker processes of its own, with hard limits."""
    import asyncio

    from tts.answers._pool import Pool

    if not pairs:
        return []
    async with Answers(time_limit=time_limit, memory_mb=memory_mb) as answers:
        service = await answers.grade_many(pairs)
    with ExitStack() as stack:
        told: list[list[bool | None]] = []
        for grader in GRADERS:
            pool = Pool(1, time_limit, memory_mb, grader)
            stack.callback(pool.close)
            parts = await asyncio.gather(*(asyncio.wrap_future(part) for part in pool.submit(pairs)))
            told.append([one.equal if one.outcome == "decided" else None for part in parts for one in part])
    return [
        Opinions(verdict, _bare(gold) == _bare(answer), by_math_verify, by_value)
        for (gold, answer), verdict, by_math_verify, by_value in zip(pairs, service, *told, strict=True)
    ]


def _bare(text: str) -> str:
    return "".join(text.split()).strip("$").rstrip(".")
