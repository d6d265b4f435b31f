from __future__ import annotations

import pytest

import tts

pytest.importorskip("reasoning_gym", reason="the extra ttscale[reasoning-gym] is not installed")

# The package opens its fonts and data with deprecated calls.
pytestmark = pytest.mark.filterwarnings("default")


def examples(reference: str) -> list[tts.Example]:
    return list(tts.read_examples(f"task:reasoning_gym:{reference}"))


def verdicts(pairs: list[tuple[str, str | None]]) -> list[bool]:
    judge = tts.plugins().resolve("grader", "reasoning_gym")()

    async def work() -> list[bool]:
        return list(await judge.grade(pairs))

    return tts.run_sync(work)


def test_a_seed_gives_the_same_problems_and_a_larger_size_more_of_them() -> None:
    few, many = examples("chain_sum@size=3,seed=5"), examples("chain_sum@size=6,seed=5")
    assert many[:3] == few
    assert examples("chain_sum@size=3,seed=6") != few


def test_settings_of_the_generator_are_options() -> None:
    for example in examples("chain_sum@size=5,min_terms=9,max_terms=9"):
        assert example.problem.text.count(" + ") + example.problem.text.count(" - ") == 8


@pytest.mark.parametrize("generator", ["chain_sum", "countdown", "knights_knaves"])
def test_the_oracle_answer_is_right_and_another_is_not(generator: str) -> None:
    golds = [example.answer for example in examples(f"{generator}@size=3")]
    assert all(gold is not None for gold in golds)
    oracles = [gold.rpartition(" [")[0] for gold in golds if gold]
    assert verdicts([(gold or "", oracle) for gold, oracle in zip(golds, oracles, strict=True)]) == [True] * 3
    assert verdicts([(golds[0] or "", "no"), (golds[0] or "", None)]) == [False, False]


def test_another_right_answer_counts_too() -> None:
    [example] = examples("countdown@size=1")
    oracle = (example.answer or "").rpartition(" [")[0]
    assert verdicts([(example.answer or "", f"({oracle})")]) == [True]


def test_an_unknown_generator_or_setting_is_one_sentence() -> None:
    with pytest.raises(tts.ConfigError, match=r"no generator 'chain_sun'; did you mean 'chain_sum'"):
        examples("chain_sun")
    with pytest.raises(tts.ConfigError, match="reasoning_gym:chain_sum: .*colour"):
        examples("chain_sum@colour=red")


def test_a_gold_answer_of_another_task_is_refused() -> None:
    with pytest.raises(tts.TaskError, match="'42' is no gold answer of task:reasoning_gym"):
        verdicts([("42", "42")])
