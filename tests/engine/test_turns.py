"""Turns at completions that several processes want: what becomes of those whose request does not end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tts.engine.limiter import Limiter
from tts.engine.turns import Turns
from tts.store.claims import Claimed
from tts.store.place import Place


class Claims:
    """A store that has nothing and grants everything."""

    def __init__(self) -> None:
        self.given_up: list[Place] = []

    async def claim(self, places: Sequence[Place], _enough: Callable[[str], bool]) -> Claimed:
        return Claimed(set(places), {})

    def unclaim(self, places: Sequence[Place]) -> None:
        self.given_up += places


class Seeker:
    key = "draw"
    priority = (1, 0, 0)

    def will_do(self, _completion: object) -> bool:
        return True

    def found(self, _index: int, _completion: object) -> None: ...


def test_what_is_abandoned_is_claimed_no_more_and_gives_its_room_back() -> None:
    store, asked = Claims(), []

    async def never(indices: Sequence[int]) -> None:
        asked.append(tuple(indices))
        await asyncio.Event().wait()

    async def at_once(indices: Sequence[int]) -> None:
        asked.append(tuple(indices))

    async def main() -> None:
        turns: Any = Turns(store)  # type: ignore[arg-type]  # as much of a store as turns ask for
        limiter = Limiter(1)
        hanging = asyncio.create_task(turns.take(Seeker(), [0, 1], limiter, never))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(turns.take(Seeker(), [2], limiter, at_once))
        await asyncio.sleep(0.01)
        assert asked == [(0, 1)], "there is room for two of one slot"
        turns.settle("draw", [0, 1])
        await asyncio.wait_for(waiting, 5)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)

    asyncio.run(main())
    assert asked == [(0, 1), (2,)]
    assert [place.at for place in store.given_up] == [0, 1, 2], "each once"
