"""A program that uses the engine and ends in one of several ways; says when the engine is at work."""

from __future__ import annotations

import asyncio
import sys

import psutil

import tts

MODEL = "vllm:miniature@enforce_eager=true,kv_cache_memory_bytes=200M"


async def engines_of_two_roles(model: str) -> int:
    """How many of the engine's processes run while one model both samples and synthesises."""
    async with tts.Engine(model=model, synthesizer=model, sampling=tts.Sampling(max_tokens=8)) as engine:
        await engine.solve("3+4", "synthesizer", 2)
        children = psutil.Process().children(recursive=True)
        return sum("EngineCore" in " ".join([one.name(), *one.cmdline()]) for one in children)


if __name__ == "__main__":
    manner = sys.argv[1]
    if manner == "roles":
        print(asyncio.run(engines_of_two_roles(MODEL)))
        sys.exit()
    tts.solve("3+4", model=MODEL, strategy="first", k=1, sampling=tts.Sampling(max_tokens=8))
    print("ready", flush=True)
    if manner == "exception":
        raise RuntimeError("the user's own")
    if manner == "signal":
        tts.run([f"{a}+{a}" for a in range(10**6)], model=MODEL, strategy="majority", k=8)
