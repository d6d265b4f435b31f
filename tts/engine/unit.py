"""What the strategies of one problem share: its candidates, its pools of completions, its calls."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tts.answers.forms import Equality
from tts.bridge.left import end
from tts.engine.draws import Draw, Drawer
from tts.engine.instruction import Instruction
from tts.engine.models import Loaded
from tts.engine.pool import STEP, Pool
from tts.engine.work import Work, with_recorded_of
from tts.store.place import Place
from tts.vocabulary.errors import StoreError
from tts.vocabulary.events import Event
from tts.vocabulary.records import Message, Problem, Role, Sampling, Score, Usage, Verdict

Answered = Score | Verdict
Ask = Callable[[list[int]], Awaitable[Sequence[Answered]]]
AGGREGATION = 0  # priority of a strategy's calls: before any sampling
SAMPLING = 1


class Unit:
    """One problem (one group of k candidates) with everything that its strategies share.

    Pools are shared by prompt, so two strategies that make the same call pay it once.
    """

    def __init__(
        self,
        work: Work,
        k: int,
        order: int,
        candidates: Pool,
        *,
        roles: dict[Role, Loaded],
        drawer: Drawer,
        sampling: Sampling,
        answers: Equality,
        instruction: Instruction,
        emit: Callable[[Event], None],
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.work: Work = work
        self.problem: Problem = work.problem
        self.k: int = k
        self.order: int = order
        self.candidates: Pool = candidates
        self.roles: dict[Role, Loaded] = roles
        self.drawer: Drawer = drawer
        self.sampling: Sampling = sampling
        self.answers: Equality = answers
        self.instruction: Instruction = instruction
        self.emit: Callable[[Event], None] = emit
        self.tell: Callable[[str], None] | None = tell  # what is written of the answer
        self.undecided = 0
        self.scores: dict[int, float] = {}  # of the candidates, by index
        self._pools: dict[tuple[str, bool], Pool] = {}
        self._calls: dict[str, tuple[asyncio.Task[list[Any]], int]] = {}
        self._sparing: asyncio.Task[None] | None = None

    def pool(self, role: Role, messages: tuple[Message, ...], sampling: Sampling) -> Pool:
        """The shared pool of one prompt."""
        told = self.instruction.under(messages) if role == "policy" else messages
        draw = Draw(self.problem, role, self.roles[role], told, sampling)
        pool = Pool(self.drawer, draw, (AGGREGATION, self.order))
        return self._pools.setdefault(pool.share, pool)

    async def call(self, keys: Sequence[str], kind: str, parse: Callable[[str], Answered], ask: Ask) -> list[Any]:
        """Scores or verdicts by content key, in order: shared while in flight, stored afterwards.

        `ask` gets the positions that nobody has asked for yet, in one batch.
        """
        fresh = [i for i, key in enumerate(keys) if key not in self._calls and key not in keys[:i]]
        if fresh:
            batch = asyncio.create_task(self._ask([keys[i] for i in fresh], fresh, kind, parse, ask))
            self._calls.update({keys[i]: (batch, place) for place, i in enumerate(fresh)})
        return [(await asyncio.shield(batch))[place] for batch, place in map(self._calls.__getitem__, keys)]

    async def _ask(
        self, keys: list[str], positions: list[int], kind: str, parse: Callable[[str], Answered], ask: Ask
    ) -> list[Answered]:
        store = self.drawer.store
        try:
            stored = await store.read(lambda: {key: store.call(key) for key in keys}) if store else {}
            answers = {key: parse(text) for key, text in stored.items() if text is not None}
            left = {key: position for key, position in zip(keys, positions, strict=True) if key not in answers}
            while left:
                for key, one in (await self._told(left, kind, ask)).items():
                    answers[key] = parse(one) if isinstance(one, str) else one
                left = {key: position for key, position in left.items() if key not in answers}
        except BaseException:
            for key in keys:
                self._calls.pop(key, None)  # whoever asks again tries again
            raise
        return [answers[key] for key in keys]

    async def _told(self, wanted: Mapping[str, int], kind: str, ask: Ask) -> dict[str, str | Answered]:
        """Answers for some of the keys: as the model gives them, or as they are stored, by who was first."""
        store = self.drawer.store
        if store is None:
            return dict(zip(wanted, await self._paid(list(wanted.values()), kind, ask), strict=True))
        places = {Place("call", key): key for key in wanted}
        claimed = await store.claim(list(places))
        found: dict[str, str | Answered] = {place.key: text for place, text in claimed.stored.items()}
        mine = [place for place in places if place in claimed.mine]
        if not (mine or found):
            await store.freed(list(places))
        if mine:
            try:
                fresh = await self._paid([wanted[place.key] for place in mine], kind, ask)
                said = {place.key: one.model_dump_json() for place, one in zip(mine, fresh, strict=True)}
                found.update(await store.keep_calls(kind, self.problem, said))
            finally:
                with suppress(StoreError):  # a store that is closed holds no claims
                    store.unclaim(mine)
        return found

    async def _paid(self, positions: list[int], kind: str, ask: Ask) -> Sequence[Answered]:
        granted = await self.drawer.budget.grant(kind, self.problem, len(positions), Usage(), whole=True)
        try:
            answers = await ask(positions)
            for answer in answers:
                self.drawer.charge(kind, answer.usage, self.problem)
                granted.came(kind, answer.usage)
        finally:
            granted.close()
        return answers

    def reordered(self, order: Sequence[int]) -> Unit:
        """The same problem with its k candidates in another order, indexed anew.

        It shares the calls of this one, and what its strategies have to tell is not told again.
        """
        arrived = {candidate.index: candidate for candidate in self.candidates.arrived}
        members = [arrived[index] for index in order]
        fixed = [one.model_copy(update={"index": place}) for place, one in enumerate(members)]
        other = copy.copy(self)
        other.problem = with_recorded_of(self.problem, members)
        other.candidates = Pool(self.drawer, self.candidates.draw, (AGGREGATION, self.order), fixed=fixed)
        other.emit, other.undecided, other.scores = lambda _event: None, 0, {}
        return other

    def spare(self) -> None:
        """Cancel the candidates that are still on their way, where nobody else may want them."""
        if self._sparing is None and self.undecided == 1 and self.candidates.users <= 1:
            self._sparing = asyncio.create_task(self.candidates.cancel())

    async def aclose(self) -> None:
        """Cancel whatever is still running for this problem."""
        if self._sparing is not None:
            await self._sparing
        for pool in self._pools.values():
            await pool.cancel()
        await end({call for call, _ in self._calls.values()}, f"a call for problem {self.problem.id!r}", STEP)
