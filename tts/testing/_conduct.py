"""How a strategy must behave while it decides: what it calls, pays, leaves behind, prints, lets go."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import PathFinder
from typing import Any

from tts.contracts.models import Request
from tts.contracts.strategy import Strategy
from tts.testing._models import InstantJudge, InstantModel, InstantScorer
from tts.testing._sets import SETS, candidate_set, tied_sets
from tts.testing._trial import Models, Watch, compared, decided, eight_problems, shortest_block, watched
from tts.vocabulary.records import Candidate, Completion, Problem, Score, Usage, Verdict

_BLOCK = 0.05  # seconds
_PATIENCE = 1.0  # seconds in which something cancelled must have ended
_CHILD_SECONDS = 120
_USUAL = ("different answers", "tied votes", "16 candidates")
_ROLES = ("policy", "scorer", "judge", "synthesizer")


def check_roles(strategy: Strategy) -> None:
    """It calls the models that it declares, and no others."""
    declared = {role for role in _ROLES if getattr(strategy.needs | strategy.required(), role)}
    watch, models = Watch(), Models()
    for name in _USUAL:
        decided(watched(strategy, watch), [candidate_set(SETS[name])], models)
    called = {role for role, usage in models.spent.items() if usage.calls}
    for role in sorted((watch.asked | called) - declared):
        raise AssertionError(f"it calls the {role} without declaring it; needs: ClassVar[Needs] = Needs({role}=True)")
    for role in sorted(declared - called):
        raise AssertionError(f"it declares needs.{role} and never calls it, so users pass a model for nothing")


def check_context(strategy: Strategy) -> None:
    """It uses the public parts of its context only."""
    watch = Watch()
    for name in _USUAL:
        decided(watched(strategy, watch), [candidate_set(SETS[name])])
    assert not watch.private, (
        f"it touches {', '.join(sorted('ctx.' + name for name in watch.private))}, which is no part of tts.Context"
    )


def check_usage(strategy: Strategy) -> None:
    """What a result says it cost is what the models were asked for."""
    for name in _USUAL:
        found, models = candidate_set(SETS[name]), Models()
        (result,) = decided(strategy, [found], models)
        read = sum((one.usage for one in result.candidates), Usage())
        for role, spent in models.spent.items():
            expected = spent + read if role == "policy" else spent
            told = result.usage.get(role, Usage())
            assert told == expected, (
                f"{name}: the {role} did {expected.calls} completions or calls and the result says {told.calls}; "
                "call models through ctx only"
            )


def check_tasks(strategy: Strategy) -> None:
    """It leaves no task running and no coroutine unawaited when it has decided."""

    async def left(name: str) -> set[str]:
        async with Models().engine() as engine:
            before = asyncio.all_tasks()
            await compared(engine, strategy, [candidate_set(SETS[name])])
            for _ in range(5):
                await asyncio.sleep(0)
            behind = {task for task in asyncio.all_tasks() - before if not task.done()}
            for task in behind:
                task.cancel()
            return {getattr(task.get_coro(), "__qualname__", "a task") for task in behind}

    for name in _USUAL:
        with warnings.catch_warnings(record=True) as caught, _collected():
            warnings.simplefilter("always")
            running = asyncio.run(left(name))
        assert not running, f"{name}: {', '.join(sorted(running))} still runs after the decision; await or cancel it"
        unawaited = [str(one.message) for one in caught if "never awaited" in str(one.message)]
        assert not unawaited, f"{name}: {unawaited[0]}; await it"


@contextmanager
def _collected() -> Iterator[None]:
    """What was left behind inside is gone after it; what was there before, which may be much, is not searched."""
    gc.freeze()
    try:
        yield
        gc.collect()
    finally:
        gc.unfreeze()


def check_loop(strategy: Strategy) -> None:
    """It never keeps the event loop from others for more than 50 ms."""
    texts = [f"{'step ' * 200}{number} \\boxed{{{number % 3}}}" for number in range(8)]

    async def main() -> None:
        async with Models().engine() as engine:
            await compared(engine, strategy, [candidate_set(texts)])

    seconds = shortest_block(main, _BLOCK)
    assert seconds <= _BLOCK, (
        f"it blocks the event loop for {seconds * 1000:.0f} ms on eight candidates, at most {_BLOCK * 1000:.0f} are "
        "allowed; use asyncio.sleep, not time.sleep, and asyncio.to_thread for long computations"
    )


def check_state(strategy: Strategy) -> None:
    """What it decides on one problem does not depend on what else it decides on, now or before."""
    sets = tied_sets()
    together, reversed_order = decided(strategy, sets), decided(strategy, sets[::-1])[::-1]
    for found, one, other in zip(sets, together, reversed_order, strict=True):
        (alone,) = decided(strategy, [found])
        assert one.decision == other.decision == alone.decision, (
            f"problem {found.problem.id!r} is decided otherwise beside other problems or after them; "
            "keep nothing between calls of aggregate, and key a cache by all that counts"
        )


def check_quiet(strategy: Strategy) -> None:
    """It prints nothing: stdout is where the command line writes data."""
    written = io.StringIO()
    with redirect_stdout(written):
        for name in _USUAL:
            decided(strategy, [candidate_set(SETS[name])])
    assert not written.getvalue(), f"it prints {written.getvalue()[:60]!r}; say it with ctx.log(...)"


def check_cancel(strategy: Strategy) -> None:
    """It ends at once when it is cancelled, whether it waits for candidates or for a model."""
    for what, sampling in (("candidates", True), ("a model", False)):
        watch = Watch()
        loop = asyncio.new_event_loop()  # asyncio.run would wait for a task that never lets go
        try:
            loop.run_until_complete(_cancelled(watched(strategy, watch), watch, sampling=sampling))
        finally:
            loop.close()
        assert not watch.running, (
            f"cancelled while it waits for {what}, it still runs after {_PATIENCE:g} s; "
            "let asyncio.CancelledError through"
        )


async def _cancelled(strategy: Strategy, watch: Watch, *, sampling: bool) -> None:
    async with _HangingModels().engine() as engine:
        work = (
            _sampled_once(engine, strategy)
            if sampling
            else compared(engine, strategy, [candidate_set(SETS["tied votes"])])
        )
        running = asyncio.create_task(work)
        for _ in range(20):
            await asyncio.sleep(0.002)
        running.cancel()
        await asyncio.wait({running}, timeout=_PATIENCE)
        for _ in range(int(_PATIENCE / 0.01)):
            if not watch.running:
                break
            await asyncio.sleep(0.01)


async def _sampled_once(engine: Any, strategy: Strategy) -> None:
    async for _ in engine.run(eight_problems()[:1], [strategy], 4):
        pass


class _HangingModel(InstantModel):
    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        await asyncio.sleep(3600)
        async for completion in super().generate(request):
            yield completion


class _HangingScorer(InstantScorer):
    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        await asyncio.sleep(3600)
        return await super().score(problem, responses)


class _HangingJudge(InstantJudge):
    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:
        await asyncio.sleep(3600)
        return await super().compare(problem, a, b, seed=seed)


class _HangingModels(Models):
    def __init__(self) -> None:
        super().__init__(_HangingModel())
        self.scorer, self.judge, self.synthesizer = _HangingScorer(), _HangingJudge(), _HangingModel()


def check_process(strategy: Strategy) -> None:
    """Another process decides the same, in another order of problems: Python orders sets of strings otherwise there."""
    if not importable(type(strategy)):
        return
    told = in_another_process("decisions", strategy)
    here = decisions(strategy)
    for one, other in zip(here, told, strict=True):
        assert one == other, (
            f"another process decides {str(other)[:120]}, this one {str(one)[:120]}; sort before you choose from a set "
            "or by hash(), draw from ctx.rng only, and keep nothing between problems"
        )


def decisions(strategy: Strategy, *, backwards: bool = False) -> list[Any]:
    """What `check_process` compares: the decision on each problem, the last one decided first where `backwards`."""
    step = -1 if backwards else 1
    found = decided(strategy, tied_sets()[::step])[::step]
    return [json.loads(one.decision.model_dump_json()) if one.decision else one.error for one in found]


def importable(cls: type) -> bool:
    """Whether another process can import the class."""
    found: Any = sys.modules.get(cls.__module__)
    if found is None or PathFinder.find_spec(cls.__module__.partition(".")[0]) is None:
        return False  # of a notebook, or of a file that was named on the command line
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls


def in_another_process(what: str, plugin: Any) -> Any:
    """What a function of `tts.testing._child` makes of the plugin under another hash seed; both are JSON."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": seed}
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "tts.testing._child", what],
        input=pickle.dumps(plugin),
        capture_output=True,
        timeout=_CHILD_SECONDS,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"another process cannot use it: {done.stderr.decode(errors='replace')[-300:]}"
    return json.loads(done.stdout)


CHECKS: tuple[Callable[[Strategy], None], ...] = (
    check_roles,
    check_context,
    check_usage,
    check_tasks,
    check_loop,
    check_state,
    check_quiet,
    check_cancel,
    check_process,
)
