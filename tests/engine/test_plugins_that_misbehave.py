"""Plugins that end the program or say what is no verdict lose their own work, nobody else's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, LengthScorer, sums

import tts

Fake = Callable[..., type[FakeBackend]]


def leave(*_: Any) -> Any:
    sys.exit(3)


class Leaves(tts.Strategy):
    name: ClassVar[str] = "leaves"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        sys.exit(3)


def test_a_strategy_that_exits_fails_alone(fake: Fake) -> None:
    fake()
    table = tts.compare(sums(2), strategies=["majority", Leaves()], k=2, model="fake:m")
    assert [r.error is None for r in table.results] == [True, False] * 2
    assert "strategy 'leaves' called sys.exit(3) on problem" in str(table.results[1].error)


def test_a_backend_that_exits_is_a_failed_candidate(fake: Fake) -> None:
    fake(before=leave)
    run = tts.run(sums(1), strategy="majority", k=2, model="fake:m")
    assert "'fake:m' raised SystemExit: 3" in str(run[0].error)


def test_a_backend_that_exits_while_it_loads(fake: Fake) -> None:
    cls = fake()
    cls.__init__ = leave  # type: ignore[method-assign]
    with pytest.raises(tts.BackendError, match="could not be loaded: RuntimeError: it raised SystemExit: 3"):
        tts.run(sums(1), strategy="majority", k=2, model="fake:m")


def test_a_scorer_that_exits_is_a_failed_result(fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fake()
    monkeypatch.setattr(LengthScorer, "score", leave)
    table = tts.compare(sums(1), strategies=["majority", "best_of_n"], k=2, model="fake:m", scorer="fake:m")
    assert [r.error is None for r in table.results] == [True, False]
    assert "'fake:m' called sys.exit(3)" in str(table.results[1].error)


def test_a_listener_that_exits_disturbs_nothing(fake: Fake) -> None:
    fake()
    with pytest.warns(tts.PluginWarning, match="an event listener raised SystemExit: 3"):
        assert not tts.run(sums(1), strategy="majority", k=2, model="fake:m", listeners=[leave]).failed


def test_an_extractor_that_exits_costs_answers(fake: Fake, tmp_path: Path) -> None:
    fake()
    tts.plugins().register("extractor", "leaving", leave)
    with pytest.warns(tts.PluginWarning, match="extractor 'leave' raised SystemExit: 3"):
        run = tts.run(sums(1), strategy="majority", model="fake:m", extractor="leaving", store=tmp_path / "s.db")
    assert run.answers
    with pytest.warns(tts.PluginWarning, match="extractor 'leave' raised SystemExit: 3"):
        again = tts.compare(tmp_path / "s.db", strategies=["majority"], extractor="leaving")
    assert [r.answer for r in again.results] == [None]


def test_a_file_that_exits_is_a_wrong_call(tmp_path: Path) -> None:
    file = tmp_path / "leaving.py"
    file.write_text("import sys\nsys.exit(3)\n")
    for call in (tts.strategy, tts.grader):
        with pytest.raises(tts.ConfigError, match="cannot be imported: SystemExit: 3"):
            call(f"{file}:X")


def graded_by(said: Any, close: Callable[[], Any] = bool) -> tts.Comparison:
    class Saying:
        async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> Any:
            return said(pairs) if callable(said) else [said] * len(pairs)

        async def aclose(self) -> None:
            close()

    tts.plugins().register("grader", "saying", Saying)
    return tts.run(sums(2), strategy="majority", k=2, model="fake:m", grader="saying")


@pytest.mark.parametrize("said", ["no", "false", 0, 1, None, 0.5, leave, lambda _: [True], lambda _: None])
def test_what_is_no_verdict_is_no_grade(fake: Fake, said: Any) -> None:
    fake()
    with pytest.warns(tts.PluginWarning, match="nothing is graded: the grader raised"):
        run = graded_by(said)
    assert run.accuracy("majority") is None
    assert not run.failed


def test_bools_are_verdicts_and_numpy_s_too(fake: Fake) -> None:
    numpy = pytest.importorskip("numpy")
    fake()
    for said in (True, numpy.bool_(True), lambda pairs: numpy.ones(len(pairs), bool)):
        with pytest.warns(tts.PluginWarning, match="closing the grader raised SystemExit: 3"):
            found = graded_by(said, close=leave).accuracy("majority")
        assert found is not None
        assert found.mean == 1.0


def test_a_function_that_says_no_is_no_grader(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def same(gold, answer):\n    return 'no'\n")
    with pytest.raises(tts.TTSError, match="its verdict is 'no' on the answer '2' to '1'; a verdict is True or False"):
        tts.run_sync(lambda: tts.grader(f"{file}:same").grade([("1", "2")]))
