"""What a run may spend: in tokens, in money, on a problem; what is under way counts."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from doubles import FakeBackend, LengthScorer, sums
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.cli import main
from tts.engine.budget import Budget, Limits
from tts.engine.limiter import Limiter
from tts.eval import Price, Prices

Fake = Callable[..., type[FakeBackend]]
PROBLEM = tts.Problem(id="p", prompt="?")


def spend(
    budget: Budget, costs: list[int], slots: int, width: int, most: int, problems: list[tts.Problem]
) -> tuple[int, int, int]:
    """Ask for answers of these costs: what was spent, how many were under way at most, how many answers came."""
    spent = came = now = peak = 0

    async def ask(limiter: Limiter, own: list[int], problem: tts.Problem, rng: random.Random) -> None:
        nonlocal spent, came, now, peak
        while own:
            held = await limiter.acquire(min(width, len(own)), (1, 0))
            try:
                grant = await budget.grant("policy", problem, held, tts.Usage(answer_tokens=most))
            except tts.BudgetExceededError:
                limiter.release(held)
                return
            limiter.release(held - grant.n)
            now += grant.n
            peak = max(peak, now)
            for _ in range(grant.n):
                await asyncio.sleep(0 if rng.random() < 0.5 else rng.random() / 1000)
                usage = tts.Usage(calls=1, answer_tokens=own.pop())
                budget.spent("policy", usage, problem)
                spent, came, now = spent + usage.answer_tokens, came + 1, now - 1
                grant.came("policy", usage)
                limiter.release(1)
            grant.close()

    async def main() -> None:
        limiter, rng = Limiter(slots), random.Random(1)
        parts = [costs[place :: len(problems)] for place in range(len(problems))]
        await asyncio.gather(*(ask(limiter, part, one, rng) for part, one in zip(parts, problems, strict=True)))

    asyncio.run(main())
    return spent, peak, came


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=120), st.integers(1, 3000), st.integers(1, 16),
    st.integers(1, 4), st.integers(1, 12),
)  # fmt: skip
def test_no_budget_is_passed_by_more_than_one_answer_for_each_slot(
    costs: list[int], limit: int, slots: int, width: int, problems: int
) -> None:
    asked = [tts.Problem(id=str(i), prompt=f"{i}?") for i in range(problems)]
    spent, peak, came = spend(Budget(Limits(tokens=limit)), list(costs), slots, width, 400, asked)
    assert peak <= slots
    assert spent <= limit + slots * max(costs)
    assert came == len(costs) or spent + max(costs) > limit, "what there is is used"


@given(st.integers(1, 300), st.integers(100, 20_000), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_answers_of_one_length_never_pass_it_but_for_the_first(each: int, limit: int, slots: int) -> None:
    asked = [tts.Problem(id=str(i), prompt=f"{i}?") for i in range(40)]
    spent, _, came = spend(Budget(Limits(tokens=limit)), [each] * 400, slots, 4, each, asked)
    assert spent <= max(limit, each)
    assert came == min(400, max(limit // each, 1))


def test_a_problem_has_its_own_limit() -> None:
    asked = [tts.Problem(id=str(i), prompt=f"{i}?") for i in range(5)]
    spent, _, came = spend(Budget(Limits(problem_tokens=100)), [30] * 50, 16, 1, 30, asked)
    assert (spent, came) == (5 * 90, 15)


def test_money_is_counted_by_the_price_of_each_role() -> None:
    prices = Prices(policy=Price(generated=1_000_000))
    spent, _, came = spend(Budget(Limits(cost=100.0), prices), [10] * 50, 8, 2, 10, [PROBLEM])
    assert (spent, came) == (100, 10)
    free = Prices(judge=Price(generated=1_000_000))
    assert spend(Budget(Limits(cost=100.0), free), [10] * 50, 8, 2, 10, [PROBLEM])[2] == 50


def test_ten_thousand_tokens_are_ten_thousand_tokens(fake: Fake) -> None:
    """64 slots, answers of a thousand tokens: without reserving, 64 of them are under way before the first is paid."""
    backend = fake(
        script=lambda *_: "\\boxed{1}" + "x" * 981, delay=lambda *_: 0.01, capabilities=tts.Capabilities(concurrency=64)
    )
    found = tts.run(sums(50), strategy="majority", k=2, model="fake:m", budget=10_000, sampling={"max_tokens": 1000})
    assert found.spent["policy"].total_tokens == 10_000
    assert backend.completions() == 10
    assert found.missing.candidates_missing == 90
    assert set(found.outcome_classes()) == {"wrong", "failed"} or set(found.outcome_classes()) == {
        "correct",
        "wrong",
        "failed",
    }
    assert "10,000 tokens are spent and the budget is 10,000; what is done is kept, raise budget= to go on" in str(
        found
    )


def test_what_a_budget_leaves_of_a_group_is_decided_on_and_told(fake: Fake) -> None:
    fake(script=lambda *_: "\\boxed{1}", capabilities=tts.Capabilities(concurrency=1))
    given = [one.model_copy(update={"answer": "1"}) for one in sums(2)]
    found = tts.run(given, strategy="majority", k=4, model="fake:m", budget=6 * 19, sampling={"max_tokens": 9})
    assert found.effective_k == 3
    assert found.outcome_classes() == {"correct": 6, "failed": 2}
    assert found.accuracy("majority").mean == found.pass_at_1.mean == 1
    assert found.pass_at_1_bounds == (0.75, 1.0)
    again = found.missing
    assert (again.candidates_missing, again.incomplete) == (2, 1)


def test_a_problem_budget_ends_the_problem_and_not_the_run(fake: Fake) -> None:
    fake(script=lambda *_: "\\boxed{1}")
    found = tts.run(sums(3), strategy="majority", k=4, model="fake:m", problem_budget=60, sampling={"max_tokens": 9})
    assert [len([c for c in one.candidates if c.ok]) for one in found.results] == [3, 3, 3]
    assert "problem_budget=60 leaves too few tokens for another answer" in str(found)


def test_scores_count_and_are_refused_when_nothing_is_left(fake: Fake) -> None:
    fake(script=lambda *_: "\\boxed{1}")
    found = tts.run(
        sums(2), strategy="best_of_n", k=2, model="fake:m", scorer=LengthScorer("m", tts.NoOptions()), budget=2 * 19,
        sampling={"max_tokens": 9}, concurrency=1,
    )  # fmt: skip
    assert any("the budget is 38" in (one.error or "") for one in found.results)


def test_money_needs_prices_and_reads_them_from_a_file(fake: Fake, tmp_path: Path) -> None:
    fake(script=lambda *_: "\\boxed{1}")
    with pytest.raises(tts.ConfigError, match="max_cost=1: give prices="):
        tts.run(sums(1), strategy="majority", model="fake:m", max_cost=1)
    with pytest.raises(tts.ConfigError, match="max_cost=-1: it must be positive"):
        tts.run(sums(1), strategy="majority", model="fake:m", max_cost=-1)
    file = tmp_path / "prices.toml"
    file.write_text('currency = "EUR"\n[policy]\nprompt = 100_000\ngenerated = 100_000\n')
    found = tts.run(
        sums(9), strategy="majority", k=1, model="fake:m", max_cost=10.0, prices=file, sampling={"max_tokens": 9}
    )
    assert found.spent["policy"].total_tokens == 95
    assert "9.5 EUR are spent and max_cost is 10, which leaves too little for an answer of about 1.9" in str(found)


def test_the_command_line_has_the_same_limits(fake: Fake, tmp_path: Path) -> None:
    fake(script=lambda *_: "\\boxed{1}")
    file, source = tmp_path / "prices.json", tmp_path / "p.jsonl"
    file.write_text('{"policy": {"prompt": 100000, "generated": 100000}}')
    source.write_text("".join(json.dumps({"problem": f"{i}+1", "answer": "1"}) + "\n" for i in range(9)))
    command = ["run", str(source), "-s", "majority", "-k", "1", "-m", "fake:m", "--max-tokens", "9", "--max-cost", "10"]
    found = CliRunner().invoke(main, [*command, "--prices", str(file), "--report", str(tmp_path / "r.md")])
    assert found.exit_code == 3, "what is missing is told by the status"
    assert "9.5 USD are spent and max_cost is 10" in found.output
    assert "USD per group" in (tmp_path / "r.md").read_text("utf-8")
    found = CliRunner().invoke(main, command)
    assert (found.exit_code, "give prices= (on the command line --prices)" in found.output) == (2, True)
