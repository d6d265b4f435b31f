"""Models on a real Ray cluster of this machine, in several actors, some of which are killed: `make test-ray`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.exceptions", reason="Ray is not installed: make test-ray")  # `ray` is this folder, too
from doubles import sums
from waiting import until

import tts
from tts_backends.ray import RayBackend, RayScorer
from tts_backends.ray import pool as ray_pool

K = 4


def asked(log: Path) -> list[tuple[int, tuple[str, str]]]:
    """Who was asked for what: (process, (problem, seed)), in order."""
    return [(int(line.split()[0]), tuple(line.split()[1:])) for line in log.read_text().splitlines()]  # type: ignore[misc]


def backend(**options: Any) -> RayBackend:
    return RayBackend("adder:m", RayBackend.Options(**{"actors": 2, "cpus": 0.1, **options}))


def request(prompt: str = "1+2", n: int = 1, **fields: Any) -> tts.Request:
    return tts.Request(messages=(tts.Message(role="user", content=prompt),), n=n, seeds=tuple(range(n)), **fields)


async def answers(model: RayBackend, *requests: tts.Request) -> list[list[tts.Completion]]:
    async def one(each: tts.Request) -> list[tts.Completion]:
        async with aclosing(model.generate(each)) as arriving:
            return [completion async for completion in arriving]

    return await asyncio.gather(*map(one, requests))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_is_spread_and_gives_what_it_gives_in_one_process(tmp_path: Path) -> None:
    log, store = tmp_path / "asked.txt", tmp_path / "s.db"
    there = tts.run(
        sums(30),
        strategy="gsr",
        k=K,
        model=f"adder:m@actors=3,cpus=0.1,delay=0.1,log={log}",  # slow: nothing waits for the third
        executor="ray",
        store=store,
    )
    assert all(result.error is None for result in there.results)
    assert len({pid for pid, _ in asked(log)}) == 3
    assert set(Counter(what for _, what in asked(log)).values()) == {1}
    here = tts.run(sums(30), strategy="gsr", k=K, model=f"adder:m@log={log}", store=tmp_path / "here.db")
    assert [result.text for result in there.results] == [result.text for result in here.results]
    assert [result.provenance for result in there.results] == [result.provenance for result in here.results]


def test_what_ray_sampled_is_not_sampled_again_without_it(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    first = tts.run(sums(5), strategy="majority", k=K, model="adder:m@cpus=0.1", executor="ray", store=store)
    again = tts.run(sums(5), strategy="majority", k=K, model="adder:m", store=store)
    assert first.spent["policy"].calls == 5 * K
    assert not again.spent


def test_an_actor_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    log, store = tmp_path / "asked.txt", tmp_path / "s.db"
    model, decided, killed = backend(actors=3, delay=0.02, log=str(log)), [], []

    def on_result(result: tts.Result) -> None:
        decided.append(result.problem.id)
        if len(decided) == 10:
            killed.append(model._pool.pids()[1])
            os.kill(killed[0], signal.SIGKILL)

    run = tts.run(sums(60), strategy="gsr", k=K, model=model, store=store, on_result=on_result)
    assert sorted(decided) == sorted(f"p{i}" for i in range(60))
    assert all(result.error is None for result in run.results)
    again = [what for what, times in Counter(what for _, what in asked(log)).items() if times > 1]
    first = {what: pid for pid, what in reversed(asked(log))}
    assert all(first[what] == killed[0] for what in again), "only what the killed one had is asked for again"
    assert len(again) <= 2 * model._pool.about.capabilities.concurrency  # type: ignore[union-attr]
    with tts.Store(store) as kept:
        assert kept.counts()["completions"] == 60 * (K + 1) == len(first)
    assert run.spent["policy"].calls - run.spent["policy"].cancelled == 60 * (K + 1)
    here = tts.run(sums(60), strategy="gsr", k=K, model="adder:m")
    assert [result.text for result in run.results] == [result.text for result in here.results]
    until(lambda: len(model._pool.pids()) == 3, seconds=300)  # it is replaced
    assert killed[0] not in model._pool.pids()
    asyncio.run(model.aclose())


def test_a_request_that_kills_its_actors_is_given_up() -> None:
    model = backend(poison="p1")
    run = tts.run(sums(4), strategy="majority", k=2, model=model)
    errors = {result.problem.id: result.error for result in run.results if result.error}
    assert set(errors) == {"p1"}
    assert "actors of 'ray:adder:m' were lost over it" in errors["p1"]
    asyncio.run(model.aclose())


def test_a_part_goes_to_every_actor_that_has_room() -> None:
    async def main() -> None:
        model = backend(room=3, delay=0.05)
        [found] = await answers(model, request(n=6))
        assert sorted(completion.index for completion in found) == list(range(6))
        assert model.capabilities.concurrency == 6
        texts = {completion.index: completion.text for completion in found}
        assert "4" in texts[0], "the first seed answers wrongly, wherever its part was made"
        assert "3" in texts[1]
        await model.aclose()

    asyncio.run(main())


def test_urgent_requests_overtake_those_that_wait(tmp_path: Path) -> None:
    async def main() -> list[str]:
        model = backend(actors=1, room=1, delay=0.2, log=str(tmp_path / "asked.txt"))
        late = [request(context=f"late{i}", priority=9) for i in range(3)]
        await answers(model, *late, request(context="urgent", priority=1))
        await model.aclose()
        return [context for _, (context, _) in asked(tmp_path / "asked.txt")]

    assert asyncio.run(main()).index("urgent") == 1


def test_a_request_that_is_abandoned_is_cancelled_where_it_runs(tmp_path: Path) -> None:
    async def main() -> list[tts.Usage]:
        model, spent = backend(actors=1, room=2, delay=0.3), []
        generator = model.generate(request(n=4, on_cancelled=spent.append))
        await anext(generator)
        await generator.aclose()
        assert model._pool._actors[0].busy == 0
        assert len((await answers(model, request(n=2)))[0]) == 2
        await model.aclose()
        return spent

    spent = asyncio.run(main())
    assert len(spent) == 3
    assert sum(usage.cancelled for usage in spent) == 3
    assert min(usage.calls for usage in spent) == 0, "the last one had not begun"


def test_errors_of_a_model_arrive_as_they_were_raised() -> None:
    with pytest.raises(tts.ConfigError, match="this model cannot be loaded; give another"):
        backend(broken=True)
    with pytest.raises(tts.ConfigError, match="has no option 'rooms'; did you mean 'room'"):
        backend(rooms=3)
    model = backend(actors=1)
    with pytest.raises(tts.ContextLengthError, match="2,000 tokens") as caught:
        asyncio.run(answers(model, request("too long")))
    assert caught.value.context_length == 1000
    with pytest.raises(tts.BackendError, match="adder:m raised ValueError"):
        asyncio.run(answers(model, request("no sum")))
    asyncio.run(model.aclose())
    with pytest.raises(tts.BackendError, match="is closed"):
        asyncio.run(answers(model, request()))


def test_actors_end_with_the_backend() -> None:
    model = backend()
    pids = model._pool.pids()
    asyncio.run(answers(model, request()))
    assert asyncio.run(model.count_tokens(["one two", ""])) == [2, 0]
    asyncio.run(model.aclose())
    until(lambda: not any(map(alive, pids)))


def test_a_cluster_without_room_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_pool, "PATIENCE", 1.0)
    with pytest.raises(tts.BackendUnavailable, match=r"no room for an actor .* needs 2 GPUs .* the cluster has 0 GPUs"):
        backend(gpus=2)


class Mine(tts.Strategy):
    """A strategy that no worker could import: it asks everybody there is."""

    name = "mine"
    needs = tts.Needs(scorer=True, judge=True, policy=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = (await ctx.candidates()).candidates
        scores = await ctx.score(found)
        [verdict] = await ctx.judge(found[0], found[1])
        return tts.Decision(text=found[0].text, chosen=0, trace={"scores": len(scores), "winner": verdict.winner})


def test_scorers_and_judges_run_there_and_strategies_here() -> None:
    run = tts.run(
        sums(3), strategy=Mine(), k=3, executor="ray", model="adder:m@cpus=0.1", scorer="shorter:m@cpus=0.1",
        judge="shorter:m@cpus=0.1",
    )  # fmt: skip
    assert [result.error for result in run.results] == [None] * 3
    assert all(result.decision.trace["scores"] == 3 for result in run.results if result.decision)
    assert 3 <= run.spent["scorer"].calls <= 9, "equal texts are scored once"


def test_a_lost_scorer_is_replaced() -> None:
    scorer = RayScorer("shorter:m", RayScorer.Options(actors=1, cpus=0.1))
    os.kill(scorer._pool.pids()[0], signal.SIGKILL)
    found = asyncio.run(scorer.score(tts.Problem(id="p", prompt="1+1"), [tts.Candidate(index=0, text="abc")]))
    assert [score.value for score in found] == [-3]
    asyncio.run(scorer.aclose())


def test_the_command_line(cluster: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tts", "run", "-n", "4", "-s", "majority", "-k", "2", "--ray", "--json",
         "--model", "hf:miniature@actors=2,cpus=0.1"],
        env={**os.environ, "RAY_ADDRESS": cluster}, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 4
    assert "majority" in done.stderr


def test_a_model_whose_files_changed_is_loaded_anew_in_its_actors(tmp_path: Path) -> None:
    version = tmp_path / "version"

    def policy() -> str:
        return tts.sample(sums(1), k=1, model=f"ray:adder:{version}@dated=true,actors=2")[0].policy

    found = []
    for text in ("1", "1", "2"):
        version.write_text(text)
        found.append(policy())
    assert found[0] == found[1] != found[2]
    assert found[2].endswith("2")
