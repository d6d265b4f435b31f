"""No false alarm: every built-in scorer, judge, grader and task passes the kit, in the lines a stranger would write.

Strategies are in tests/strategies/test_conformance.py, backends in the contract tests beside each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tts
import tts.testing
from tts.testing import (
    Check,
    InstantJudge,
    InstantScorer,
    ScriptedJudge,
    ScriptedScorer,
    grader_checks,
    judge_checks,
    parametrize,
    scorer_checks,
    task_checks,
)

DATA = Path(__file__).parents[1] / "tasks" / "data"
PROBLEM = tts.Problem(
    id="p", prompt="How much is 1+1?", metadata={"recorded": {"scores": [number / 7 for number in range(64)]}}
)
LIGHT_SCORERS = ("length:shorter", "length:longer@unit=tokens", "logprob:mean", "logprob:sum", "recorded:scores")
MODEL_SCORERS = {"hf-reward": "miniature/reward", "hf-confidence": "miniature", "likelihood": "miniature"}
ELSEWHERE = {  # why an installed plugin is not here
    "hf-prm": "needs a checkpoint with a step token: tests/backends/scorers/test_hf_prm.py",
    "vllm-reward": "needs the engine: tests/engines/test_vllm_reward.py",
    "sglang-reward": "needs the engine: tests/engines",
    "ray": "runs others: tests/backends/ray_",
    "pairrm": "needs a checkpoint: tests/backends/judges/test_pairrm.py",
}
SAID: dict[str, dict[str, str | None]] = {
    "generic": {"<answer>[[A]]</answer>": "a", "<answer>[[B]]</answer>": "b"},
    "rm-r1": {"[[A]]": "a", "[[B]]": "b", "[[A]] [[B]]": None},
    "rm-r1-instruct": {"<answer>[[A]]</answer>": "a", "<answer>[[B]]</answer>": "b"},
    "rrm": {"\\boxed{Assistant 1}": "a", "\\boxed{Assistant 2}": "b"},
    "pairjudge": {
        "<resp_a_judge>Correct</resp_a_judge> <resp_b_judge>Incorrect</resp_b_judge>": "a",
        "<resp_a_judge>Incorrect</resp_a_judge> <resp_b_judge>Correct</resp_b_judge>": "b",
        "<resp_a_judge>Correct</resp_a_judge> <resp_b_judge>Correct</resp_b_judge>": "tie",
    },
}
PAIRS: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "math": ([("1/2", "0.5"), ("\\frac{3}{4}", "0.75")], [("1/2", "0.6"), ("12", "21")]),
    "choice": ([("B", "(b)"), ("C", "C.")], [("B", "C")]),
    "numeric": ([("4.2 ± 0.1", "4.25"), ("7", "7.0")], [("4.2 ± 0.1", "4.4"), ("7", "8")]),
    "answers": ([("3, -3", "-3, 3"), ("2", "2")], [("3, -3", "3"), ("2", "5")]),
    "json": ([('{"a": 1, "b": 2.0}', '{"b": 2, "a": 1.0}'), ("[1, 2]", "[1,2]")], [('{"a": 1}', '{"a": 2}')]),
    "code": ([("f(x)  ", "f(x)"), ("a\n  b ", "a\n  b")], [("f(x)", "f(y)")]),
    "text": ([("The Red Fox", "red fox."), ("ｘ", "x")], [("red fox", "grey fox")]),
    "assignments": ([("knight Ann; knave Bob", "Bob is a knave and Ann is a knight")], [("knight Ann", "Ann: knave")]),
}
LOCAL = ("aime24", "amc22_23", "gsm8k", "knights_knaves", "knights_knaves_choice", "math500", "olympiadbench")


def maker(reference: str) -> Callable[[], Any]:
    found = tts.find_model("scorer", reference)
    return lambda: found.cls(found.model, found.options)


def scorers() -> list[Check]:
    ours = [InstantScorer, lambda: ScriptedScorer({"two": 1.0})]
    checks = [check for make in ours for check in scorer_checks(make)]
    for reference in LIGHT_SCORERS:
        found = scorer_checks(maker(reference), problem=PROBLEM)
        checks += [check._replace(subject=reference) for check in found]
    return checks


def judges() -> list[Check]:
    ours: list[Callable[[], Any]] = [InstantJudge, lambda: ScriptedJudge("so")]
    checks = [check for make in ours for check in judge_checks(make)]
    for name, said in SAID.items():
        checks += [check._replace(subject=name) for check in judge_checks(formats(name), said=said)]
    return checks


def formats(name: str) -> tts.JudgeFormat:
    return tts.plugins().resolve("judge", name)()  # type: ignore[no-any-return]


def graders() -> list[Check]:
    found = []
    for name, (same, different) in PAIRS.items():
        checks = grader_checks(tts.plugins().resolve("grader", name), same=same, different=different)
        found += [check._replace(subject=name) for check in checks]
    return found


def tasks() -> list[Check]:
    local = [tts.task(name, data_dir=DATA, check=False) for name in LOCAL]
    return [check for task in [tts.task("sums", size=20), *local] for check in task_checks(task)]


@parametrize(scorers())
def test_a_scorer_conforms(check: Check) -> None:
    check()


@pytest.mark.parametrize("name", ["hf-reward", pytest.param("hf-confidence", marks=pytest.mark.slow), "likelihood"])
def test_a_reward_model_conforms(name: str) -> None:
    pytest.importorskip("torch")
    tts.testing.check_scorer(maker(f"{name}:{MODEL_SCORERS[name]}"))


@parametrize(judges())
def test_a_judge_conforms(check: Check) -> None:
    check()


@parametrize(graders())
def test_a_grader_conforms(check: Check) -> None:
    check()


@parametrize(tasks())
def test_a_task_conforms(check: Check) -> None:
    check()


def test_a_table_and_a_generator_conform(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("id,problem,answer\n1,What is pi?,3.14\n2,What is e?,2.72\n")
    tts.testing.check_task(tts.task(f"table:{sheet}"))


@pytest.mark.filterwarnings("default")  # the package opens its fonts with deprecated calls
def test_a_generator_of_reasoning_gym_conforms() -> None:
    pytest.importorskip("reasoning_gym")
    task = tts.task("reasoning_gym:chain_sum", size=3)
    tts.testing.check_task(task)
    golds = [str(example.answer) for example in task.examples()]
    right = [(gold, gold.split(" [")[0]) for gold in golds]
    wrong = [(gold, "0.5") for gold in golds]
    tts.testing.check_grader(tts.plugins().resolve("grader", "reasoning_gym"), same=right, different=wrong)


def left_out() -> Iterator[tuple[str, str]]:
    known = {
        "scorer": {*(reference.partition(":")[0] for reference in LIGHT_SCORERS), *MODEL_SCORERS},
        "judge": set(SAID),
        "grader": {*PAIRS, "reasoning_gym"},
        "task": {*LOCAL, "aime25", "sums", "table", "reasoning_gym"},
    }
    for kind, names in known.items():
        ours = {one.entry.name for one in tts.plugins().all(kind) if one.distribution == "ttscale"}  # type: ignore[arg-type]
        yield from ((kind, name) for name in sorted(ours - names - ELSEWHERE.keys()))


def test_nobody_is_forgotten() -> None:
    assert list(left_out()) == []
