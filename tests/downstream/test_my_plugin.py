"""What the author of `my_plugin` runs: the kit, nothing of ours but public names.

FROZEN, as `my_plugin.py` says.
"""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import Any

import pytest
from my_plugin import (
    Alphabet,
    Brevity,
    BrevityOptions,
    Council,
    Doubling,
    Letters,
    Longest,
    Parrot,
    ParrotOptions,
    Rewrite,
    Terse,
)

import tts
from tts import testing
from tts.testing import Check, parametrize

SAID = ["a long way to \\boxed{4}", "\\boxed{4}", "\\boxed{5}", "no idea"]


@parametrize(
    [
        *testing.strategy_checks(Longest(least=2)),
        *testing.task_checks(Doubling(size=3)),
        *testing.scorer_checks(lambda: Brevity("words", BrevityOptions())),
        *testing.judge_checks(Terse(), said={"[[A]]": "a", "[[B]]": "b", "neither": None}),
        *testing.grader_checks(Letters, same=[("Paris", "PARIS")], different=[("Paris", "Rome")]),
    ]
)
def test_it_conforms(check: Check) -> None:
    assert check.name
    check()


class TestParrot(testing.BackendContract):
    question = "What is 17+25?"

    @classmethod
    def make(cls) -> tts.Backend:
        return Parrot("polly", ParrotOptions(wrong=0.5))


def test_all_of_it_at_once() -> None:
    testing.check_strategy(Rewrite(outputs=2))
    testing.check_task(Doubling(kind="words"))
    testing.check_scorer(lambda: Brevity("letters", BrevityOptions(penalty=0.5)))
    testing.check_judge(lambda: Alphabet("", tts.NoOptions()))
    testing.check_grader(Letters, same=[("a", "A")], different=[("a", "b")])


def test_what_it_decides() -> None:
    result = testing.decide(Longest(), SAID)
    assert result.decision is not None
    assert (result.answer, result.decision.chosen, result.decision.confidence) == ("4", 0, 0.5)
    found = testing.candidate_set(SAID, errors=[None, None, None, "the model failed"])
    assert len(found.usable) == 3
    assert testing.decide("my_plugin:Longest", found).answer == "4"
    assert set(testing.answers_by_order(Longest(), SAID, orders=4)) == {"4"}


def test_what_it_asks() -> None:
    model = testing.ScriptedModel(["\\boxed{7}", "\\boxed{8}"])
    scorer = testing.ScriptedScorer({SAID[2]: 1.0, SAID[0]: 0.5, SAID[1]: 0.0, SAID[3]: 0.0})
    result = testing.decide(Rewrite(outputs=2), SAID, model=model, scorer=scorer)
    assert (result.answer, result.alternatives) == ("7", ("8",))
    assert SAID[2] in model.prompts[-1]
    assert len(scorer.calls) == 4
    judge = testing.ScriptedJudge(lambda a, b: "b" if len(a.text) > len(b.text) else "a")
    writer = testing.InstantModel()
    result = testing.decide(Council(inner=Longest()), SAID, model=model, judge=judge, synthesizer=writer)
    assert result.decision is not None
    assert result.decision.trace["arrived"] == 2
    assert len(judge.calls) > 0
    testing.decide("best_of_n", SAID, scorer=testing.InstantScorer())
    testing.decide("knockout", SAID, judge=testing.InstantJudge())


def test_what_it_does_when_the_model_fails() -> None:
    refused = tts.BackendError("not now", retryable=False)
    inner: Any = testing.ScriptedModel("\\boxed{7}")
    model = testing.FaultyModel(inner, {0: refused, 1: "empty"})
    result = tts.run([tts.Problem(id="p", prompt="3+4")], strategy=Longest(), k=2, model=model)[0]
    assert result.error is not None
    assert result.error.startswith("NoCandidatesError")
    assert len(model.requests) == 1


def test_an_hour_takes_no_time() -> None:
    async def slow(_: tts.Request, index: int) -> str:
        await asyncio.sleep(3600 * (index + 1))
        return f"\\boxed{{{index}}}"

    async def main() -> list[tts.Sampled]:
        model: Any = testing.ScriptedModel(slow)
        async with tts.Engine(model=model) as engine:
            return [one async for one in engine.sample([tts.Example(problem=tts.Problem(id="p", prompt="?"))], 2)]

    clock = testing.VirtualClock()
    (sampled,) = clock.run(main())
    assert [one.answer for one in sampled.candidates] == ["0", "1"]
    assert 7200 <= clock.now < 7300


def test_a_client_of_its_own_meets_services() -> None:
    class Client(testing.ScriptedModel):
        def __init__(self, address: str, **options: Any) -> None:
            assert address.startswith("http://127.0.0.1")
            super().__init__(testing.scenarios()["parts"].text)

    names = [check.name for check in testing.client_checks(Client)]
    with pytest.raises(AssertionError, match="checks on Client failed"):
        testing.check_client(Client, expected_failures={name: "it asks nobody" for name in names if name < "t"})

    nobody = "http://127.0.0.1:9/v1"
    assert len(testing.server_checks(nobody, "m")) > 10
    with pytest.raises(AssertionError, match="checks on"):
        testing.check_server(nobody, "m")

    def odd(asked: testing.Asked) -> testing.Reply:
        return testing.plain_reply(asked)._replace(status=418)

    scenario: testing.Scenario = testing.scenarios()["parts"]
    assert scenario.requests == 1
    with testing.Service(odd) as service, pytest.raises(urllib.error.HTTPError, match="418"):
        urllib.request.urlopen(f"{service.base}/models", timeout=10)
    assert [one.path for one in service.asked] == ["/v1/models"]
