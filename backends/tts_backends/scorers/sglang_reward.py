"""Scalar reward models on SGLang's `/classify`: an engine that is started for this run, or servers that run already."""

from __future__ import annotations

import asyncio
import json
import math
import weakref
from collections.abc import Sequence

from pydantic import BaseModel

from tts import (
    BackendError,
    BackendUnavailable,
    Candidate,
    ConfigError,
    ContextLengthError,
    Problem,
    Score,
    Usage,
    run_sync,
)
from tts_backends.checkpoints.conversation import conversation
from tts_backends.foreign import in_thread
from tts_backends.openai.errors import Trouble, unreadable
from tts_backends.openai.server import Server
from tts_backends.sglang import serve as sglang_serve
from tts_backends.sglang.serve import serve

__all__ = ["SGLangReward"]

_ENGINE = {"log_level": "error", "is_embedding": "true"}


class SGLangReward:
    """Every classifier with one label that SGLang runs, as `hf-reward` reads them; options are those of `sglang:`.

    A conversation is the problem (user) and the response without its thinking (assistant), through the model's chat
    template, without a system message; the score is the head's output. Special tokens in them are read as plain text.
    A response too long for the model keeps its end.
    """

    Options: type[BaseModel] = sglang_serve.Options

    def __init__(self, model: str, options: sglang_serve.Options) -> None:
        """Start the engine, or find the servers.

        Raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`.
        """
        self._name = f"sglang-reward:{model}"
        self._served = serve(self._name, model, options, _ENGINE)
        process = self._served.process
        self._stop = weakref.finalize(self, process.stop) if process else None  # also at exit
        self._window = self._served.facts.context - 1  # as SGLang counts it, one more would be too long
        self.fingerprint = self._served.fingerprint(options)
        try:
            run_sync(self._tried)
        except BaseException:
            if self._stop is not None:
                self._stop()
            raise

    def outdated(self) -> bool:
        """Whether the files of an engine of its own have changed since it was started."""
        return self._served.files is not None and self._served.files.changed()

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """A score for each response; see `tts.Scorer`."""

        def encoded() -> list[list[int]]:
            return [
                conversation(self._served.chat, self._window, self._name, problem, response) for response in responses
            ]

        read = await in_thread(encoded)
        values = await asyncio.gather(*(self._classified(ids) for ids in read))
        heads = [value for (value,) in values]
        if not all(map(math.isfinite, heads)):
            raise BackendError(f"{self._name!r} gave a score that is no number; try dtype=float32")
        return [
            Score(value=value, usage=Usage(calls=1, prompt_tokens=len(ids)))
            for value, ids in zip(heads, read, strict=True)
        ]

    async def aclose(self) -> None:
        """End the engine where it is ours, and the connections; scores that are under way fail."""
        await self._served.pool.aclose()
        if self._stop is not None:
            await asyncio.to_thread(self._stop)

    async def _tried(self) -> None:
        """Score three tokens; raises `ConfigError` where that does not bring one number."""
        try:
            outputs = len(await self._classified(self._served.chat.token_ids("1 2")))
        except BackendUnavailable:
            raise
        except BackendError as error:
            raise ConfigError(f"{self._name!r} is no reward model that can be asked: {error}") from error
        finally:
            await self._served.pool.release()
        if outputs != 1:
            raise ConfigError(f"{self._name!r} is no reward model: it gives {outputs} numbers and should give one")

    async def _classified(self, ids: list[int]) -> list[float]:
        """What the head of the classifier says of these tokens."""
        pool = self._served.pool
        link = await pool.link()
        body = json.dumps({"input_ids": ids}).encode()

        async def once(server: Server) -> list[float]:
            said = await link.post(server, "/../classify", body)
            try:
                return [float(value) for value in said["embedding"]]
            except (ValueError, KeyError, TypeError):
                raise unreadable(repr(said).encode(), server.address.base) from None

        def refit(trouble: Trouble) -> bool:
            if trouble.overflow is None:
                return False
            raise ContextLengthError(len(ids), self._window, self._name)

        return await pool.persist(link, once, refit)
