"""What a server can do, found out by asking it: some requests of a few tokens, once, when the model is loaded."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from tts import BackendError, BackendUnavailable, ConfigError, Message
from tts_backends.openai.errors import Trouble
from tts_backends.openai.link import Link
from tts_backends.openai.server import Server
from tts_backends.openai.wire import Dialect, Wire, names

# Random letters, so that two completions are equal only where the seed makes them so.
_QUESTION = (Message(role="user", content="Write 40 random letters and digits, nothing else."),)
_TOKENS = 24
_PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds between attempts
_LONGEST_WAIT = 30.0
PROBE_SECONDS = 600.0  # for everything: a server may load its model first


async def probe(link: Link, wire: Wire, context: int | None) -> Dialect:
    """Ask the first server that is there; the others are taken to be like it, but must be of the same model.

    Raises `BackendUnavailable` where none is there, `ConfigError` where the model, the address or the key is wrong.
    """
    lists = await asyncio.gather(*(_models(link, server) for server in link.servers))
    there = [server for server in link.servers if server.up]
    if not there:
        raise BackendUnavailable(f"{link.last}; start the server, or give another @base_url=", retryable=False)
    prober = _Prober(link, there[0], wire)
    listed = next((found for server, found in zip(link.servers, lists, strict=True) if server is there[0]), [])
    limit, features = await prober.understood(listed)
    others = zip(there[1:], [f for s, f in zip(link.servers, lists, strict=True) if s in there[1:]], strict=True)
    await asyncio.gather(*(_Prober(link, other, wire).plain(limit, models) for other, models in others))
    card = _card(listed, wire.model)
    found = context or _context(card)
    return Dialect(
        n="n" in features,
        seed="seed" in features and await prober.seeds(limit),
        logprobs="logprobs" in features,
        usage=prober.usage,
        reasoning=prober.reasoning,
        tokenize=await tokens(link, there[0], wire.model, "1 2") is not None,
        limit=limit,
        context=found,
        identity=json.dumps([card.get("root"), card.get("meta")], sort_keys=True),
    )


async def tokens(link: Link, server: Server, model: str, text: str) -> int | None:
    """Tokens of a text by the server's own `/tokenize` (vLLM, SGLang, llama.cpp); `None` where it has none."""
    body = {"model": model, "prompt": text, "content": text, "add_special_tokens": False}
    try:
        found = await link.post(server, "/../tokenize", json.dumps(body).encode())
        return int(found["count"]) if "count" in found else len(found["tokens"])
    except (Trouble, KeyError, TypeError, ValueError):
        return None


async def _models(link: Link, server: Server) -> list[dict[str, Any]]:
    """The server's list of models; empty where it gives none, and the server is retired where it is not there."""
    try:
        found = json.loads(await link.get(server, "/models"))
        return [card for card in found["data"] if isinstance(card, dict)]
    except Trouble as trouble:
        link.last = str(trouble)
        if trouble.unreachable:
            link.retire(server)
        elif trouble.status in {401, 403}:
            raise ConfigError(str(trouble)) from None
    except (ValueError, KeyError, TypeError):
        pass  # a service without a list may still have the model
    return []


