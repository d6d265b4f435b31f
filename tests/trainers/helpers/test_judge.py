from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helper_parts import candidate, llama, run_train, tokenizer, toy_set, write_candidates
from hypothesis import given
from hypothesis import strategies as st

from tts import ConfigError, Problem
from tts.prompts import judge_messages, read_verdict
from tts_trainers.helpers.evaluate import measured
from tts_trainers.helpers.graded import Pair, preference_pairs
from tts_trainers.helpers.judge import JudgeRecipe, judge_rows, summarise, train_judge
from tts_trainers.helpers.recipe import HelperOptimisation
from tts_trainers.recipe import load_recipe

PAIR = Pair(Problem(id="p", prompt="What is 1+1?"), candidate(4, "right"), candidate(2, "wrong", thinking="hm"))


def recipe(template: str = "judge", **optimisation: object) -> JudgeRecipe:
    settings = {"steps": 2, "batch": 4, "learning_rate": 1e-2} | optimisation
    return JudgeRecipe(template=template, max_tokens=24, optimisation=HelperOptimisation.model_validate(settings))


def test_both_orders_with_the_verdict_of_the_correct_response() -> None:
    rows = judge_rows([PAIR])
    shown = [(PAIR.chosen, PAIR.rejected), (PAIR.rejected, PAIR.chosen)]
    assert [row["prompt"] for row in rows] == [
        [m.model_dump() for m in judge_messages(PAIR.problem, a, b)] for a, b in shown
    ]
    for row in rows:
        blocks = dict(re.findall(r"\[Response (.)\]\n(.*)\n\[End", row["prompt"][0]["content"]))
        assert blocks[read_verdict(row["completion"][0]["content"]) or ""] == "right"
        assert row["problem_id"] == "p"


def test_a_teacher_writes_what_is_thought_before_the_verdict() -> None:
    first, second = judge_rows([PAIR], teacher=lambda problem, a, b, letter: f"{a.text[0]}: {letter}")
    assert first["completion"] == [
        {"role": "assistant", "content": "<think>\nr: A\n</think>\n\n<answer>[[A]]</answer>"}
    ]
    assert read_verdict(second["completion"][0]["content"]) == "B"


LETTERS = st.sampled_from(["A", "B", None])


@given(st.lists(st.tuples(LETTERS, LETTERS), min_size=1, max_size=12))
def test_the_figures_are_those_of_a_plain_count(verdicts: list[tuple]) -> None:
    """The correct response is A, then B."""
    said = [letter for pair in verdicts for letter in pair]
    right = [letter == order for pair in verdicts for letter, order in zip(pair, "AB", strict=True)]
    found = summarise([str(i) for i in range(len(verdicts))], said, right)
    assert found.accuracy.mean == pytest.approx(sum(right) / len(right))
    assert found.both_orders.mean == pytest.approx(sum(p == ("A", "B") for p in verdicts) / len(verdicts))
    valid = [p for p in verdicts if None not in p]
    winners = [["right" if letter == order else "wrong" for letter, order in zip(p, "AB", strict=True)] for p in valid]
    flips = [len(set(winner)) == 2 for winner in winners]
    assert found.flip_rate == (sum(flips) / len(flips) if flips else None)
    assert found.invalid_rate == said.count(None) / len(said)


def test_a_few_steps_give_a_checkpoint_that_judges(tmp_path: Path) -> None:
    pairs = preference_pairs([toy_set(n) for n in range(8)], per_problem=1, seed=0)
    report = train_judge(llama(), tokenizer(), judge_rows(pairs[:6]), recipe(), tmp_path, held_out=pairs[6:])
    assert (report.fitted.rows, report.fitted.left_out) == (12, 0)
    assert report.verdicts is not None
    assert (report.verdicts.accuracy.n, report.verdicts.both_orders.n) == (4, 2)


def test_the_first_process_alone_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured([1, 2], sum) == 3
    assert measured([], sum) is None
    monkeypatch.setenv("RANK", "1")
    assert measured([1, 2], sum) is None


