"""Plugins that end the program or say what is no verdict lose their own work, nobody else's."""

from __future__ import annotations

import os
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
    assert "'fake:m' called sys.exit(3)" in str(run[0].error)


def test_a_backend_that_exits_while_it_loads(fake: Fake) -> None:
    cls = fake()
    cls.__init__ = leave  # type: ignore[method-assign]
    with pytest.raises(tts.BackendError, match="could not be loaded: it called sys.exit"):
        tts.run(sums(1), strategy="majority", k=2, model="fake:m")


def test_a_scorer_that_exits_is_a_failed_result(fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fake()
    monkeypatch.setattr(LengthScorer, "score", leave)
    table = tts.compare(sums(1), strategies=["majority", "best_of_n"], k=2, model="fake:m", scorer="fake:m")
    assert [r.error is None for r in table.results] == [True, False]
    assert "'fake:m' called sys.exit(3)" in str(table.results[1].error)


def test_a_listener_that_exits_disturbs_nothing(fake: Fake) -> None:
    fake()
    with pytest.warns(tts.PluginWarning, match="an event listener called sys.exit"):
        assert not tts.run(sums(1), strategy="majority", k=2, model="fake:m", listeners=[leave]).failed


def test_an_extractor_that_exits_costs_answers(fake: Fake, tmp_path: Path) -> None:
    fake()
    tts.plugins().register("extractor", "leaving", leave)
    with pytest.warns(tts.PluginWarning, match="extractor 'leaving' called sys.exit"):
        run = tts.run(sums(1), strategy="majority", model="fake:m", extractor="leaving", store=tmp_path / "s.db")
    assert run.answers
    with pytest.warns(tts.PluginWarning, match="extractor 'leaving' called sys.exit"):
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
    with pytest.warns(tts.PluginWarning, match="nothing is graded: grader 'saying'"):
        run = graded_by(said)
    assert run.accuracy("majority") is None
    assert not run.failed


def test_bools_are_verdicts_and_numpy_s_too(fake: Fake) -> None:
    numpy = pytest.importorskip("numpy")
    fake()
    for said in (True, numpy.bool_(True), lambda pairs: numpy.ones(len(pairs), bool)):
        with pytest.warns(tts.PluginWarning, match="closing the grader 'saying' called sys.exit"):
            found = graded_by(said, close=leave).accuracy("majority")
        assert found is not None
        assert found.mean == 1.0


def test_a_function_that_says_no_is_no_grader(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def same(gold, answer):\n    return 'no'\n")
    with pytest.raises(tts.TTSError, match="its verdict is 'no' on the answer '2' to '1'; a verdict is True or False"):
        tts.run_sync(lambda: tts.grader(f"{file}:same").grade([("1", "2")]))


class Raises(tts.Strategy):
    name: ClassVar[str] = "raises"
    how: int = 0

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        raise HOW[self.how]


HOW = [KeyboardInterrupt(), GeneratorExit(), BaseException("no"), tts.StoreError("mine")]


@pytest.mark.parametrize("how", range(len(HOW)), ids=lambda how: type(HOW[how]).__name__)
def test_whatever_a_strategy_raises_the_others_go_on(fake: Fake, how: int) -> None:
    fake()
    table = tts.compare(sums(2), strategies=["majority", Raises(how=how)], k=2, model="fake:m")
    assert [r.error is None for r in table.results] == [True, False] * 2
    assert f"strategy 'raises' raised {type(HOW[how]).__name__} on problem 'p0'" in str(table.results[1].error)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseException("no"), tts.BudgetExceededError("mine")])
def test_whatever_a_model_raises_is_a_failed_candidate(fake: Fake, error: BaseException) -> None:
    def before(request: tts.Request) -> None:
        if request.context == "p0":
            raise error

    fake(before=before)
    run = tts.run(sums(2), strategy="majority", k=2, model="fake:m")
    assert [r.error is None for r in run] == [False, True]
    assert f"'fake:m' raised {type(error).__name__}" in str(run[0].error)


def deep(levels: int) -> dict[str, Any]:
    trace: dict[str, Any] = {}
    for _ in range(levels):
        trace = {"t": trace}
    return trace


UNCHECKED = {
    "text is None": tts.Decision.model_construct(text=None),
    "alternatives is 7": tts.Decision.model_construct(text="2", alternatives=7),
    "a trace that is not JSON-able": tts.Decision(text="2", trace=deep(400)),
}


@pytest.mark.parametrize("sentence", UNCHECKED)
def test_a_decision_made_without_the_checks_is_checked(fake: Fake, tmp_path: Path, sentence: str) -> None:
    class Unchecked(tts.Strategy):
        name: ClassVar[str] = "unchecked"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            await ctx.candidates()
            return UNCHECKED[sentence]

    fake()
    table = tts.compare(sums(1), strategies=["majority", Unchecked()], model="fake:m", store=tmp_path / "s.db")
    assert sentence in str(table.results[1].error)
    assert table.results[0].error is None


