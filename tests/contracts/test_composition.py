"""A strategy that has others as fields: how they are given, written down, needed, asked and charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, boxed, decide, sums

import tts
from tts.prompts import Prompts

Fake = Callable[..., type[FakeBackend]]


class Both(tts.Strategy):
    """A stranger's: asks two others, one after the other or at once. No paper."""

    name: ClassVar[str] = "both"

    one: tts.Strategy = tts.strategy("majority")
    other: tts.Strategy = tts.strategy("gsr")
    together: bool = False

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        """The second's decision."""
        if self.together:
            _, last = await asyncio.gather(ctx.decide(self.one), ctx.decide(self.other))
            return last
        await ctx.decide(self.one)
        return await ctx.decide(self.other)


GSR3 = tts.strategy("gsr", outputs=3)


@pytest.mark.parametrize("given", [GSR3, {"name": "gsr", "outputs": 3}])
def test_a_field_takes_a_strategy_in_any_form(given: object) -> None:
    strategy = tts.strategy(Both, other=given)
    assert strategy.other == GSR3
    assert Both.model_validate_json(strategy.model_dump_json()) == strategy
    assert Both.model_validate(strategy.model_dump()) == strategy
    assert tts.strategy(strategy, together=True).other == GSR3
    assert strategy.model_dump(exclude_defaults=True) == {"other": {"name": "gsr", "outputs": 3}}


def test_a_field_takes_a_name() -> None:
    assert tts.strategy(Both, other="first").model_dump(exclude_defaults=True, mode="json") == {"other": "first"}
    assert tts.strategy(Both, other=tts.strategy("first")) == tts.strategy(Both, other="first")
    assert tts.strategy(Both, other="first") != tts.strategy(Both, other="majority")
    assert Both.model_json_schema()["properties"]["other"]["anyOf"][0] == {"type": "string"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("gsrr", "parameter other='gsrr': no strategy is called 'gsrr'; did you mean 'gsr'"),
        ({"name": "gsr", "output": 3}, "strategy 'gsr' has no parameter 'output'; did you mean 'outputs'"),
        ({"name": "gsr", "outputs": 0}, "strategy 'gsr': parameter outputs=0: Input should be greater than"),
        ({"outputs": 3}, 'a strategy with parameters has a "name" among them, as in {"name": "gsr", "outputs": 4}'),
        (7, "7 is no strategy; give a name, an instance or a subclass of tts.Strategy"),
    ],
)
def test_what_is_no_strategy_is_one_sentence(given: object, sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as caught:
        tts.strategy(Both, other=given)
    assert str(caught.value).startswith("strategy 'both': parameter other=")
    assert sentence in str(caught.value)


def test_it_needs_what_its_fields_need() -> None:
    logprobs = {"name": "majority", "weights": "logprob"}
    assert tts.strategy(Both).required() == tts.Needs(policy=True)
    assert tts.strategy(Both, one=logprobs, other="knockout").required() == tts.Needs(judge=True, logprobs=True)
    nested = tts.strategy(Both, one="best_of_n", other=tts.strategy(Both))
    assert nested.required() == tts.Needs(scorer=True, policy=True)
    with pytest.raises(tts.MissingRoleError, match="strategy 'both' needs a policy: pass model="):
        decide(boxed(1, 2), tts.strategy(Both))


def test_mismatches_are_those_of_its_fields() -> None:
    trained = Prompts(
        direct_template="{{ problem }}", refine_template="{{ problem }} {{ candidates }}", candidate_tokens=9, k=2
    )
    assert tts.strategy(Both).mismatches(trained, 2) == []
    assert tts.strategy(Both, other={"name": "gsr", "group_size": 3}).mismatches(trained, 5) == [
        "gsr shows 3 candidates and it was trained on 2 (give group_size=2)"
    ]


@pytest.mark.parametrize("together", [False, True])
def test_each_decides_as_it_would_alone_and_calls_are_shared(fake: Fake, together: bool) -> None:
    backend = fake()
    one = {"name": "majority", "ties": "seeded"}
    both = tts.strategy(Both, one=one, together=together)
    table = tts.compare(sums(4), strategies=["gsr", both], k=3, model="fake:m")
    assert backend.completions() == 4 * (3 + 1), "the refinement is the same call"
    assert [table.usage(name).calls for name in ("gsr", "both")] == [16, 16]
    for row in table.rows:
        alone, asked = row.outcome.results["gsr"], row.outcome.results["both"]
        assert alone.decision == asked.decision


def test_an_undeclared_role_is_refused_for_the_one_that_is_asked(fake: Fake) -> None:
    class Sly(tts.Strategy):
        """Says that it needs nothing. No paper."""

        name: ClassVar[str] = "sly"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            """Never comes so far."""
            await ctx.generate([tts.Message(role="user", content="hi")])
            raise AssertionError

    fake()
    error = decide(boxed(1, 2), tts.strategy(Both, one=Sly()), "fake:m").error
    assert "strategy 'sly' called the policy without declaring it" in (error or "")


def test_one_that_hangs_inside_another_is_stopped_but_not_one_that_waits(fake: Fake) -> None:
    class Sleeps(tts.Strategy):
        """Does nothing. No paper."""

        name: ClassVar[str] = "sleeps"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            """Never."""
            await ctx.candidates()
            await asyncio.sleep(60)
            raise AssertionError

    fake(delay=lambda *_: 0.4)
    waiting = tts.run(sums(1), strategy=tts.strategy(Both), k=2, model="fake:m", timeout=0.1)[0]
    assert waiting.error is None
    hanging = tts.run(sums(1), strategy=tts.strategy(Both, one=Sleeps()), k=2, model="fake:m", timeout=0.1)[0]
    assert "strategy 'both' did nothing for 0.1 s" in (hanging.error or "")


def test_rates_of_decisions_are_added_up() -> None:
    class Tells(tts.Strategy):
        """Counts odd problems. No paper."""

        name: ClassVar[str] = "tells"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            """The first candidate."""
            found = await ctx.candidates()
            odd = int(ctx.problem.id[1:]) % 2
            rates: dict[str, Any] = {"odd": (odd, 1), "never": (0, 0)} | ({"big": (1, 3)} if odd else {})
            return tts.Decision(text=found[0].text, chosen=0, rates=rates)

    sets = [
        tts.Sampled(boxed(1, 2).model_copy(update={"problem": tts.Problem(id=f"p{i}", prompt=f"{i}?")}), "1")
        for i in range(5)
    ]
    table = tts.compare([one.candidates for one in sets], strategies=[Tells(), "majority"], k=2)
    assert table.rates("tells") == {"odd": (2, 5), "never": (0, 0), "big": (2, 6)}
    assert table.rates("majority") == {}
    assert "tells: odd 2 of 5 (40.0 %), big 2 of 6 (33.3 %)\n" in str(table)
    assert "majority: " not in str(table)
