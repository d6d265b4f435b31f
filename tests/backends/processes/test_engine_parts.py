"""What in-process engines share, and what they say where the engine is not installed."""

from __future__ import annotations

import asyncio
import importlib.util
import threading

import pytest

import tts
from tts_backends.processes.loop_thread import LoopThread


def test_coroutines_of_any_thread_run_on_the_one_loop() -> None:
    thread = LoopThread("test-loop")

    async def where() -> tuple[str, asyncio.AbstractEventLoop]:
        return threading.current_thread().name, asyncio.get_running_loop()

    async def main() -> tuple[str, asyncio.AbstractEventLoop]:
        return await asyncio.wrap_future(thread.submit(where()))

    found = [asyncio.run(main()), thread.submit(where()).result(), asyncio.run(main())]
    thread.stop()
    assert {name for name, _ in found} == {"test-loop"}
    assert len({loop for _, loop in found}) == 1


def test_stopping_cancels_what_runs_and_ends_the_thread() -> None:
    thread = LoopThread("test-loop")
    begun, seen = threading.Event(), []

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append("cleaned up")

    thread.submit(forever())
    assert begun.wait(60)
    thread.stop()
    thread.stop()
    assert seen == ["cleaned up"]
    assert "test-loop" not in {t.name for t in threading.enumerate()}


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_engine_is_one_sentence() -> None:
    with pytest.raises(tts.MissingDependencyError, match=r"pip install 'ttscale\[vllm\]'") as caught:
        tts.solve("1+1", model="vllm:miniature@tensor_parallel_size=2")
    assert "\n" not in str(caught.value)