@pytest.mark.parametrize("n", [0, -1, 10**9, "many", None])
def test_what_is_asked_for_has_a_number(fake: Fake, n: Any) -> None:
    class Greedy(tts.Strategy):
        name: ClassVar[str] = "greedy"
        needs: ClassVar[tts.Needs] = tts.Needs(policy=True)

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            await ctx.generate([tts.Message(role="user", content="1+1")], n)
            raise AssertionError

    fake()
    assert "n is a whole number from 1 to 100,000" in str(tts.run(sums(1), strategy=Greedy(), model="fake:m")[0].error)


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("capabilities", tts.Capabilities(concurrency=0), "concurrency=0; it must be 1 or more"),
        ("capabilities", None, "has no capabilities"),
        ("generate", None, "has no generate"),
        ("fingerprint", 7, "its fingerprint is 7; it must be a text"),
        ("fingerprint", property(leave), "could not be loaded: it called sys.exit"),
    ],
)
def test_a_model_that_could_not_be_asked_is_refused(fake: Fake, part: str, value: Any, sentence: str) -> None:
    setattr(fake(), part, value)
    with pytest.raises(tts.BackendError, match=f"'fake:m'.*{sentence}"):
        tts.run(sums(1), strategy="majority", k=2, model="fake:m")


@pytest.mark.parametrize(
    ("field", "value"), [("text", None), ("usage", None), ("index", -1), ("finish_reason", "what"), ("summary", 7)]
)
def test_a_completion_made_without_the_checks_is_checked(fake: Fake, field: str, value: Any) -> None:
    async def generate(self: Any, request: tts.Request) -> Any:
        good = tts.Completion(index=0, text="2", summary="2", usage=tts.Usage(calls=1))
        yield tts.Completion.model_construct(**{**vars(good), field: value})

    fake().generate = generate  # type: ignore[method-assign]
    run = tts.run(sums(1), strategy="majority", k=1, model="fake:m")
    assert "'fake:m' yielded" in str(run[0].error)
    assert field in str(run[0].error)


async def no_generator(self: Any, request: tts.Request) -> list[tts.Completion]:
    return []


@pytest.mark.parametrize("generate", [no_generator, lambda *_: [], lambda *_: None])
def test_what_is_no_generator_is_said(fake: Fake, generate: Any) -> None:
    fake().generate = generate
    run = tts.run(sums(1), strategy="majority", k=1, model="fake:m")
    assert "generate must be an async generator" in str(run[0].error)


@pytest.mark.parametrize("value", [float("nan"), "x", None])
def test_a_score_made_without_the_checks_is_checked(
    fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    async def score(self: Any, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        return [tts.Score.model_construct(value=value, usage=tts.Usage())] * len(responses)

    fake()
    monkeypatch.setattr(LengthScorer, "score", score)
    run = tts.run(sums(1), strategy="best_of_n", k=2, model="fake:m", scorer="fake:m")
    assert "'fake:m' returned a Score whose value is" in str(run[0].error)


def test_a_grader_that_changes_what_it_was_given_changes_nothing(fake: Fake) -> None:
    def empties(pairs: Any) -> list[bool]:
        verdicts = [True] * len(pairs)
        pairs.clear()
        return verdicts

    fake()
    found = graded_by(empties).accuracy("majority")
    assert found is not None
    assert found.mean == 1.0


def test_a_grader_that_cannot_be_made_is_a_wrong_call(fake: Fake) -> None:
    cls = fake()
    tts.plugins().register("grader", "leaving", type("Leaving", (), {"__init__": leave}))
    with pytest.raises(tts.ConfigError, match="grader 'leaving' cannot be made: it called sys.exit"):
        tts.run(sums(1), strategy="majority", k=2, model="fake:m", grader="leaving")
    assert cls.completions() == 0


def test_an_answer_that_compares_as_it_likes_is_plain_text(fake: Fake) -> None:
    class Odd(str):
        def __eq__(self, other: object) -> bool:
            raise ValueError

        __hash__ = str.__hash__

    fake()
    tts.plugins().register("extractor", "odd", lambda_named(Odd))
    run = tts.run(sums(1), strategy="majority", k=2, model="fake:m", extractor="odd")
    assert type(run[0].answer) is str


def lambda_named(kind: type[str]) -> Callable[[str], str]:
    def odd(text: str) -> str:
        return kind("1")

    return odd


def test_a_store_stays_where_it_is_when_a_plugin_changes_the_folder(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    fake(before=lambda _: os.chdir(elsewhere))
    with pytest.warns(tts.PluginWarning, match="changed the working directory"):
        assert not tts.run(sums(2), strategy="majority", k=2, model="fake:m", store="s.db").failed
    assert list(elsewhere.iterdir()) == []