def _card(models: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """What the list says of the model, or of the only one there is: llama.cpp serves one under any name."""
    named = [card for card in models if card.get("id") == name]
    return (named or (models if len(models) == 1 else [{}]))[0]


def _context(card: dict[str, Any]) -> int | None:
    """The context length in tokens, under the names that vLLM, SGLang and OpenRouter give it."""
    for name in ("max_model_len", "context_length"):
        if isinstance(card.get(name), int):
            return int(card[name])
    return None


class _Prober:
    def __init__(self, link: Link, server: Server, wire: Wire) -> None:
        self._link, self._server, self._wire = link, server, wire
        self.usage = self.reasoning = False

    async def understood(
        self, models: list[dict[str, Any]]
    ) -> tuple[Literal["max_tokens", "max_completion_tokens"], set[str]]:
        """The name for the most new tokens, and which of n, seed and logprobs have an effect or are at least accepted.

        All are asked for at once; a server that refuses that is asked for each.
        """
        logprobs = {"logprobs": True if self._wire.api == "chat" else 1}
        wanted: dict[str, dict[str, Any]] = {"n": {"n": 2}, "seed": {"seed": 1}, "logprobs": logprobs}
        try:
            answer = await self._ask("max_tokens", {key: v for part in wanted.values() for key, v in part.items()})
            return "max_tokens", self._shown(answer, set(wanted))
        except Trouble as trouble:
            if trouble.status is None or not 400 <= trouble.status < 500:
                raise self._unusable(trouble, models) from None
        limit = await self.plain("max_tokens", models)
        found: set[str] = set()
        for name, part in wanted.items():
            try:
                found |= self._shown(await self._ask(limit, part), {name})
            except Trouble:
                continue
        return limit, found

    async def plain(
        self, limit: Literal["max_tokens", "max_completion_tokens"], models: list[dict[str, Any]]
    ) -> Literal["max_tokens", "max_completion_tokens"]:
        """The name that a plain request is accepted with; raises `ConfigError` or `BackendUnavailable` otherwise."""
        try:
            await self._ask(limit, {})
            return limit
        except Trouble as trouble:
            if "max_completion_tokens" not in str(trouble) or limit == "max_completion_tokens":
                raise self._unusable(trouble, models) from None
        return await self.plain("max_completion_tokens", models)

    async def seeds(self, limit: str) -> bool:
        """Whether one seed gives one text, and another seed another, beside each other."""
        asked = (self._ask(limit, {"seed": seed}) for seed in (5, 5, 6, 7))
        try:
            one, again, *others = [self._text(answer) for answer in await asyncio.gather(*asked)]
        except Trouble:
            return False
        return one == again and any(one != other for other in others)

    async def _ask(self, limit: str, further: dict[str, Any]) -> dict[str, Any]:
        body = {"model": self._wire.model, **self._wire.prompt(_QUESTION), "temperature": 1.0, limit: _TOKENS}
        written = json.dumps(body | further).encode()
        for pause in _PAUSES:
            try:
                return await self._link.post(self._server, self._wire.path, written)
            except Trouble as trouble:
                if not trouble.error.retryable or trouble.unreachable:
                    raise
                await asyncio.sleep(pause if trouble.after is None else min(trouble.after, _LONGEST_WAIT))
        return await self._link.post(self._server, self._wire.path, written)

    def _shown(self, answer: dict[str, Any], asked: set[str]) -> set[str]:
        """Which of what was asked for can be seen in an answer; a seed cannot, it is tried on its own."""
        try:
            read = self._wire.read(answer, (0, 1), with_logprobs=True)
        except (BackendError, ValueError, KeyError, TypeError):
            return set()
        self.usage = self.usage or bool((answer.get("usage") or {}).get("completion_tokens"))
        self.reasoning = self.reasoning or any(_has_reasoning(choice) for choice in answer["choices"])
        shown = {"seed"} | ({"n"} if len(read) == 2 else set())
        if all(one.logprob is not None for one in read):
            shown.add("logprobs")
        return shown & asked

    def _text(self, answer: dict[str, Any]) -> str:
        try:
            return self._wire.read(answer, (0,), with_logprobs=False)[0].text
        except (BackendError, ValueError, KeyError, TypeError):
            return ""

    def _unusable(self, trouble: Trouble, models: list[dict[str, Any]]) -> ConfigError | BackendUnavailable:
        """The error for a server that does not answer a plain request."""
        known = [str(card["id"]) for card in models if "id" in card]
        if trouble.error.retryable:
            return BackendUnavailable(str(trouble), retryable=False)
        if trouble.status in {400, 404} and known and self._wire.model not in known:
            where = self._server.address.base
            return ConfigError(f"{where} serves no model {self._wire.model!r}; it has {names(known)}")
        return ConfigError(str(trouble))


def _has_reasoning(choice: dict[str, Any]) -> bool:
    message = choice.get("message") or {}
    return bool(message.get("reasoning_content") or message.get("reasoning"))
