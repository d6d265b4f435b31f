"""What a server can do, found out by asking it: some requests of a few tokens, once, when the model is loaded.

No answer to a question of ours ends a run that plain requests would allow. What cannot be found out counts as not
there, and is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from tts import BackendError, BackendUnavailable, ConfigError, Message, Usage
from tts_backends.openai.card import Card, Props
from tts_backends.openai.counts import Counting, counts_first_only, estimate, split_usage, told_written
from tts_backends.openai.errors import Trouble
from tts_backends.openai.habits import Habits
from tts_backends.openai.link import Link
from tts_backends.openai.server import Server
from tts_backends.openai.wire import Dialect, Wire, names

# Random letters, so that two completions are equal only where the seed makes them so.
_QUESTION = (Message(role="user", content="Write 40 random letters and digits, nothing else."),)
_PROMPT = estimate(_QUESTION[0].content)  # tokens
_TOKENS = (24, 2048, None)  # new tokens; a reasoning model may refuse to stop so early
_PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds between attempts
_LIST_PAUSES = (0.1, 0.5)  # seconds between attempts at the list of models
_LONG = 12  # characters from which two texts are not the same by chance
_LIST_SECONDS, _LINE_SECONDS = 10.0, 5.0  # for a list of models; until a line says what is waited for
PROBE_SECONDS = 30.0
"""Seconds without any answer, after which what is not known yet counts as not there."""

_log = logging.getLogger("tts")


class Found(NamedTuple):
    """What is known of the servers; `remarks` are sentences for the user, `spent` is what it has cost to know."""

    dialect: Dialect
    habits: Habits
    remarks: tuple[str, ...]
    spent: Usage


async def probe(link: Link, wire: Wire, context: int | None, seconds: float = PROBE_SECONDS) -> Found:
    """Ask the first server that is well; the others are taken to be like it, but must be of the same model.

    Raises `BackendUnavailable` where none is there, `ConfigError` where the model, the address or the key is wrong.
    """
    prober = _Prober(link, wire, seconds)
    try:
        async with prober.watch:
            await prober.ask_all()
    except TimeoutError:
        prober.give_up()
    return Found(prober.dialect(context), prober.habits, tuple(prober.remarks), Usage.total(prober.spent))


async def tokens(link: Link, server: Server, model: str, text: str) -> int | None:
    """Tokens of a text by the server's own `/tokenize` (vLLM, SGLang, llama.cpp); `None` where it has none."""
    body = {"model": model, "prompt": text, "content": text, "add_special_tokens": False}
    try:
        found = await link.aside(server, "/../tokenize", json.dumps(body).encode())
        return int(found["count"]) if "count" in found else len(found["tokens"])
    except (Trouble, KeyError, TypeError, ValueError):
        return None


