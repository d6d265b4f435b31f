"""Strategies with one planted fault each, beside a good one: what the conformance kit must catch."""

from __future__ import annotations

import asyncio
import random
import re
import string
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import jinja2
from pydantic import ConfigDict, Field, PrivateAttr

import tts
import tts.prompts


def chosen(candidate: tts.Candidate, **more: Any) -> tts.Decision:
    return tts.Decision(text=candidate.text, chosen=candidate.index, **more)


class Good(tts.Strategy):
    """The response that comes first in the alphabet. No paper."""

    name: ClassVar[str] = "good"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        usable = (await ctx.candidates()).usable
        return await self.pick(ctx, sorted(usable, key=lambda one: (one.text, one.index)))

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(usable[0])


class Nameless(tts.Strategy):
    """Has no name. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        return chosen((await ctx.candidates()).usable[0])


class NameWithSpaces(Good):
    """Has a name that no command line takes. No paper."""

    name: ClassVar[str] = "My Strategy"


class ConstantFingerprint(Good):
    """Says always that it is the same. No paper."""

    fingerprint: ClassVar[str] = "good"


class LosesAParameter(Good):
    """Leaves a parameter out of its JSON. No paper."""

    votes: int = Field(3, exclude=True)


class Unfrozen(Good):
    """Can be changed. No paper."""

    model_config = ConfigDict(frozen=False)


class ListParameter(Good):
    """Has a parameter that can be changed. No paper."""

    words: list[str] = ["so"]


class HoldsALock(Good):
    """Cannot be pickled. No paper."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class Undocumented(Good):
    name: ClassVar[str] = "undocumented"


class SaysNoPaper(Good):
    """Does not say what it comes from."""


class NeedsAnswers(Good):
    """Raises where candidates have no answer. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(max(usable, key=lambda one: len(one.answer)))  # type: ignore[arg-type]  # the fault


class ReturnsText(Good):
    """Returns a text and no decision. No paper."""

    async def aggregate(self, ctx: tts.Context) -> Any:
        return (await ctx.candidates()).usable[0].text


class TracesASet(Good):
    """Has a trace that is not JSON. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(usable[0], trace={"answers": {one.answer for one in usable}})


class ChoosesAPosition(Good):
    """Takes a place in the list of usable candidates for an index. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        texts = [one.text for one in (await ctx.candidates()).usable]
        return tts.Decision(text=min(texts), chosen=texts.index(min(texts)))


class ChoosesBeyond(Good):
    """Chooses a candidate that is not there. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return tts.Decision(text=usable[0].text, chosen=len(usable) + 100)


class ChoosesAndTrims(Good):
    """Gives a part of what it chose. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return tts.Decision(text=usable[0].text[-8:], chosen=usable[0].index)


class TellsNoConfidence(Good):
    """Declares a confidence that it never tells. No paper."""

    tells_confidence: ClassVar[bool] = True


class NeedsTwo(Good):
    """Unpacks two candidates where there may be one. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        first, _second, *_ = usable
        return chosen(first)


class DividesBySpread(Good):
    """Divides by how much the lengths differ. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        lengths = [len(set(one.text)) for one in usable]
        spread = len({one.text for one in usable}) - 1
        return chosen(usable[0], confidence=min(1.0, max(lengths) / spread / 1000 if len(usable) > 1 else 1.0))


class TakesFailed(Good):
    """Forgets that candidates may have failed. No paper."""

    order_invariant: ClassVar[bool] = False

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        return chosen((await ctx.candidates())[0])


class MakesDo(Good):
    """Decides on nothing. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        try:
            return await super().aggregate(ctx)
        except tts.NoCandidatesError:
            return tts.Decision(text="")


class Letters(Good):
    """Labels candidates with the letters of the alphabet. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(usable[0], trace={string.ascii_uppercase[place]: one.index for place, one in enumerate(usable)})


class AsciiOnly(Good):
    """Takes ASCII for granted. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(min(usable, key=lambda one: one.text.encode("ascii")))