def test_rows_too_long_are_left_out_and_too_few_rows_are_one_sentence(tmp_path: Path) -> None:
    long = PAIR._replace(chosen=candidate(0, "7 " * 300))
    rows = judge_rows([long, *preference_pairs([toy_set(1), toy_set(2)], per_problem=1, seed=0)])
    report = train_judge(llama(), tokenizer(), rows, recipe(), tmp_path)
    assert (report.fitted.rows, report.fitted.left_out, report.verdicts) == (4, 2, None)
    with pytest.raises(ConfigError, match=r"4 rows \(2 more are too long\) are fewer than a batch of 8: give more"):
        train_judge(llama(), tokenizer(), rows, recipe(batch=8), tmp_path)


def test_a_template_that_drops_thinking_is_refused(tmp_path: Path) -> None:
    own = tokenizer()
    own.chat_template = own.chat_template.replace(
        "{{- '<|' + message.role", "{%- set content = content.split('</think>')[-1] -%}\n{{- '<|' + message.role"
    )
    rows = judge_rows([PAIR] * 2, teacher=lambda *_: "hm")
    with pytest.raises(ConfigError, match="the chat template drops the think block of a completion; use a model"):
        train_judge(llama(), own, rows, recipe(), tmp_path)


@pytest.mark.slow
def test_it_learns_to_judge(tmp_path: Path) -> None:
    template = tmp_path / "short.jinja"
    template.write_text("{{ problem }}\nA {{ a }}\nB {{ b }}")
    pairs = preference_pairs([toy_set(n, 1, 1) for n in range(120)], per_problem=1, seed=0)
    rows = judge_rows(pairs[:100], template=str(template))
    settings = recipe(str(template), steps=450, batch=32, warmup=20, adam_beta2=0.98)
    report = train_judge(llama(width=64), tokenizer(), rows, settings, tmp_path / "out", held_out=pairs[100:])
    assert report.verdicts is not None
    assert report.verdicts.accuracy.mean > 0.9
    assert report.verdicts.invalid_rate == 0


def test_the_command(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    candidates = write_candidates(tmp_path / "c.jsonl", [toy_set(n) for n in range(10)])
    changes = [f"--set={change}" for change in ("optimisation.steps=2", "optimisation.batch=8", "max_tokens=8")]
    result = run_train("judge", candidates, "--model", tmp_path / "base", "--out", tmp_path / "out", *changes)
    assert result.exit_code == 0, result.stderr
    assert "72 verdicts learned from, 0 left out as too long" in result.stderr
    assert re.search(r"held-out verdicts right: .* %.*; in both orders: .* %.*; invalid \d", result.stderr)
    assert result.stderr.endswith(f"tts compare CANDIDATES --strategy knockout --judge generic:hf:{tmp_path / 'out'}\n")
    assert load_recipe("judge-small", JudgeRecipe).template == "judge"
    (own := tmp_path / "own.jinja").write_text("{{ problem }} A {{ a }} B {{ b }}")
    arguments = ["--model", tmp_path / "base", "--out", tmp_path / "own", f"--set=template={own}", *changes]
    assert (
        f"--judge generic:hf:{tmp_path / 'own'}@template={own}\n" in run_train("judge", candidates, *arguments).stderr
    )
    hopeless = write_candidates(tmp_path / "h.jsonl", [toy_set(n, 0, 3) for n in range(10)])
    refused = run_train("judge", hopeless, "--model", tmp_path / "base", "--out", tmp_path / "other")
    assert refused.exit_code == 2
    assert "error: none of the 9 problems has both a correct and a wrong candidate" in refused.stderr


@pytest.mark.slow
def test_two_processes_train_one_judge_and_speak_once(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    candidates = write_candidates(tmp_path / "c.jsonl", [toy_set(n) for n in range(10)])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tts"]
    command += ["train", "judge", str(candidates), "--model", str(tmp_path / "base"), "--out", str(tmp_path / "out")]
    command += [f"--set={change}" for change in ("optimisation.steps=2", "optimisation.batch=8", "max_tokens=8")]
    command += ["--set=optimisation.per_device=4"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'out'}\n"
    assert [done.stderr.count(told) for told in ("problems to learn from", "held-out verdicts right", "saved ")] == [
        1
    ] * 3
