"""What decides or scores is in the key of what it said: other code is asked anew, the same code is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend, sums

import tts

SCORER = """
import tts
class Mine:
    Options = tts.NoOptions
    asked = []
    def __init__(self, model, options): pass
    async def score(self, problem, responses):
        self.asked.extend(responses)
        return [tts.Score(value={value}) for one in responses]
    async def aclose(self): pass
"""


def scorer(folder: Path, value: str) -> Any:
    from tts.registry.user_code import user_class

    (folder / "mine.py").write_text(SCORER.format(value=value))
    cls = user_class(f"{folder / 'mine.py'}:Mine")
    tts.plugins().register("scorer", "mine", cls)
    return cls


def best(store: Path, **models: Any) -> tts.Result:
    return tts.run(sums(2), model="fake:m", strategy="best_of_n", k=3, store=store, **models).results[0]


@pytest.mark.parametrize("as_object", [False, True], ids=["reference", "object"])
def test_a_scorer_without_a_fingerprint_is_asked_again_when_its_code_changes(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]], as_object: bool
) -> None:
    fake()
    asked = []
    for value in ("len(one.text)", "len(one.text)", "-len(one.text)"):
        cls = scorer(tmp_path, value)
        del cls.asked[:]
        best(tmp_path / "s.db", scorer=cls("m", None) if as_object else "mine:m")
        asked.append(len(cls.asked))
    assert asked == [4, 0, 4]  # equal texts are scored once


def test_a_scorers_reference_counts_with_the_file_that_it_names(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]]
) -> None:
    fake()
    cls, words, asked = scorer(tmp_path, "1"), tmp_path / "words.txt", []
    for text in ("one", "one", "two"):
        words.write_text(text)
        del cls.asked[:]
        best(tmp_path / "s.db", scorer=f"mine:{words}")
        asked.append(len(cls.asked))
    assert asked == [4, 0, 4]  # equal texts are scored once


def test_an_object_counts_with_its_attributes_when_a_run_begins(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]]
) -> None:
    fake()

    class Factor:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
            return [tts.Score(value=self.factor * len(one.text)) for one in responses]

        async def aclose(self) -> None: ...

    prints = []
    mine: Any = Factor(1.0)
    for given in (mine, Factor(1.0), Factor(2.0), mine):
        prints.append(best(tmp_path / "s.db", scorer=given).provenance.models["scorer"])
    mine.factor = 2.0
    prints.append(best(tmp_path / "s.db", scorer=mine).provenance.models["scorer"])
    assert prints[0] == prints[1] == prints[3] != prints[2] == prints[4]


STRATEGY = """
from typing import ClassVar
import tts
class Mine(tts.Strategy):
    name: ClassVar[str] = "mine"
    rules: str = ""
    async def aggregate(self, ctx):
        usable = (await ctx.candidates()).usable
        return tts.Decision(text=usable[{place}].text, chosen=usable[{place}].index)
"""


def test_decisions_of_other_code_stand_beside_each_other(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]]
) -> None:
    fake()
    file, rules, store = tmp_path / "mine.py", tmp_path / "rules.txt", tmp_path / "s.db"
    told, counts = [], []
    for place, text in ((0, "a"), (0, "a"), (1, "a"), (1, "b")):
        file.write_text(STRATEGY.format(place=place))
        rules.write_text(text)
        run = tts.run(
            sums(2), model="fake:m", strategy=tts.strategy(f"{file}:Mine", rules=str(rules)), k=3, store=store
        )
        told.append(run.results[0].provenance.code)
        with sqlite3.connect(store) as connection:
            counts.append(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    assert told[0] == told[1]
    assert {*told[0]} == {"strategy", "strategy.rules"}
    assert [told[0][name] != told[2][name] for name in told[0]] == [True, False]
    assert [told[2][name] != told[3][name] for name in told[0]] == [False, True]
    assert counts == [2, 2, 4, 6]


def test_an_inner_strategy_and_an_extractor_are_told_too(
    tmp_path: Path, fake: Callable[..., type[FakeBackend]]
) -> None:
    fake()
    (tmp_path / "mine.py").write_text(STRATEGY.format(place=0))

    def last(text: str) -> str | None:
        return text[-1:]

    tts.plugins().register("extractor", "last", last)
    cascade = tts.strategy("cascade", dear=tts.strategy(f"{tmp_path / 'mine.py'}:Mine"))
    run = tts.run(sums(1), model="fake:m", strategy=cascade, k=3, extractor="last")
    assert {"extractor", "strategy.dear"} <= {*run.results[0].provenance.code}


def test_a_result_that_tells_no_code_has_the_key_that_it_always_had(tmp_path: Path) -> None:
    from tts.vocabulary.record import digest

    made_by = {"strategy": "s", "k": 1, "parameters": {}, "seed": 0, "models": {}, "version": "0"}
    result = tts.Result.model_validate(
        {"problem": {"id": "p", "prompt": "1+1"}, "group": 0, "candidates": [], "decision": {"text": "2"},
         "answer": "2", "usage": {}, "seconds": 1.0, "provenance": made_by}
    )  # fmt: skip
    with tts.Store(tmp_path / "s.db") as store:
        store.put_result(result)
    with sqlite3.connect(tmp_path / "s.db") as connection:
        (key,) = connection.execute("SELECT key FROM results").fetchone()
    assert key == digest(result.problem.digest, 0, made_by, [])
