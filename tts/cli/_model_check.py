"""What one model can do, asked of itself: for `tts doctor --model`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from tts.contracts.models import Capabilities
from tts.engine.engine import Engine
from tts.sources.reading import read_examples
from tts.vocabulary.errors import TTSError
from tts.vocabulary.records import Candidate, Sampling

PROBLEM = "What is 17 + 25? Reason in one or two sentences."
TOKENS = 256  # of a sample answer; a thinking model may be cut, which is said
SAMPLES = 3


class Found(NamedTuple):
    """One line about a model; only what is not `good` is something broken."""

    check: str
    good: bool
    detail: str


def check_model(model: str) -> Iterator[Found]:
    """Load it, or reach its server, and ask it for three answers, twice; what fails is the last line."""
    started = time.monotonic()
    try:
        first, second, capabilities, dropped = asyncio.run(_asked(model))
    except TTSError as error:
        yield Found("model", False, str(error))
        return
    yield Found("model", True, f"{model} answers; {time.monotonic() - started:.1f} s for all that follows")
    yield from _able(capabilities)
    for name, why in dropped.items():
        yield Found(f"sampling: {name}", False, f"is left out: {why}")
    failed = [one for one in first if one.error is not None]
    if failed:
        yield Found("samples", False, f"{len(failed)} of {len(first)} failed: {failed[0].error}")
    same = [one.text for one in first] == [one.text for one in second]
    yield Found("same seed again", True, "the same texts" if same else "other texts: a run is not repeated exactly")
    for one in first:
        if one.error is None:
            yield Found(f"sample {one.index}", True, _told(one))


async def _asked(model: str) -> tuple[list[Candidate], list[Candidate], Capabilities, dict[str, str]]:
    async with Engine(model=model, sampling=Sampling(max_tokens=TOKENS), request_timeout=120) as engine:
        drawn = [await _sampled(engine) for _ in range(2)]
        loaded: Any = engine.loaded_model
        return drawn[0], drawn[1], loaded.capabilities, dict(getattr(loaded, "dropped", None) or {})


async def _sampled(engine: Engine) -> list[Candidate]:
    return [one async for found in engine.sample(read_examples(PROBLEM), SAMPLES) for one in found.candidates]


def _able(found: Capabilities) -> Iterator[Found]:
    yes = {True: "yes", False: "no"}
    yield Found(
        "seeds", True, f"{yes[found.seed]}: one seed gives one text" if found.seed else "no: texts cannot be repeated"
    )
    yield Found("log-probabilities", True, yes[found.logprobs])
    length = "unknown" if found.context_length is None else f"{found.context_length:,} tokens, prompt and response"
    yield Found("context", True, length)
    yield Found("at once", True, f"{found.concurrency} completions")
    trained = "its own, from tts.json" if found.prompts else "the library's (give others with --template)"
    yield Found("prompts", True, trained)


def _told(one: Candidate) -> str:
    text = " ".join((one.summary or one.text).split())
    shown = text if len(text) <= 160 else f"… {text[-160:]}"
    end = ", cut" if one.finish_reason == "length" else ""
    answer = "no answer is found in it" if one.answer is None else f"answer {one.answer!r}"
    return f"{answer} ({one.usage.generated_tokens} tokens{end}): {shown}"
