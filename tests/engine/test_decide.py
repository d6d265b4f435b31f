"""A strategy whose run is cancelled in the moment in which it fails."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import tts
from tts.engine.decide import Decided, decide


@pytest.mark.parametrize("turns", range(6))
def test_nothing_is_left_for_asyncio_to_complain_of_and_no_cancellation_is_swallowed(turns: int) -> None:
    """Several strategies fail at once where a store does: the first ends the run, the others are cancelled then."""
    complaints: list[Any] = []

    async def main() -> tuple[bool, Decided | None]:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        gate = asyncio.Event()

        class Fails(tts.Strategy):
            name: ClassVar[str] = "fails"

            async def aggregate(self, ctx: tts.Context) -> tts.Decision:
                await gate.wait()
                raise ValueError("no")

        context: Any = SimpleNamespace(
            problem=SimpleNamespace(id="p"), received=(), idle_seconds=lambda: 0.0, patience=SimpleNamespace(cut=None)
        )
        running = asyncio.create_task(decide(Fails(), context, None))
        await asyncio.sleep(0.01)
        gate.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = running.cancel()
        try:
            return cancelled, await running
        except asyncio.CancelledError:
            return cancelled, None

    cancelled, decided = asyncio.run(main())
    gc.collect()
    assert complaints == []
    assert (decided is None) == cancelled
    if decided is not None:
        assert "strategy 'fails' raised ValueError on problem 'p': no" in str(decided.error)
