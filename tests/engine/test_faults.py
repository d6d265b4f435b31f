"""What goes wrong in plugins, sources, models and calls: one sentence, nobody else hurt, nothing lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, candidate_set, sums
from waiting import joined

import tts

Fake = Callable[..., type[FakeBackend]]


class Misbehaving(tts.Strategy):
    """Does one odd thing."""

    name: ClassVar[str] = "misbehaving"
    needs: ClassVar[tts.Needs] = tts.Needs(policy=True)
    way: str = ""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        trace: dict[str, Any] = {}
        match self.way:
            case "cancels itself":
                task = asyncio.create_task(asyncio.sleep(10))
                task.cancel()
                await task
            case "trace":
                trace["object"] = object()
            case "n":
                await ctx.generate([tts.Message(role="user", content="x")], n=0)
        return tts.Decision(text=found[0].text, chosen=0, trace=trace)


class Forgetful(tts.Strategy):
    """Forgot `async`; returns nothing useful."""

    name: ClassVar[str] = "forgetful"

    def aggregate(self, ctx: tts.Context) -> tts.Decision:  # type: ignore[override]
        raise ValueError("not async")


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (Misbehaving(way="cancels itself"), "raised CancelledError"),
        (Misbehaving(way="trace"), "returned a trace that is not JSON-able"),
        (Misbehaving(way="n"), "n=0 completions were asked for"),
        (Forgetful(), "raised ValueError on problem 'p0': not async"),
    ],
)
def test_a_strategy_that_misbehaves_does_not_stop_the_others(fake: Fake, tmp_path, strategy, sentence: str) -> None:
    fake()
    table = tts.compare(sums(2), strategies=[strategy, "majority"], model="fake:m", store=tmp_path / "s.db", timeout=2)
    errors = {r.error for r in table.failed}
    assert len(table.failed) == 2
    assert all(sentence in error.replace("'p1'", "'p0'") for error in errors)


def test_a_backend_that_cancels_itself_does_not_hang(fake: Fake) -> None:
    def script(*_: object) -> str:
        raise asyncio.CancelledError

    fake(script=script)
    run = tts.run(sums(1), strategy="majority", model="fake:m")
    assert "'fake:m' cancelled its own request" in run[0].error


def test_a_backend_that_says_nothing_is_given_up(fake: Fake) -> None:
    fake(delay=lambda *_: 30.0)
    run = tts.run(sums(1), strategy="majority", model="fake:m", request_timeout=0.05)
    assert "has answered nothing for" in run[0].error


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tts.run("1+1", k=2.5, model="fake:m"), "k=2.5: the number of candidates is a whole number"),
        (lambda: tts.run("1+1", k="4", model="fake:m"), "k='4': the number of candidates is a whole number"),
        (lambda: tts.solve("", model="fake:m"), "problem '': give a text that is not empty"),
        (lambda: tts.solve(5, model="fake:m"), "problem 5: give a text"),
        (lambda: tts.run("1+1", temperature=0.7), "pass sampling=tts.Sampling(temperature=0.7)"),
        (lambda: tts.run("1+1", modle="fake:m"), "there is no argument 'modle'; did you mean 'model'"),
        (lambda: tts.run("1+1", sampling=5), "sampling=5: give a tts.Sampling"),
        (lambda: tts.run("1+1", sampling={"temperature": -1}), "parameter temperature=-1"),
        (lambda: tts.run("1+1", concurrency=0, model="fake:m"), "concurrency=0: it must be positive"),
        (
            lambda: tts.compare("1+1", strategies=[]),
            "no strategy is given; known: adaptive_consistency, agglm, best_of_n",
        ),
        (lambda: tts.compare("1+1", strategies=["gsr", "gsr"]), "'gsr' is given twice"),
        (lambda: tts.strategy("gsr", template="nope.jinja"), "no template 'nope.jinja'"),
        (lambda: tts.strategy(tts.strategy("gsr"), outputs=-5), "parameter outputs=-5"),
        (lambda: tts.strategy(type("Nameless", (Misbehaving,), {"name": None})), "has no name"),
    ],
)
def test_a_wrong_call_is_one_sentence_before_a_token_is_spent(fake: Fake, call, sentence: str) -> None:
    backend = fake()
    with pytest.raises(tts.TTSError) as caught:
        call()
    assert sentence in str(caught.value).replace("; known: ", "; known: ")
    assert not backend.requests


def test_strategies_by_class_and_by_a_single_name(fake: Fake) -> None:
    fake()
    assert tts.run(sums(1), strategy=Misbehaving, model="fake:m")[0].error is None
    assert tts.compare(sums(1), strategies="majority", model="fake:m").strategies == ["majority"]


def test_a_source_that_raises_midway_gets_what_it_gave_done(fake: Fake, tmp_path) -> None:
    backend = fake()

    def source() -> Iterator[tts.Example]:
        yield from sums(3)
        raise OSError("the disk was pulled out")

    with pytest.raises((tts.TTSError, OSError), match="the disk was pulled out"):
        tts.run(source(), strategy="majority", model="fake:m", store=tmp_path / "s.db")
    assert backend.completions() == 12
    with tts.Store(tmp_path / "s.db") as store:
        assert store.counts()["results"] == 3


def test_one_short_set_fails_alone(fake: Fake) -> None:
    def named(name: str, *texts: str) -> tts.CandidateSet:
        found = candidate_set(*texts)
        return found.model_copy(update={"problem": tts.Problem(id=name, prompt=name)})

    sets = [named("a", *["\\boxed{1}"] * 4), named("b", "\\boxed{1}"), named("c", *["\\boxed{1}"] * 4)]
    table = tts.compare(sets, strategies=["majority"], k=4)
    assert [r.error is None for r in table.results] == [True, False, True]
    assert "problem 'b' has 1 stored candidates" in table.results[1].error
    with pytest.raises(tts.ConfigError, match="problem 'b' has 1 stored candidates"):
        tts.compare(sets[1:], strategies=["majority"], k=4)


def test_a_hole_in_a_stored_draw_is_drawn_anew(fake: Fake, tmp_path) -> None:
    def fails_once(request: tts.Request, index: int) -> str:
        if index == 2:
            raise RuntimeError("lost")
        return f"\\boxed{{{request.seeds[index] % 1000}}}"

    store = tmp_path / "s.db"
    fake(script=fails_once, capabilities=tts.Capabilities(concurrency=1, seed=True))
    first = tts.sample(sums(1), k=3, model="fake:m", store=store, concurrency=3)
    assert first[0][2].error
    backend = fake(script=lambda request, index: f"\\boxed{{{request.seeds[index] % 1000}}}")
    table = tts.compare(str(store), strategies=["majority"], k=3, model="fake:m", store=store)
    texts = [c.text for c in table.rows[0].outcome.candidates]
    assert texts[:2] == [c.text for c in first[0].candidates[:2]]
    assert len(set(texts)) == 3
    assert backend.completions() == 1


def test_a_set_is_completed_under_the_sampling_that_made_it(fake: Fake) -> None:
    backend = fake()
    samples = tts.sample(sums(1), k=2, model="fake:m", sampling=tts.Sampling(temperature=0.2))
    tts.compare(samples, strategies=["majority"], k=4, model="fake:m", sampling=tts.Sampling(temperature=1.5))
    assert [(r.n, r.sampling.temperature) for r in backend.requests] == [(2, 0.2), (2, 0.2)]


def test_a_store_of_two_samplings_is_not_mixed(fake: Fake, tmp_path) -> None:
    fake()
    for temperature in (0.2, 1.0):
        settings = {"sampling": tts.Sampling(temperature=temperature), "store": tmp_path / "s.db"}
        tts.sample(sums(1), k=2, model="fake:m", **settings)
    with pytest.raises(tts.ConfigError, match="candidates of 2 different models or samplings"):
        tts.compare(tmp_path / "s.db", strategies=["majority"], k=2)


def test_a_typo_does_not_keep_models_in_memory(fake: Fake) -> None:
    backend = fake()
    with pytest.raises(tts.ConfigError):
        tts.solve("1+2", model="nope:x")
    for name in "abc":
        tts.solve("1+2", model=f"fake:{name}")
    assert [one.closed for one in backend.instances] == [True, True, False]


def test_threads_that_ask_for_one_model_load_it_once(fake: Fake) -> None:
    import threading
    import time

    backend = fake()
    real = backend.__init__

    def slow(self: FakeBackend, model: str, options: object) -> None:
        time.sleep(0.1)
        real(self, model, options)

    backend.__init__ = slow  # type: ignore[method-assign]
    threads = [threading.Thread(target=tts.solve, args=("1+2",), kwargs={"model": "fake:one"}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert len(backend.instances) == 1


class Fickle(tts.Strategy):
    """Leaves the stream early and goes on working."""

    name: ClassVar[str] = "fickle"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        async with ctx.sample() as arriving:
            candidate = await anext(arriving)
        await asyncio.sleep(0.05)
        return tts.Decision(text=candidate.text, chosen=candidate.index)


def test_leaving_a_stream_cancels_at_once_and_is_charged_to_who_left(fake: Fake) -> None:
    finished: list[int] = []

    def script(request: tts.Request, index: int) -> str:
        finished.append(index)
        return "\\boxed{1}"

    fake(script=script, delay=lambda _request, index: 0.01 * index)
    run = tts.run(sums(1), strategy=Fickle(), k=8, model="fake:m")
    assert finished == [0]
    assert run[0].usage["policy"].cancelled == 7
    both = tts.compare(sums(1), strategies=["first", Fickle()], k=4, model="fake:m")
    usage = {r.provenance.strategy: r.usage["policy"].calls for r in both.results}
    assert usage["first"] == 1


def test_a_timeout_on_the_next_candidate_loses_nothing(fake: Fake) -> None:
    class Patient(tts.Strategy):
        name: ClassVar[str] = "patient"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            got = []
            async with ctx.sample() as arriving:
                while len(got) < ctx.k:
                    try:
                        got.append(await asyncio.wait_for(anext(arriving), 0.005))
                    except TimeoutError:
                        continue
            return tts.Decision(text=got[0].text, chosen=got[0].index)

    fake(delay=lambda *_: 0.02)
    assert len(tts.run(sums(1), strategy=Patient(), k=4, model="fake:m")[0].candidates) == 4


def test_k_beyond_the_slots_is_asked_for_in_parts(fake: Fake) -> None:
    backend = fake()
    run = tts.run(sums(1), strategy="majority", k=10, model="fake:m", concurrency=4)
    assert [r.n for r in backend.requests] == [4, 4, 2]
    assert [c.index for c in run[0].candidates] == list(range(10))


def test_problems_of_one_text_share_their_candidates_also_at_once(fake: Fake) -> None:
    backend = fake(delay=lambda *_: 0.01)
    twins = [tts.Problem(id=name, prompt="1+2") for name in "abc"]
    run = tts.run(twins, strategy="majority", k=4, model="fake:m")
    assert len(backend.requests) == 1
    assert len({tuple(c.text for c in r.candidates) for r in run}) == 1


def test_asking_the_direct_prompt_again_gives_new_samples(fake: Fake) -> None:
    from tts.prompts import direct_messages

    class Again(tts.Strategy):
        name: ClassVar[str] = "again"
        needs: ClassVar[tts.Needs] = tts.Needs(policy=True)

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            await ctx.candidates()
            await ctx.generate(direct_messages(ctx.problem), ctx.k)
            return tts.Decision(text="")

    backend = fake()
    tts.run(sums(1), strategy=Again(), k=4, model="fake:m")
    one, two = backend.requests
    assert one.messages == two.messages
    assert not set(one.seeds) & set(two.seeds)


@pytest.mark.parametrize("answers", [[1.5], [], "text", [tts.Verdict(winner="a")]])
def test_a_scorer_that_breaks_the_contract_is_named(fake: Fake, answers: object) -> None:
    class Wrong:
        Options = tts.NoOptions
        fingerprint = "wrong"

        def __init__(self, model: str, options: object) -> None: ...
        async def score(self, problem, responses):
            return answers

        async def aclose(self) -> None: ...

    class Best(tts.Strategy):
        name: ClassVar[str] = "best"
        needs: ClassVar[tts.Needs] = tts.Needs(scorer=True)

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            found = await ctx.candidates()
            await ctx.score(found.candidates[:1])
            raise AssertionError("no score should have come")

    fake()
    tts.plugins().register("scorer", "wrong", Wrong)
    run = tts.run(sums(1), strategy=Best(), model="fake:m", scorer="wrong:s")
    assert "'wrong:s' returned" in run[0].error
    assert "it must return 1 tts.Score" in run[0].error


def test_an_extractor_that_raises_costs_answers_not_the_run(fake: Fake) -> None:
    def picky(text: str) -> str:
        raise KeyError("no")

    fake()
    tts.plugins().register("extractor", "picky", picky)
    with pytest.warns(tts.PluginWarning, match="extractor 'picky' raised KeyError") as caught:
        run = tts.run(sums(2), strategy="majority", model="fake:m", extractor="picky")
    assert len(caught) == 1
    assert [r.answer for r in run] == [None, None]
    assert not run.failed


def test_half_a_surrogate_pair_is_mended_on_its_way_into_the_store(fake: Fake, tmp_path) -> None:
    fake(script=lambda *_: "\ud83d \\boxed{1}")
    run = tts.run(sums(1), strategy="majority", model="fake:m", store=tmp_path / "s.db")
    assert run[0].answer == "1"
    with tts.Store(tmp_path / "s.db") as store:
        (found,) = store.sets()
        assert store.load(found, lambda text: text)[0].text == "\ufffd \\boxed{1}"


def test_a_prompt_made_of_half_a_surrogate_pair_is_the_same_in_the_next_run(fake: Fake, tmp_path) -> None:
    cls = fake(script=lambda *_: "\ud83d \\boxed{1}")
    texts = [tts.run(sums(2), strategy="gsr", model="fake:m", store=tmp_path / "s.db")[0].text for _ in range(2)]
    assert texts == ["\ufffd \\boxed{1}"] * 2
    assert cls.completions() == 2 * 5


def test_a_closed_store_says_so(tmp_path) -> None:
    store = tts.Store(tmp_path / "s.db")
    store.close()
    with pytest.raises(tts.StoreError, match="is closed; open it again"):
        store.put_problem(sums(1)[0].problem)
    with pytest.raises(tts.StoreError, match="is closed"):
        asyncio.run(store.flushed())


def test_a_copied_problem_has_its_own_content_key() -> None:
    problem = tts.Problem(id="x", prompt="1+2")
    assert problem.digest
    assert problem.model_copy(update={"prompt": "5+6"}).digest == tts.Problem(id="y", prompt="5+6").digest


CLOSING = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import tts
from doubles import FakeBackend

class Careful(FakeBackend):
    async def aclose(self):
        await asyncio.to_thread(print)

tts.plugins().register("backend", "careful", Careful)
print(tts.solve("1+2", model="careful:m").answer)
"""


def test_a_script_ends_quietly(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CLOSING)
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-W", "error", str(script), tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["3"]
    assert done.stderr == ""


def test_ctrl_c_in_a_blocking_call_under_a_running_loop(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys, threading, os, signal\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import tts\n"
        "from doubles import FakeBackend, sums\n"
        "class Slow(FakeBackend):\n"
        "    delay = staticmethod(lambda *_: 20.0)\n"
        "tts.plugins().register('backend', 'slow', Slow)\n"
        "async def main():\n"
        "    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    tts.run(sums(3), strategy='majority', model='slow:m')\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    command = [sys.executable, str(script), str(Path(__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.strip() == "stopped", done.stderr
