"""The synchronous face: scripts, notebooks, files, stores, models kept warm."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import FakeBackend, candidate_set, sums
from waiting import joined

import tts

Fake = Callable[..., type[FakeBackend]]


def test_works_inside_a_running_event_loop(fake: Fake) -> None:
    fake()

    async def notebook() -> tuple:
        result = tts.solve("1+2", k=4, model="fake:m")
        run = tts.run(sums(2), strategy="gsr", k=4, model="fake:m")
        samples = tts.sample(sums(2), k=4, model="fake:m")
        return result, run, samples, tts.compare(samples, strategies=["majority", "gsr"], k=2)

    result, run, samples, comparison = asyncio.run(notebook())
    assert result.answer == "3"
    assert run.answers == {"p0": "1", "p1": "3"}
    assert len(samples[0]) == 4
    assert len(comparison.rows) == 4, "two groups of two per problem"


def test_errors_reach_the_caller_inside_a_loop_too(fake: Fake) -> None:
    fake()

    async def notebook() -> None:
        tts.run(sums(1), strategy="gsrr", model="fake:m")

    with pytest.raises(tts.UnknownPluginError):
        asyncio.run(notebook())


def test_models_stay_warm_until_another_is_asked_for(fake: Fake) -> None:
    backend = fake()
    tts.solve("1+2", model="fake:a")
    tts.solve("2+2", model="fake:a")
    assert len(backend.instances) == 1
    tts.solve("2+2", model="fake:b")
    assert [one.closed for one in backend.instances] == [True, False]


def test_an_engine_closes_its_models(fake: Fake) -> None:
    backend = fake()

    async def main() -> None:
        async with tts.Engine(model="fake:a") as engine:
            await engine.solve("1+2")

    asyncio.run(main())
    assert backend.instances[-1].closed


def test_calls_from_several_threads_share_the_model(fake: Fake) -> None:
    fake(delay=lambda *_: 0.01)
    results: dict[int, str | None] = {}

    def one(i: int) -> None:
        results[i] = tts.solve(f"{i}+1", model="fake:m").answer

    threads = [threading.Thread(target=one, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert results == {i: str(i + 1) for i in range(5)}


def test_samples_keep_order_answers_and_model(fake: Fake, tmp_path: Path) -> None:
    fake(delay=lambda request, _: 0.02 if request.context == "p0" else 0.0)
    samples = tts.sample(sums(4), k=2, model="fake:m")
    assert [one.problem.id for one in samples] == ["p0", "p1", "p2", "p3"]
    assert samples.answers["p2"] == "5"
    assert samples[1:3].answers == {"p1": "3", "p2": "5"}
    path = samples.save(tmp_path / "sets.jsonl")
    again = tts.compare(path, strategies=["majority"], k=2)
    direct = tts.compare(samples, strategies=["majority"], k=2)
    assert [r.text for r in again.results] == [r.text for r in direct.results]
    with pytest.raises(tts.ConfigError, match=r"must be \.jsonl"):
        samples.save(tmp_path / "sets.txt")


def test_sampling_twice_asks_only_for_what_is_missing(fake: Fake, tmp_path: Path) -> None:
    backend = fake()
    store = tmp_path / "s.db"
    settings = {"model": "fake:m", "store": store, "concurrency": 16}
    four = tts.sample(sums(3), k=4, **settings)
    sixteen = tts.sample(sums(3), k=16, **settings)
    assert [r.n for r in backend.requests] == [4] * 3 + [12] * 3
    assert [c.text for s in four for c in s] == [c.text for s in sixteen for c in s.candidates[:4]]
    assert tts.sample(sums(3), k=8, model="fake:m", store=store).spent == {}


def test_a_second_compare_costs_nothing(fake: Fake, tmp_path: Path) -> None:
    backend = fake()
    settings = {"strategies": ["majority", "gsr"], "k": 4, "model": "fake:m", "store": tmp_path / "s.db"}
    first = tts.compare(sums(3), **settings)
    asked = len(backend.requests)
    second = tts.compare(sums(3), **settings)
    assert len(backend.requests) == asked
    assert second.spent == {}
    assert first.usage("gsr") == second.usage("gsr")
    assert [r.text for r in first.results] == [r.text for r in second.results]
    stored = tts.compare(str(tmp_path / "s.db"), strategies=["majority"], k=4)
    assert stored.accuracy("majority").mean == first.accuracy("majority").mean


def test_a_changed_template_never_reuses_old_calls(fake: Fake, tmp_path: Path) -> None:
    backend = fake()
    path = tmp_path / "t.jinja"
    for wording in ("A", "B"):
        path.write_text(wording + " {{ candidates | length }} Candidate Response\nProblem:\n{{ problem }}\n")
        gsr = tts.strategy("gsr", template=str(path))
        tts.compare(sums(1), strategies=[gsr], k=4, model="fake:m", store=tmp_path / "s.db")
    assert [r.messages[0].content[0] for r in backend.requests if "Response" in r.messages[0].content] == ["A", "B"]


def test_a_run_is_a_table_a_frame_and_a_file(fake: Fake, tmp_path: Path) -> None:
    fake()
    run = tts.run(sums(6), strategy="gsr", k=4, model="fake:m")
    assert "gsr (selfRef@4)" in str(run)
    assert "<table>" in run._repr_html_()
    assert len(run) == 6
    frame = run.to_dataframe()
    assert list(frame["correct"]) == [1.0] * 6
    assert json.loads(run.save(tmp_path / "r.json").read_text())["strategies"]["gsr"]["accuracy"]["mean"] == 1.0
    assert len(run.save(tmp_path / "r.jsonl").read_text().splitlines()) == 6
    assert run.save(tmp_path / "deep" / "r.csv").exists()
    assert run.save(tmp_path / "r.parquet").exists()
    with pytest.raises(tts.ConfigError, match=r"the ending must be \.json"):
        run.save(tmp_path / "r.xlsx")


def test_results_are_heard_as_they_are_decided(fake: Fake) -> None:
    fake(delay=lambda request, _: 0.05 if request.context == "p0" else 0.0)
    heard: list[str] = []
    run = tts.run(sums(3), strategy="majority", k=2, model="fake:m", on_result=lambda r: heard.append(r.problem.id))
    assert heard[-1] == "p0"
    assert [r.problem.id for r in run] == ["p0", "p1", "p2"]


def test_candidate_text_is_inert_in_html(fake: Fake) -> None:
    fake(script=lambda *_: (_ for _ in ()).throw(RuntimeError("<script>alert(1)</script>")))
    run = tts.run(sums(1), strategy="majority", model="fake:m")
    assert "<script>" in str(run)
    assert "<script>" not in run._repr_html_()


def test_candidates_without_gold_answers_still_decide(fake: Fake) -> None:
    comparison = tts.compare([candidate_set("\\boxed{1}", "\\boxed{1}")], strategies=["majority"], k=2)
    assert comparison.results[0].answer == "1"
    assert comparison.accuracy("majority") is None
    assert "majority (maj@2)" in str(comparison)


def test_the_strategy_must_be_in_the_comparison(fake: Fake) -> None:
    comparison = tts.compare([candidate_set("\\boxed{1}")], strategies=["majority"], k=1)
    with pytest.raises(tts.ConfigError, match="'gsr' is not in this comparison; it has majority"):
        comparison.accuracy("gsr")