class CandidateAsTemplate(Good):
    """Renders what a candidate says as a template. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(usable[0], trace={"shown": [jinja2.Template(one.text).render() for one in usable]})


class ReadsMarkersInCandidates(Good):
    """Takes what a candidate says for a verdict. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        found = re.search(r"Judgment: (\d+)", "\n".join(one.text for one in usable))
        return chosen(usable[int(found.group(1)) if found else 0])


class ShowsHeadings(Good):
    """Numbers the candidates in a prompt and lets one of them write a number of its own. No paper."""

    needs: ClassVar[tts.Needs] = tts.Needs(policy=True)

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        shown = [f"Draft {number}:\n{tts.prompts.neutralised(one.text)}" for number, one in enumerate(usable)]
        await ctx.generate([tts.Message(role="user", content="\n\n".join(shown))])
        return chosen(usable[0])


class ShowsControlTokens(ShowsHeadings):
    """Shows the candidates to a model as they are. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        await ctx.generate([tts.Message(role="user", content="\n".join(one.text for one in usable))])
        return chosen(usable[0])


class AsksHowItWasSampled(Good):
    """Takes for granted that the candidates have just been sampled. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        assert found.sampling is not None
        return chosen(min(found.usable, key=lambda one: one.text))


class GlobalRandom(Good):
    """Draws from Python's own generator. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(random.choice(usable))


class SeededByTime(Good):
    """Draws by the clock. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(random.Random(time.perf_counter_ns()).choice(usable))


class FirstToArrive(Good):
    """Takes whichever response is there first. No paper."""

    order_invariant: ClassVar[bool] = False

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        async with ctx.sample() as arriving:
            async for candidate in arriving:
                if candidate.ok:
                    return chosen(candidate)
        raise tts.NoCandidatesError("none")


class OrderCounts(Good):
    """Minds the order of the candidates and does not say so. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        return chosen((await ctx.candidates()).usable[0])


class UndeclaredScorer(Good):
    """Asks a scorer that it does not declare. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        scores = await ctx.score(usable)
        return chosen(usable[0], trace={"best": max(score.value for score in scores)})


class SwallowsTheRefusal(Good):
    """Asks a judge that it does not declare, and goes on without a word. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        with suppress(tts.ConfigError):
            await ctx.judge(usable[0], usable[-1])
        return chosen(usable[0])


class DeclaredInVain(Good):
    """Wants a judge and never asks it. No paper."""

    needs: ClassVar[tts.Needs] = tts.Needs(judge=True)


class LooksBehind(Good):
    """Reads what its context hides. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return chosen(usable[0], trace={"gold": ctx._unit.work.answer})  # type: ignore[attr-defined]  # the fault


class PaysNothing(Good):
    """Asks the scorer behind the engine's back. No paper."""

    needs: ClassVar[tts.Needs] = tts.Needs(scorer=True)

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        await ctx.score(usable[:1])
        scorer = ctx._unit.roles["scorer"].model  # type: ignore[attr-defined]  # the fault
        scores = await scorer.score(ctx.problem, usable)
        return chosen(usable[0], trace={"best": max(score.value for score in scores)})


class LeavesATask(Good):
    """Starts something and forgets it. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        asyncio.create_task(asyncio.sleep(60))  # noqa: RUF006 - the fault
        return chosen(usable[0])


class ForgetsToAwait(Good):
    """Calls a coroutine function as if it were a function. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        ctx.cluster([one.answer for one in usable])  # type: ignore[unused-coroutine]  # the fault
        return chosen(usable[0])


class Sleeps(Good):
    """Keeps everybody waiting. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        time.sleep(0.1)
        return chosen(usable[0])


class Remembers(Good):
    """Goes by the problem before. No paper."""

    _seen: ClassVar[list[str]] = [""]

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        self._seen.append(usable[0].text)
        return tts.Decision(text=self._seen[-2])


class RemembersTheFirst(Good):
    """Has a cache whose key is too small. No paper."""

    _seen: ClassVar[dict[int, str]] = {}

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        return tts.Decision(text=self._seen.setdefault(len(usable), usable[0].text))


class Prints(Good):
    """Writes where data goes. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        print("the best is", usable[0].index)
        return chosen(usable[0])


