"""A program that uses the engine and ends in one of several ways; says when the engine is at work."""

from __future__ import annotations

import asyncio
import sys

import psutil

import tts
from tts_backends.vllm import steps

MODEL = "vllm:miniature@enforce_eager=true,kv_cache_memory_bytes=200M"


async def engines_of_two_roles(model: str) -> int:
    """How many of the engine's processes run while one model both samples and synthesises."""
    async with tts.Engine(model=model, synthesizer=model, sampling=tts.Sampling(max_tokens=8)) as engine:
        await engine.solve("3+4", "synthesizer", 2)
        children = psutil.Process().children(recursive=True)
        return sum("EngineCore" in " ".join([one.name(), *one.cmdline()]) for one in children)


async def hanging(model: str) -> str:
    """What is said of an engine that works, and of a request whose engine stands still."""
    steps.RECENT = 4.0  # a minute otherwise
    async with tts.Engine(model=model, request_timeout=2.0) as engine:
        await engine.solve("3+4", "first", 1)
        [core] = [one for one in psutil.Process().children(recursive=True) if "EngineCore" in one.name()]
        core.suspend()
        try:
            [sampled] = [
                one async for one in engine.sample([tts.Example(problem=tts.Problem(id="p", prompt="5+6"))], 1)
            ]
        finally:
            core.kill()
    return "; ".join(candidate.error or "it was answered" for candidate in sampled.candidates)


if __name__ == "__main__":
    manner = sys.argv[1]
    if manner == "hangs":
        print(asyncio.run(hanging(MODEL)))
        sys.exit()
    if manner == "roles":
        print(asyncio.run(engines_of_two_roles(MODEL)))
        sys.exit()
    tts.solve("3+4", model=MODEL, strategy="first", k=1, sampling=tts.Sampling(max_tokens=8))
    print("ready", flush=True)
    if manner == "exception":
        raise RuntimeError("the user's own")
    if manner == "signal":
        tts.run([f"{a}+{a}" for a in range(10**6)], model=MODEL, strategy="majority", k=8)
