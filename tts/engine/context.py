"""What a strategy holds in its hands: the metered, seeded, cached view of one problem."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

from tts.answers import expected
from tts.boundary.raised import shown
from tts.contracts.strategy import Strategy
from tts.engine.asking import asked
from tts.engine.judging import judge_prompt, judge_sampling, read_verdict
from tts.engine.models import Loaded
from tts.engine.patience import Patience
from tts.engine.roles import missing_role
from tts.engine.understood import for_text
from tts.engine.unit import AGGREGATION, Answered, Ask, Unit
from tts.prompts import Prompts
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.errors import ConfigError, MissingRoleError, NoCandidatesError
from tts.vocabulary.events import Event
from tts.vocabulary.record import digest
from tts.vocabulary.records import (
    Candidate,
    CandidateSet,
    Decision,
    FinishReason,
    Message,
    Problem,
    Role,
    Sampling,
    Score,
    Usage,
    Verdict,
)
from tts.vocabulary.thinking import OPEN, split_thinking

ESTIMATED_CHARACTERS_PER_TOKEN = 4
MOST_AT_ONCE = 100_000  # completions or verdicts of one call: more would fill the memory before anything is drawn


class _Progress:
    """What a strategy and those that it asks have asked for so far, and whether anything is in flight."""

    def __init__(self) -> None:
        self.wanted = 0  # of the candidates, at most so many were asked for
        self.busy = 0
        self.last_activity = time.monotonic()


class StrategyContext:
    """Implements `tts.Context` for one strategy on one unit.

    `usage` is what the strategy alone would have cost: every candidate and call it received, stored or not. With a
    `trial` what it draws by lot is another draw, such as the order in which it shows its candidates.
    """

    def __init__(
        self,
        unit: Unit,
        strategy: Strategy,
        seed: int,
        patience: Patience | None = None,
        trial: int | None = None,
    ) -> None:
        self._unit, self._strategy = unit, strategy
        self._lot = () if trial is None else ("order trial", trial)
        self.patience: Patience = patience or Patience(None, 0.0, unit.k, None, writes=False)
        self.seed: int = seed
        # Metadata may hold recorded verdicts or a reference solution: not for a strategy's eyes.
        self._visible = unit.problem.model_copy(update={"metadata": {}}) if unit.problem.metadata else unit.problem
        self._rng: random.Random | None = None
        self._paid: dict[str, list[Usage]] = {}
        self.received: dict[int, Candidate] = {}
        self._charged: set[tuple[str, int]] = set()
        self._ends: dict[str, FinishReason] = {}  # how what it had written ended, by text and by summary
        self._lost: list[FinishReason] = []  # of what it asked for and did not get
        self._progress = _Progress()
        unit.undecided += 1

    @property
    def problem(self) -> Problem:
        return self._visible

    @property
    def k(self) -> int:
        return self._unit.k

    @property
    def prompts(self) -> Prompts | None:
        policy = self._unit.roles.get("policy")
        return policy.model.capabilities.prompts if policy else None

    @property
    def rng(self) -> random.Random:
        if self._rng is None:
            # Parameters do not count: one strategy with two settings makes the same draws, so that calls can be shared.
            self._rng = random.Random(
                digest(self.seed, self.problem.digest, self._unit.work.group, self._strategy.name, *self._lot)
            )
        return self._rng

    def answer_of(self, decision: Decision) -> str | None:
        """The final answer of what the strategy decided."""
        if decision.chosen is not None:
            return self.received[decision.chosen].answer
        return self.visible_answer(decision.text)

    def visible_answer(self, text: str) -> str | None:
        """The final answer in what a reader sees of a text."""
        visible = split_thinking(text).summary
        return self.extract(visible) if visible else None

    def ends_of(self, decision: Decision) -> tuple[FinishReason, ...]:
        """How the texts of a decision ended; empty where all came to their end."""
        texts = (decision.text, *decision.alternatives)
        ends = [self._ends.get(text, "stop") for text in texts]
        if decision.chosen is not None:
            ends[0] = self.received[decision.chosen].finish_reason
        return tuple(ends) if any(end != "stop" for end in ends) else ()

    @property
    def declined(self) -> bool:
        """Of what the strategy asked for beyond the candidates something is missing, and all of that was refused."""
        return bool(self._lost) and all(reason == "refused" for reason in self._lost)

    @property
    def offers_tools(self) -> bool:
        """Whether the candidates may call tools, so that an answer is one of them."""
        return self._unit.sampling.tools is not None

    def leave(self) -> None:
        """The strategy has decided, or failed to."""
        self._unit.undecided -= 1

    def settle(self) -> None:
        """Charge the candidates that were cut short because this strategy no longer needed what it had asked for."""
        cancelled = self._unit.candidates.cancelled
        if cancelled.cancelled and self._progress.wanted > len(self.received):
            self._charge("policy", cancelled)

    def idle_seconds(self) -> float:
        """How long the strategy has had nothing in flight with the engine."""
        return 0.0 if self._progress.busy else time.monotonic() - self._progress.last_activity

    @contextmanager
    def _activity(self) -> Iterator[None]:
        self._progress.busy += 1
        try:
            yield
        finally:
            self._progress.busy -= 1
            self._progress.last_activity = time.monotonic()

    @property
    def usage(self) -> dict[str, Usage]:
        """What the strategy alone would have cost so far, by role."""
        return {role: Usage.total(paid) for role, paid in self._paid.items()}

    def _charge(self, role: str, usage: Usage) -> None:
        self._paid.setdefault(role, []).append(usage)

    def _receive(self, candidate: Candidate) -> Candidate:
        if candidate.index not in self.received and candidate.index not in self.patience.stopped:
            self.received[candidate.index] = candidate
            self._charge("policy", candidate.usage)
        return candidate

    def received_by_now(self) -> list[Candidate]:
        """The usable candidates that are there, the rest is not waited for; they count as received."""
        here = sorted(self.patience.close(self._unit.candidates, self.k), key=lambda candidate: candidate.index)
        return [self._receive(candidate) for candidate in here if candidate.ok]

    async def candidates(self) -> CandidateSet:
        unit = self._unit
        self._progress.wanted = unit.k
        with self._activity():
            taken = await self.patience.take(unit.candidates, unit.k)
        for candidate in taken:
            self._receive(candidate)
        self._given()
        draw = unit.candidates.draw
        found = CandidateSet(
            problem=self.problem,
            candidates=tuple(taken),
            policy=draw.model.fingerprint if draw else unit.work.policy,
            sampling=draw.sampling if draw else unit.work.sampling,
        )
        if not found.usable:
            raise NoCandidatesError(self._nothing_usable(taken))
        return found

    def _nothing_usable(self, taken: Sequence[Candidate]) -> str:
        reason = next((c.error for c in taken if c.error), "every response is empty")
        return f"none of the {len(taken)} candidates of problem {self.problem.id!r} can be used: {reason}"

    @asynccontextmanager
    async def sample(self, n: int | None = None, *, final: bool = False) -> AsyncIterator[AsyncIterator[Candidate]]:
        wanted = self.k if n is None else n
        if not isinstance(wanted, int) or not 1 <= wanted <= self.k:
            raise ConfigError(f"ctx.sample({shown(wanted)}): n must be 1 to k={self.k}")
        self._progress.wanted = max(self._progress.wanted, wanted)
        pool = self._unit.candidates
        if final:
            pool.let_tell(self._unit.tell)
        try:
            yield _Received(self, self.patience.stream(pool, wanted))
        finally:
            self._given()
            if self._unit.undecided == 1 and pool.users <= 1:  # nobody else may still want the rest
                await pool.cancel()

    def _given(self) -> None:
        """The strategy has what it waited for; what it does not wait for any more is cancelled beside it."""
        self.patience.given = asyncio.get_running_loop().time()
        if self.patience.stopped:
            self._unit.spare()

    async def generate(
        self,
        messages: Sequence[Message],
        n: int = 1,
        *,
        sampling: Sampling | None = None,
        final: bool = False,
        formatted: bool = True,
    ) -> list[Candidate]:
        given = for_text(sampling or self._unit.sampling, formatted=formatted)
        return await self._draw("policy", messages, n, given, final)

    async def synthesize(
        self, messages: Sequence[Message], n: int = 1, *, sampling: Sampling | None = None, final: bool = False
    ) -> list[Candidate]:
        given = for_text(sampling or self._unit.sampling, formatted=True)
        return await self._draw("synthesizer", messages, n, given, final)

    async def _draw(
        self, role: Role, messages: Sequence[Message], n: int, sampling: Sampling, final: bool = False
    ) -> list[Candidate]:
        self._require(role)
        _check_n(n, "completions")
        pool = self._unit.pool(role, tuple(messages), sampling)
        if final and self._marks_thinking:
            pool.let_tell(self._unit.tell)
        began = time.monotonic()
        with self._activity():
            drawn = await pool.take(n)
        for candidate in drawn:
            self._charge_once(pool.key, candidate.index, role, candidate.usage)
            if candidate.error is not None:
                self._lost.append(candidate.finish_reason)
                continue
            for text in (candidate.text, candidate.summary or candidate.text):
                self._ends[text] = candidate.finish_reason
        self._called(role, drawn, began)
        return drawn

    @property
    def _marks_thinking(self) -> bool:
        """Whether the beginning of thinking can be seen in what was received; else it would be read as the answer."""
        return all(one.thinking is None or one.text.lstrip().startswith(OPEN) for one in self.received.values())

    async def score(self, responses: Sequence[Candidate]) -> list[Score]:
        scorer = self._require("scorer")
        by_content = getattr(scorer.model, "by_content", True)
        known = None if by_content else self._unit.problem.model_dump(mode="json", include={"metadata"}, fallback=repr)
        parts = [(r.text,) if by_content else (r, known) for r in responses]
        keys = [digest("score", scorer.fingerprint, self.problem.digest, *part) for part in parts]

        async def ask(positions: list[int]) -> Sequence[Score]:
            told, priority = [responses[i] for i in positions], (AGGREGATION, self._unit.order)
            return await asked(scorer, Score, len(told), priority, lambda: scorer.model.score(self._unit.problem, told))

        scores = await self._call(keys, "scorer", Score.model_validate_json, ask)
        told = zip(responses, scores, strict=True)
        self._unit.scores.update({r.index: one.value for r, one in told if self.received.get(r.index) is r})
        return scores

    async def judge(self, a: Candidate, b: Candidate, n: int = 1) -> list[Verdict]:
        judge = self._require("judge")
        _check_n(n, "verdicts")
        if judge.format is None:
            return await asyncio.gather(*(self._compare(judge, a, b, vote) for vote in range(n)))
        with self._activity():
            messages = await judge_prompt(judge.format, judge, self.problem, a, b)
        drawn = await self._draw("judge", messages, n, judge_sampling(judge.format, self.seed))
        return [read_verdict(judge.format, one, self.problem) for one in drawn]

    async def _compare(self, judge: Loaded, a: Candidate, b: Candidate, vote: int) -> Verdict:
        key = digest("verdict", judge.fingerprint, self.problem.digest, a.text, b.text, self.seed, vote)

        async def compare() -> list[Verdict]:
            return [await judge.model.compare(self.problem, a, b, seed=int(key[:15], 16))]

        async def ask(_: list[int]) -> Sequence[Verdict]:
            return await asked(judge, Verdict, 1, (AGGREGATION, self._unit.order), compare)

        return (await self._call([key], "judge", Verdict.model_validate_json, ask))[0]  # type: ignore[no-any-return]

    async def _call(self, keys: Sequence[str], kind: str, parse: Callable[[str], Answered], ask: Ask) -> list[Any]:
        began = time.monotonic()
        with self._activity():
            answers = await self._unit.call(keys, kind, parse, ask)
        for key, answer in zip(keys, answers, strict=True):
            self._charge_once(key, 0, kind, answer.usage)
        self._called(kind, answers, began)
        return answers

    def _called(self, role: str, said: Sequence[Candidate | Answered], began: float) -> None:
        tokens, seconds = sum(one.usage.generated_tokens for one in said), time.monotonic() - began
        self._unit.emit(Event("call", self.problem.id, self._strategy.name, role, tokens, seconds=seconds))

    def _charge_once(self, key: str, index: int, role: str, usage: Usage) -> None:
        if (key, index) not in self._charged:
            self._charged.add((key, index))
            self._charge(role, usage)

    def _require(self, role: Role) -> Loaded:
        if not (getattr(self._strategy.needs, role) or getattr(self._strategy.required(), role)):
            raise ConfigError(
                f"strategy {self._strategy.name!r} called the {role} without declaring it: needs = Needs({role}=True)"
            )
        if role not in self._unit.roles:
            raise MissingRoleError(missing_role(self._strategy.name, role))
        return self._unit.roles[role]

    async def cluster(self, answers: Sequence[str | None]) -> Clusters:
        with self._activity():
            return await self._unit.answers.cluster(answers, expected(self._unit.problem.text))

    async def decide(self, strategy: Strategy) -> Decision:
        inner = copy.copy(self)  # shares what was received and charged, and the progress
        inner._strategy, inner._rng = strategy, None  # noqa: SLF001 - a copy of this very object
        return await strategy.aggregate(inner)

    def extract(self, text: str) -> str | None:
        return self._unit.drawer.extract(text)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._activity():
            return await count_tokens(self._unit.roles.get("policy"), texts)

    def log(self, message: str, **details: Any) -> None:
        json.dumps(details)  # an event that cannot be written down is the strategy's mistake; say so here
        self._unit.emit(Event("log", self.problem.id, self._strategy.name, message, details=details))


class _Received:
    """The arrivals of a pool, each charged to the strategy that receives it."""

    def __init__(self, context: StrategyContext, arrivals: AsyncIterator[Candidate]) -> None:
        self._context, self._arrivals = context, arrivals

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Candidate:
        with self._context._activity():  # noqa: SLF001 - a part of the context
            candidate = await anext(self._arrivals)
        return self._context._receive(candidate)  # noqa: SLF001 - as above


def _check_n(n: object, what: str) -> None:
    if not isinstance(n, int) or not 1 <= n <= MOST_AT_ONCE:
        raise ConfigError(f"n={shown(n)} {what} were asked for; n is a whole number from 1 to {MOST_AT_ONCE:,}")


async def count_tokens(policy: Loaded | None, texts: Sequence[str]) -> list[int]:
    """Tokens of each text; an estimate where there is no model to ask."""
    if policy is None:
        return [-(-len(text) // ESTIMATED_CHARACTERS_PER_TOKEN) for text in texts]
    return await policy.count_tokens(texts)