class HoldsOn(Good):
    """Goes on when it is told to stop. No paper."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        try:
            return await super().aggregate(ctx)
        except asyncio.CancelledError:
            await asyncio.sleep(30)
            raise


class SetOrder(Good):
    """Breaks ties as a set of strings happens to be ordered. No paper."""

    async def pick(self, ctx: tts.Context, usable: Sequence[tts.Candidate]) -> tts.Decision:
        answers = [str(one.answer) for one in usable]
        return tts.Decision(text=max(set(answers), key=answers.count))


# The class, its parameters, the check that must catch it, and a word of the advice.
FAULTS: tuple[tuple[type[tts.Strategy], dict[str, Any], str, str], ...] = (
    (Nameless, {}, "check_name", "give it `name: ClassVar[str]"),
    (NameWithSpaces, {}, "check_name", "lower-case letters"),
    (ConstantFingerprint, {}, "check_fingerprint", "leave it out, and the library goes by the code"),
    (LosesAParameter, {"votes": 5}, "check_json", "give fields JSON types"),
    (Unfrozen, {}, "check_frozen", "leave model_config"),
    (ListParameter, {}, "check_frozen", "make it a tuple"),
    (HoldsALock, {}, "check_pickle", "cannot be pickled"),
    (Undocumented, {}, "check_docstring", "must begin with one line"),
    (SaysNoPaper, {}, "check_docstring", "do not say 'No paper'"),
    (NeedsAnswers, {}, "check_answers", "no answers: StrategyError"),
    (ReturnsText, {}, "check_answers", "aggregate must return tts.Decision"),
    (TracesASet, {}, "check_answers", "not JSON-able"),
    (ChoosesAPosition, {}, "check_chosen", "look at candidates.usable"),
    (ChoosesBeyond, {}, "check_chosen", "the candidates it received are"),
    (ChoosesAndTrims, {}, "check_chosen", "or leave chosen out"),
    (TellsNoConfidence, {}, "check_confidence", "no decision has a confidence"),
    (NeedsTwo, {}, "check_one_candidate", "not enough values to unpack"),
    (DividesBySpread, {}, "check_duplicates", "division by zero"),
    (TakesFailed, {}, "check_failed_candidates", "look at candidates.usable"),
    (MakesDo, {}, "check_no_candidates", "it must let tts.NoCandidatesError through"),
    (Letters, {}, "check_many", "64 candidates: StrategyError"),
    (AsciiOnly, {}, "check_unicode", "odd characters: StrategyError"),
    (CandidateAsTemplate, {}, "check_markers", "imitated markers: StrategyError"),
    (ReadsMarkersInCandidates, {}, "check_markers", "imitated markers: StrategyError"),
    (ShowsHeadings, {}, "check_headings", "stands in the prompt as one of its headings"),
    (ShowsControlTokens, {}, "check_control_tokens", "'<|im_end|>' stands in the prompt as it is"),
    (AsksHowItWasSampled, {}, "check_stored", "with no model but those declared"),
    (GlobalRandom, {}, "check_seed", "draw from ctx.rng only"),
    (SeededByTime, {}, "check_seed", "draw from ctx.rng only"),
    (FirstToArrive, {}, "check_arrival", "go by candidate.index"),
    (OrderCounts, {}, "check_order", "or declare order_invariant"),
    (UndeclaredScorer, {}, "check_roles", "Needs(scorer=True)"),
    (SwallowsTheRefusal, {}, "check_roles", "Needs(judge=True)"),
    (DeclaredInVain, {}, "check_roles", "never calls it"),
    (LooksBehind, {}, "check_context", "ctx._unit"),
    (PaysNothing, {}, "check_usage", "call models through ctx only"),
    (LeavesATask, {}, "check_tasks", "await or cancel it"),
    (ForgetsToAwait, {}, "check_tasks", "await it"),
    (Sleeps, {}, "check_loop", "asyncio.to_thread"),
    (Remembers, {}, "check_state", "keep nothing between calls"),
    (Prints, {}, "check_quiet", "ctx.log"),
    (HoldsOn, {}, "check_cancel", "let asyncio.CancelledError through"),
    (SetOrder, {}, "check_process", "sort before you choose from a set"),
    (RemembersTheFirst, {}, "check_process", "keep nothing between problems"),
)
