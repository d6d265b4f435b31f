"""Turns: what several processes want of one store is asked for by one of them, in small portions.

A process claims what its model is about to work on, and a little more, so that others find something to claim, too.
It waits for the rest only while it holds nothing that it does not ask for, so no two wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol

from tts.engine.limiter import Limiter, Priority
from tts.store.codec import decode_completion
from tts.store.place import Place
from tts.store.store import Store
from tts.vocabulary.errors import BackendError, StoreError
from tts.vocabulary.records import Completion

AHEAD = 2  # so many times what a model works on at once is claimed: the next is ready when a place is free
Ask = Callable[[Sequence[int]], Coroutine[Any, Any, None]]


class Seeker(Protocol):
    """Who wants completions of one draw."""

    key: str
    priority: Priority

    def will_do(self, completion: Completion) -> bool:
        """Whether a stored completion is what is wanted."""

    def found(self, index: int, completion: Completion) -> None:
        """It is stored."""


class Turns:
    """Completions of a store that are asked for once, whichever process does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ahead: dict[Limiter, Limiter] = {}  # by that of the model
        self._asked: dict[Place, Limiter | None] = {}  # what is asked for here, with what keeps room for it

    def settle(self, key: str, indices: Sequence[int]) -> None:
        """What was asked for here is not any more, whether it came or not."""
        places = [place for at in indices if (place := Place("completion", key, at)) in self._asked]
        for place in places:
            if (ahead := self._asked.pop(place)) is not None:
                ahead.release(1)
        if places:
            with suppress(StoreError):  # a store that is closed holds no claims
                self._store.unclaim(places)

    def asks(self, places: Sequence[Place], ahead: Limiter | None) -> None:
        """These are claimed, and asked for from now on."""
        self._asked.update(dict.fromkeys(places, ahead))

    async def take(self, seeker: Seeker, indices: Sequence[int], limiter: Limiter, ask: Ask) -> None:
        """Have all of them found, or asked for here; who asked elsewhere and stored nothing is replaced here."""
        places = [Place("completion", seeker.key, index) for index in indices]
        ahead = None if seeker.priority[0] == 0 else self._ahead.setdefault(limiter, Limiter(AHEAD * limiter.slots))
        room = await ahead.acquire(len(places), seeker.priority) if ahead is not None else 0
        turn = _Turn(self, self._store, seeker, ask, ahead)
        mine, others = await turn.claim(places, room)
        if not others:
            await turn.asked(mine)
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(turn.guarded(mine))
                while others:
                    await self._store.freed(others)
                    room = await ahead.acquire(len(others), seeker.priority) if ahead is not None else 0
                    mine, others = await turn.claim(others, room)
                    group.create_task(turn.guarded(mine))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None


class _Turn:
    """One seeker's asking; `ahead` limits what is claimed at a time."""

    def __init__(self, turns: Turns, store: Store, seeker: Seeker, ask: Ask, ahead: Limiter | None) -> None:
        self._turns, self._store, self._seeker, self._ask, self._ahead = turns, store, seeker, ask, ahead

    async def claim(self, places: list[Place], room: int) -> tuple[list[Place], list[Place]]:
        """The places to ask for here, for which room is kept, and those that others ask for."""
        mine: list[Place] = []
        try:
            claimed = await self._store.claim(places, self._enough)
            mine = [place for place in places if place in claimed.mine]
        finally:
            self._give_room(room - min(room, len(mine)))
        for place, text in claimed.stored.items():
            self._seeker.found(place.at, decode_completion(text, place.at))
        return mine, [place for place in places if place not in claimed.mine and place not in claimed.stored]

    def _enough(self, text: str) -> bool:
        return self._seeker.will_do(decode_completion(text, 0))

    def _give_room(self, room: int) -> None:
        if self._ahead is not None and room:
            self._ahead.release(room)

    async def asked(self, mine: Sequence[Place]) -> None:
        """Ask for what is claimed; whatever comes of it, it is not claimed any more afterwards."""
        if not mine:
            return
        self._turns.asks(mine, self._ahead)
        indices = [place.at for place in mine]
        try:
            await self._ask(indices)
        finally:
            self._turns.settle(self._seeker.key, indices)

    async def guarded(self, mine: Sequence[Place]) -> None:
        """The same in a task of its own."""
        try:
            await self.asked(mine)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BackendError("a model cancelled its own request") from None
