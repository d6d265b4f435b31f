"""The engine's promises: no barrier, no waste, no loss, no dependence on who else runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest
from doubles import FakeBackend, FirstJudge, LengthScorer, sums

import tts

Fake = Callable[..., type[FakeBackend]]


async def collect(engine: tts.Engine, examples: list[tts.Example], *strategies: str | tts.Strategy, k: int = 4):
    async with engine:
        return [outcome async for outcome in engine.run(examples, strategies, k)], engine.spent


def run(examples: list[tts.Example], *strategies: str | tts.Strategy, k: int = 4, **settings):
    async def main():
        return await collect(tts.Engine(model="fake:m", **settings), examples, *strategies, k=k)

    return asyncio.run(main())


def texts(outcomes: list[tts.Outcome]) -> dict[str, list[str]]:
    return {o.problem.id: [c.text for c in o.candidates] for o in outcomes}


def test_samples_once_and_decides_with_every_strategy(fake: Fake) -> None:
    backend = fake()
    outcomes, spent = run(sums(5), "first", "majority", "gsr")
    assert backend.completions() == 5 * (4 + 1)
    assert {o.results["gsr"].answer for o in outcomes} == {"1", "3", "5", "7", "9"}
    for outcome in outcomes:
        assert [c.index for c in outcome.candidates] == [0, 1, 2, 3]
        assert outcome.results["first"].usage["policy"].calls == 1
        assert outcome.results["majority"].usage["policy"].calls == 4
        assert outcome.results["gsr"].usage["policy"].calls == 5
    assert spent["policy"].calls == 25


def test_candidates_do_not_depend_on_company_or_arrival(fake: Fake) -> None:
    fake()
    together, _ = run(sums(12), "majority")
    fake(delay=lambda request, index: (request.seeds[index] % 7) / 1000)
    shuffled, _ = run(sums(12), "majority", concurrency=3)
    alone = [outcome for example in sums(12) for outcome in run([example], "majority")[0]]
    assert texts(together) == texts(shuffled) == texts(alone)


def test_another_seed_gives_other_candidates(fake: Fake) -> None:
    backend = fake()
    run(sums(1), "majority", seed=1)
    run(sums(1), "majority", seed=2)
    first, second = (request.seeds for request in backend.requests)
    assert len({*first, *second}) == 8


def test_aggregation_goes_before_sampling(fake: Fake) -> None:
    """With one slot per problem the first refinement is asked for long before the last sample."""
    backend = fake(delay=lambda *_: 0.002, capabilities=tts.Capabilities(concurrency=4))
    run(sums(12), "gsr")
    refined = ["Candidate Response" in request.messages[0].content for request in backend.requests]
    assert refined.index(True) <= 3
    assert refined[:8].count(True) >= 2


def test_outcomes_stream_while_others_are_sampled(fake: Fake) -> None:
    fake(delay=lambda request, _: 0.3 if request.context == "p0" else 0.0)

    async def main() -> list[str]:
        async with tts.Engine(model="fake:m") as engine:
            return [outcome.problem.id async for outcome in engine.run(sums(5), ["majority"], 4)]

    assert asyncio.run(main())[-1] == "p0"


def test_a_million_problems_are_not_read_ahead(fake: Fake) -> None:
    fake()
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield sums(1, start=read)[0]

    async def main() -> None:
        async with tts.Engine(model="fake:m") as engine:
            outcomes = engine.run(endless(), ["majority"], 4)
            for _ in range(50):
                await anext(outcomes)
            await outcomes.aclose()

    asyncio.run(main())
    assert read < 300


def test_leaving_early_cancels_everything(fake: Fake) -> None:
    backend = fake(delay=lambda *_: 0.05)

    async def main() -> set[str]:
        async with tts.Engine(model="fake:m") as engine:
            outcomes = engine.run(sums(30), ["majority"], 4)
            await anext(outcomes)
            await outcomes.aclose()
            return {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}  # type: ignore[union-attr]

    assert asyncio.run(main()) == set()
    assert backend.live == 0


class Settled(tts.Strategy):
    """Stops as soon as two candidates agree."""

    name: ClassVar[str] = "settled"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        seen: dict[str, int] = {}
        async with ctx.sample() as arriving:
            async for candidate in arriving:
                if candidate.answer in seen:
                    return tts.Decision(text=candidate.text, chosen=candidate.index)
                seen[candidate.answer or ""] = candidate.index
        return tts.Decision(text=candidate.text, chosen=candidate.index)


def test_a_settled_vote_cancels_the_rest_and_pays_for_it(fake: Fake) -> None:
    backend = fake(script=lambda *_: "\\boxed{1}", delay=lambda _request, index: 0.001 if index < 2 else 5.0)
    (outcome,), spent = run(sums(1), Settled(), k=8)
    usage = outcome.results["settled"].usage["policy"]
    assert backend.live == 0
    assert len(outcome.candidates) == 2
    assert (usage.calls, usage.cancelled) == (8, 6)
    assert spent["policy"] == usage


def test_calls_side_by_side_count_each_in_model_seconds(fake: Fake) -> None:
    fake(script=lambda *_: "\\boxed{1}", delay=lambda _request, index: 0.05 * (1 + index))
    (outcome,), spent = run(sums(1), "majority", k=4)
    each = [one.usage.seconds for one in outcome.candidates]
    assert each == sorted(each) and each[0] >= 0.04
    assert sum(each) == pytest.approx(outcome.results["majority"].usage["policy"].seconds)
    assert sum(each) > outcome.results["majority"].seconds, "four at once take less time on the wall"
    assert spent["policy"].seconds == pytest.approx(sum(each))


def test_what_a_backend_says_of_its_seconds_counts() -> None:
    told = tts.Usage(calls=1, answer_tokens=3, seconds=7.5)
    assert told.took(0.1).seconds == 7.5
    assert tts.Usage().took(0.1).seconds == 0.0, "recorded scores call nothing"
    assert (told + told).seconds == 15.0
    assert told == tts.Usage(calls=1, answer_tokens=3) and hash(told) == hash(tts.Usage(calls=1, answer_tokens=3))


def test_leftovers_are_kept_while_another_strategy_waits(fake: Fake) -> None:
    fake(script=lambda *_: "\\boxed{1}", delay=lambda *_: 0.001)
    (outcome,), _ = run(sums(1), Settled(), "majority", k=6)
    assert len(outcome.candidates) == 6
    assert outcome.results["majority"].usage["policy"].cancelled == 0


def test_a_failed_problem_is_data_and_the_run_goes_on(fake: Fake) -> None:
    def before(request: tts.Request) -> None:
        if request.context == "p2":
            raise tts.ContextLengthError(5000, 1000, "fake:m")

    fake(before=before)
    outcomes, _ = run(sums(4), "majority")
    errors = {o.problem.id: o.results["majority"].error for o in outcomes}
    assert {problem for problem, error in errors.items() if error} == {"p2"}
    assert "5,000" in errors["p2"] and "1,000" in errors["p2"]


def test_one_failed_sample_does_not_cancel_its_group(fake: Fake) -> None:
    def script(request: tts.Request, index: int) -> str:
        if index == 2:
            raise RuntimeError("CUDA error: an illegal memory access")
        return "\\boxed{1}"

    fake(script=script)
    (outcome,), _ = run(sums(1), "majority")
    errors = [c.error for c in outcome.candidates]
    assert errors[:2] == [None, None]
    assert "illegal memory access" in errors[2]
    assert outcome.results["majority"].answer == "1"


def test_a_retryable_failure_is_tried_again_for_what_is_missing(fake: Fake) -> None:
    failures = iter([True, False, False])

    def script(request: tts.Request, index: int) -> str:
        if index == 2 and next(failures):
            raise tts.BackendUnavailable("the server went away")
        return "\\boxed{1}"

    backend = fake(script=script)
    (outcome,), _ = run(sums(1), "majority")
    assert [c.error for c in outcome.candidates] == [None] * 4
    assert [request.n for request in backend.requests] == [4, 2]
    assert backend.requests[1].seeds == backend.requests[0].seeds[2:]


@pytest.mark.parametrize("wrong", ["short", "twice", "not one"])
def test_a_backend_that_breaks_the_contract_is_named(fake: Fake, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = fake()

    async def generate(self: FakeBackend, request: tts.Request):
        if wrong == "not one":
            yield "text"
        for _ in range({"short": 1, "twice": 2}.get(wrong, 0)):
            yield tts.Completion(index=0, text="\\boxed{1}", summary="\\boxed{1}")

    async def no_wait(_: float) -> None: ...

    monkeypatch.setattr(backend, "generate", generate)
    monkeypatch.setattr("tts.engine.draws.asyncio.sleep", no_wait)
    (outcome,), _ = run(sums(1), "majority", k=6)
    assert any("'fake:m'" in (c.error or "") for c in outcome.candidates) or outcome.results["majority"].error


class Odd(tts.Strategy):
    """A strategy that misbehaves in the way asked for."""

    name: ClassVar[str] = "odd"
    way: str

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        match self.way:
            case "raises":
                raise ZeroDivisionError("oops")
            case "hangs":
                await asyncio.sleep(3600)
            case "wrong type":
                return found[0].text  # type: ignore[return-value]
            case "index":
                return tts.Decision(text="", chosen=17)
            case "role":
                await ctx.score(found.candidates)
        return tts.Decision(text=found[0].text, chosen=0)


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("raises", "raised ZeroDivisionError on problem 'p0': oops"),
        ("hangs", "did nothing for 0.1 s on problem 'p0'"),
        ("wrong type", "returned a str; aggregate must return tts.Decision"),
        ("index", "chose candidate 17; the candidates it received are 0, 1, 2, 3"),
        ("role", "called the scorer without declaring it"),
    ],
)
def test_a_plugin_that_misbehaves_is_named_and_hurts_nobody(fake: Fake, way: str, sentence: str) -> None:
    fake()
    (outcome,), _ = run(sums(1), Odd(way=way), "majority", timeout=0.1)
    assert sentence in (outcome.results["odd"].error or "")
    assert outcome.results["majority"].error is None


def test_solve_raises_the_strategy_error_with_its_cause(fake: Fake) -> None:
    fake()

    async def main() -> None:
        async with tts.Engine(model="fake:m") as engine:
            await engine.solve("1+2", Odd(way="raises"))

    with pytest.raises(tts.StrategyError) as caught:
        asyncio.run(main())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_slow_model_is_no_hanging_strategy(fake: Fake) -> None:
    fake(delay=lambda *_: 0.15)
    (outcome,), _ = run(sums(1), "gsr", timeout=0.05)
    assert outcome.results["gsr"].error is None


def test_needs_are_checked_before_a_token_is_spent(fake: Fake) -> None:
    class Scored(Settled):
        name: ClassVar[str] = "scored"
        needs: ClassVar[tts.Needs] = tts.Needs(scorer=True)

    class Probable(Settled):
        name: ClassVar[str] = "probable"
        needs: ClassVar[tts.Needs] = tts.Needs(logprobs=True)

    backend = fake()
    with pytest.raises(tts.MissingRoleError, match=r"needs a scorer: pass scorer='scorer:model'"):
        run(sums(1), Scored())
    with pytest.raises(tts.MissingCapabilityError, match="needs log-probabilities and 'fake:m' gives none"):
        run(sums(1), Probable())
    assert not backend.requests


class Helped(tts.Strategy):
    """Calls every helper role."""

    name: ClassVar[str] = "helped"
    needs: ClassVar[tts.Needs] = tts.Needs(scorer=True, judge=True, synthesizer=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        scores = await ctx.score(found.candidates)
        assert [s.value for s in scores] == [len(c.text) for c in found]
        (verdict,) = await ctx.judge(found[0], found[1])
        message = tts.Message(role="user", content="Problem:\n1+2\nCandidate Response")
        (written,) = await ctx.synthesize([message])
        return tts.Decision(text=written.summary or "", trace={"winner": verdict.winner})


@pytest.mark.usefixtures("helpers")
def test_roles_share_one_model_are_charged_apart_and_cached(fake: Fake, tmp_path) -> None:
    backend = fake()
    settings = {"scorer": "fake:s", "judge": "fake:j", "synthesizer": "fake:m", "store": tmp_path / "s.db"}
    (outcome,), spent = run(sums(1), Helped(), **settings)
    usage = outcome.results["helped"].usage
    different = len({c.text for c in outcome.candidates})
    calls = {role: u.calls for role, u in usage.items()}
    assert calls == {"policy": 4, "scorer": different, "judge": 1, "synthesizer": 1}
    assert spent == usage
    assert all(one.seconds > 0 for one in usage.values()), "every role's calls are timed"
    assert len(backend.instances) == 1, "policy and synthesizer are one reference"
    assert LengthScorer.batches == [different], "one batch, equal responses once"
    (again,), spent_again = run(sums(1), Helped(), **settings)
    assert spent_again == {}
    assert again.results["helped"].usage == usage
    told = {role: one.seconds for role, one in again.results["helped"].usage.items()}
    assert told == {role: one.seconds for role, one in usage.items()}, "what is stored keeps its time"
    assert len(FirstJudge.calls) == 1


def test_the_budget_ends_sampling_and_keeps_what_is_done(fake: Fake) -> None:
    backend = fake(capabilities=tts.Capabilities(concurrency=4))
    outcomes, spent = run(sums(20), "majority", budget=500)
    done = [o for o in outcomes if o.results["majority"].error is None]
    failed = [o for o in outcomes if o.results["majority"].error]
    assert done and failed
    assert "BudgetExceededError" in (failed[0].results["majority"].error or "")
    assert spent["policy"].total_tokens <= 500, "what is under way is counted"
    there = sum(candidate.ok for outcome in done for candidate in outcome.candidates)
    assert backend.completions() == there, "what was paid is decided on"
    assert 4 * (len(done) - 1) < there <= 4 * len(done), "at most one group is short"


@pytest.mark.parametrize("k", [0, -3])
def test_k_must_be_positive(k: int) -> None:
    with pytest.raises(tts.ConfigError, match=f"k={k}: at least one candidate"):
        run(sums(1), "majority", k=k)


def test_all_candidates_empty_is_one_sentence(fake: Fake) -> None:
    fake(script=lambda *_: "  ")
    (outcome,), _ = run(sums(1), "majority")
    assert "none of the 4 candidates of problem 'p0' can be used: every response is empty" in (
        outcome.results["majority"].error or ""
    )


def test_events_tell_the_story(fake: Fake) -> None:
    fake()
    events: list[tts.Event] = []
    run(sums(1), "gsr", listeners=[events.append])
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["loading", "loaded", "problem_started"]
    assert kinds.count("candidate") == 4
    assert kinds[-2:] == ["call", "decision"]


def test_two_strategies_that_make_one_call_pay_it_once(fake: Fake) -> None:
    backend = fake()
    same = [tts.strategy("gsr"), tts.strategy("gsr", outputs=2)]
    run(sums(1), *same, k=1)
    refinements = [r.n for r in backend.requests if "Candidate Response" in r.messages[0].content]
    assert sum(refinements) == 2, "with one candidate both prompts are the same"