class _Prober:
    def __init__(self, link: Link, wire: Wire, seconds: float) -> None:
        self._link, self._wire, self._seconds = link, wire, seconds
        self._loop = asyncio.get_running_loop()
        self.watch = asyncio.timeout(seconds)
        self._waits_for = "its list of models"
        self._trouble: Trouble | None = None
        self._lists: dict[Server, list[dict[str, Any]]] = {}
        self._server = link.servers[0]
        self._most: int | None = _TOKENS[0]
        self._answered = False
        self._features: set[str] = set()
        self._usage = self._reasoning = self._seeds = self._tokenize = self._first_only = False
        self._props = Props({})
        self.habits = Habits()
        self.remarks: list[str] = []
        self.spent: list[Usage] = []

    def dialect(self, context: int | None) -> Dialect:
        """What is known now."""
        card = Card.of(self._lists.get(self._server, []), self._wire.model)
        return Dialect(
            n="n" in self._features,
            seed=self._seeds,
            logprobs="logprobs" in self._features,
            usage=self._usage,
            reasoning=self._reasoning,
            tokenize=self._tokenize,
            context=context or self._props.context or card.context,
            identity=card.identity,
            first_only=self._first_only,
        )

    async def ask_all(self) -> None:
        """Find out everything, the most important first; raises `ConfigError` or `BackendUnavailable`."""
        line = self._loop.call_later(min(_LINE_SECONDS, self._seconds / 2), self._tell)
        try:
            await asyncio.gather(*(self._list(server) for server in self._link.servers))
            there = [server for server in self._link.servers if server.up]
            if not there:
                raise BackendUnavailable(
                    f"{self._link.last}; start the server, or give another @base_url=", retryable=False
                )
            await self._first_well(there)
            await asyncio.gather(*(self._other(server) for server in there if server is not self._server))
            with self._asking("the seeds that it follows"):
                self._seeds = "seed" in self._features and await self._follows_seeds()
            with self._asking("its /tokenize"):
                self._tokenize = await tokens(self._link, self._server, self._wire.model, "1 2") is not None
            if self._tokenize:
                await self._own_sampling()
        finally:
            line.cancel()

    def give_up(self) -> None:
        """The time is over; raises `BackendUnavailable` where all that has come is failures."""
        if not self._answered and self._trouble is not None and self._trouble.status != 429:
            raise BackendUnavailable(str(self._trouble), retryable=False) from None
        where = self._server.address.base
        self.remarks.append(
            f"{where} has not said {self._waits_for} for {self._seconds:g} s; what is not known of it (seeds, "
            "log-probabilities, several completions in one request) counts as not there"
        )

    def _tell(self) -> None:
        _log.warning(
            "openai:%s: waiting for %s to say %s, up to %g s",
            self._wire.model, self._server.address.base, self._waits_for, self._seconds,
        )  # fmt: skip

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        self._waits_for = what
        self._heard()
        yield

    def _heard(self) -> None:
        self.watch.reschedule(self._loop.time() + self._seconds)

    # --- servers ---------------------------------------------------------------------------------------------------

    async def _list(self, server: Server) -> None:
        """The server's list of models, where it gives one; the server is retired where it is not there.

        Asked for again where it fails, since the model's identity is in it.
        """
        over, after = self._loop.time() + min(_LIST_SECONDS, self._seconds / 3), None
        for pause in (*_LIST_PAUSES, math.inf):
            try:
                async with asyncio.timeout_at(over):
                    found = json.loads(await self._link.get(server, "/models"))
                self._lists[server] = [card for card in found["data"] if isinstance(card, dict)]
                return
            except TimeoutError:
                failed = "it does not answer"
                break
            except Trouble as trouble:
                self._link.last = failed = str(trouble)
                after = trouble.after
                if trouble.unreachable:
                    self._link.retire(server)
                    return
                if not trouble.error.retryable:
                    return  # a service without a list, or that shows it to nobody, may still have the model
            except (ValueError, KeyError, TypeError):
                return
            wait = max(pause, after or 0.0)
            if self._loop.time() + wait >= over:
                break
            await asyncio.sleep(wait)
        self.remarks.append(
            f"the list of models at {server.address.base} fails ({failed}); if it has told more of the model than its "
            "name before, completions in a store are not found by that now"
        )

    async def _first_well(self, there: list[Server]) -> None:
        """Settle on the first server that answers a plain request."""
        for server in there:
            self._server = server
            try:
                with self._asking("anything"):
                    await self._understood()
                return
            except BackendUnavailable as error:
                if server is there[-1]:
                    raise
                self._set_aside(server, str(error))

    async def _other(self, server: Server) -> None:
        """See that a server has the model; one that is sick gets its work when it is well."""
        asked = _Prober(self._link, self._wire, self._seconds)
        asked._server, asked._most, asked.habits, asked._lists = server, self._most, self.habits, self._lists
        asked.watch, asked.spent = self.watch, self.spent
        try:
            async with asyncio.timeout(self._seconds / 2):
                await asked._plain()
        except (BackendUnavailable, TimeoutError) as error:
            self._set_aside(server, str(error) or "it does not answer")

    def _set_aside(self, server: Server, why: str) -> None:
        self.remarks.append(f"{server.address.base} is left out until it is well: {why}")
        self._link.retire(server)

    # --- questions -------------------------------------------------------------------------------------------------

    async def _understood(self) -> None:
        """Which of n, seed and logprobs have an effect or are at least accepted.

        All are asked for at once; a server that refuses that is asked for each.
        """
        logprobs = {"logprobs": True if self._wire.api == "chat" else 1}
        wanted: dict[str, dict[str, Any]] = {"n": {"n": 2}, "seed": {"seed": 1}, "logprobs": logprobs}
        try:
            answer = await self._ask({key: v for part in wanted.values() for key, v in part.items()}, attempts=2)
            self._features = self._shown(answer, set(wanted))
            return
        except Trouble as trouble:
            self._trouble = trouble
        await self._plain()
        for name, part in wanted.items():
            try:
                with self._asking(f"what it makes of {name}"):
                    self._features |= self._shown(await self._ask(part, attempts=3), {name})
            except Trouble as trouble:
                if trouble.status == 429:
                    self._unknown(name)

    async def _plain(self) -> None:
        """A plain request, in the form that is accepted; raises `ConfigError` or `BackendUnavailable` otherwise."""
        first: Trouble | None = None
        sizes = list(_TOKENS[_TOKENS.index(self._most) :])
        while True:
            try:
                self._shown(await self._ask({}), set())
                return
            except Trouble as trouble:
                self._trouble = trouble
                if trouble.status == 429 and trouble.error.retryable:
                    self._unknown("anything")
                    return
                if trouble.parameter and self.habits.learn(trouble.parameter, str(trouble)):
                    continue
                first = first or trouble
                if trouble.status not in {400, 422} or not sizes[1:] or self._misnamed():
                    raise await self._unusable(first) from None
                sizes = sizes[1:]
                self._most = sizes[0]

    async def _follows_seeds(self) -> bool:
        """Whether one seed gives one text, and another seed another, beside each other."""
        asked = (self._ask({"seed": seed}) for seed in (5, 5, 6, 7))
        answers: list[dict[str, Any] | BaseException] = await asyncio.gather(*asked, return_exceptions=True)
        for place, seed in enumerate((5, 5, 6, 7)):  # what a rate limit has kept back, one by one
            if isinstance(answers[place], Trouble):
                try:
                    answers[place] = await self._ask({"seed": seed})
                except Trouble as trouble:
                    if trouble.error.retryable:
                        self._unknown("seed")
                    return False
        one, again, *others = [self._text(answer) for answer in answers]
        if one == again and all(one == other for other in others) and len(one) >= _LONG:
            self.remarks.append(
                "four draws with three seeds are the same text to the letter: a cache answers in the model's place, or "
                "temperature and seeds have no effect; candidates may be copies of one another"
            )
        return one == again and any(one != other for other in others)

    async def _own_sampling(self) -> None:
        """How the server draws where a request says nothing (llama.cpp tells it)."""
        with contextlib.suppress(Trouble, ValueError):
            found = json.loads(await self._link.get(self._server, "/../props"))
            self._props = Props(found if isinstance(found, dict) else {})
        own = self._props.own_sampling(set(self._wire.further or ()))
        if own:
            shown = ", ".join(f"{name}={value:g}" for name, value in own.items())
            self.remarks.append(
                f"{self._server.address.base} draws with {shown} where a request says nothing of it, which is not the "
                "model's own distribution; @top_k=, @min_p= and @extra_body= set them"
            )

    async def _ask(self, further: dict[str, Any], attempts: int | None = None) -> dict[str, Any]:
        """The answer to the question; failures that may pass are asked again, as long as the watch allows."""
        number = 0
        while True:
            number += 1
            try:
                answer = await self._link.post(self._server, self._wire.path, self._body(further))
                self._heard()
                self._answered = True
                self._paid(answer, further.get("n", 1))
                return answer
            except asyncio.CancelledError:
                self._paid_in_vain()
                raise
            except Trouble as trouble:
                self._trouble = trouble
                if trouble.in_vain:
                    self._paid_in_vain()
                if trouble.status is not None:
                    self._heard_of(trouble)
                over = number >= (attempts or 2 * len(_PAUSES))
                if not trouble.error.retryable or trouble.unreachable or over:
                    raise
                pause = _PAUSES[min(number, len(_PAUSES)) - 1]
                await asyncio.sleep(pause if trouble.after is None else trouble.after)

    def _paid(self, answer: dict[str, Any], most: int) -> None:
        """Count what an answer has cost."""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            written = self._wire.written(answer, most)
            if counts_first_only(answer.get("usage"), written, self._most):
                self._first_only = True
            self.spent += split_usage(answer.get("usage"), written, Counting(_PROMPT, first_only=self._first_only))

    def _paid_in_vain(self) -> None:
        self.spent.append(Usage(calls=1, prompt_tokens=_PROMPT, estimated_tokens=_PROMPT, cancelled=1))

    def _heard_of(self, trouble: Trouble) -> None:
        """A refusal is an answer; a server that asks for more time than the watch has gets it as far as it is short."""
        if not trouble.error.retryable or (trouble.after or 0) > self._seconds:
            self._heard()

    def _body(self, further: dict[str, Any]) -> bytes:
        body = {"model": self._wire.model, **self._wire.prompt(_QUESTION), "temperature": 1.0}
        body |= {self.habits.limit: self._most} if self._most is not None else {}
        body |= (self._wire.further or {}) | further
        return json.dumps({name: value for name, value in body.items() if not self.habits.drops(name)}).encode()

    # --- answers ---------------------------------------------------------------------------------------------------

    def _unknown(self, what: str) -> None:
        where = self._server.address.base
        self.remarks.append(
            f"{where} is rate-limited, so it could not be found out what it makes of {what}; it counts as not there"
        )

    def _shown(self, answer: dict[str, Any], asked: set[str]) -> set[str]:
        """Which of what was asked for can be seen in an answer; a seed cannot, it is tried on its own."""
        try:
            read = self._wire.read(answer, (0, 1), with_logprobs=True)
        except (BackendError, ValueError, KeyError, TypeError, AttributeError):
            return set()
        self._usage = self._usage or bool(told_written(answer.get("usage")))
        self._reasoning = self._reasoning or any(one.thinking for one in read)
        shown = {"seed"} | ({"n"} if len(read) == 2 else set())
        if all(one.logprob is not None for one in read):
            shown.add("logprobs")
        return shown & asked

    def _text(self, answer: Any) -> str:
        try:
            return self._wire.read(answer, (0,), with_logprobs=False)[0].text
        except (BackendError, ValueError, KeyError, TypeError, AttributeError):
            return ""

    def _misnamed(self) -> list[str]:
        """The names that the server has, where ours is not among them."""
        known = [str(card["id"]) for card in self._lists.get(self._server, []) if "id" in card]
        return known if self._wire.model not in known else []

    async def _unusable(self, trouble: Trouble) -> ConfigError | BackendUnavailable:
        """The error for a server that does not answer a plain request."""
        where = self._server.address.base
        if trouble.status in {None, 404, 405} and not trouble.unreachable and (there := await self._beside()):
            return ConfigError(f"{where} has no OpenAI-compatible interface, but {there} has; write base_url={there}")
        if trouble.error.retryable:
            return BackendUnavailable(str(trouble), retryable=False)
        if trouble.status in {400, 404} and (known := self._misnamed()):
            return ConfigError(f"{where} serves no model {self._wire.model!r}; it has {names(known)}")
        return ConfigError(str(trouble))

    async def _beside(self) -> str | None:
        """The address with /v1, where the interface is there and the one given lacks it."""
        base = self._server.address.base
        if base.endswith("/v1"):
            return None
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                found = json.loads(await self._link.get(self._server, "/v1/models"))
        except (Trouble, TimeoutError, ValueError):
            return None
        return f"{base}/v1" if isinstance(found, dict) and "data" in found else None
