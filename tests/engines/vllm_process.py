"""A program that uses the engine and ends in one of several ways; says when the engine is at work."""

from __future__ import annotations

import sys

import tts

MODEL = "vllm:miniature@enforce_eager=true,kv_cache_memory_bytes=200M"

if __name__ == "__main__":
    manner = sys.argv[1]
    tts.solve("3+4", model=MODEL, strategy="first", k=1, sampling=tts.Sampling(max_tokens=8))
    print("ready", flush=True)
    if manner == "exception":
        raise RuntimeError("the user's own")
    if manner == "signal":
        tts.run([f"{a}+{a}" for a in range(10**6)], model=MODEL, strategy="majority", k=8)
