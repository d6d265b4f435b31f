"""Evaluation while training: the embedded miniature is trained a few steps on its own task."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import numpy as np
import torch
from datasets import Dataset
from doubles import candidate_set
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, TrainerState
from trl.trainer.sft_config import SFTConfig

import tts
from tts.prompts import Prompts, direct_messages, refine_messages
from tts.tasks.sums import plan, response, solution, terms_of
from tts.testing import InstantModel
from tts_trainers.hybrid.monitor import _numbers, as_served, monitor_callback
from tts_trainers.hybrid.monitor_settings import Monitoring
from tts_trainers.hybrid.trainer import HybridSFTTrainer
from tts_trainers.rows import Row, row

MINIATURE = str(resources.files("tts_backends") / "miniature")
SECTION = Monitoring(task="task:sums@size=3,terms=3-3", every_steps=2, k=4, temperature=0, max_tokens=192)
NUMBERS = {"eval_pass_1", "eval_majority", "eval_self_ref", "eval_gap"}

torch.set_num_threads(1)


async def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def rows_of_sums() -> list[Row]:
    rows = []
    for example in tts.read_examples("task:sums@size=4,split=train,terms=3-3"):
        terms = terms_of(example.problem)
        text = response(plan(terms), solution(terms))
        candidates = [tts.Candidate(index=i, text=text, summary=solution(terms)) for i in range(4)]
        built = refine_messages(example.problem, candidates, rng=random.Random(0), count_tokens=characters)
        prompts = {"direct": direct_messages(example.problem), "refine": asyncio.run(built).messages}
        rows += [row(prompts[o], text, o, problem_id=example.problem.id) for o in ("direct", "refine")]  # type: ignore[index,arg-type]  # both are objectives
    return rows


def test_a_model_that_says_nothing_yet_is_no_reason_to_stop() -> None:
    empty = tts.Sampled(candidate_set("", ""), "1")
    table = tts.compare([empty], strategies=["majority", "gsr"], k=2, model=InstantModel())
    numbers = _numbers(table)
    assert (numbers["eval_majority"], numbers["eval_self_ref"], numbers["eval_gap"]) == (0, 0, 0)
    assert (numbers["eval_gap_low"], numbers["eval_gap_high"], numbers["eval_failed"]) == (-1, 1, 2)


class Modes(TrainerCallback):
    """Whether the model is as it was after every step; added after the monitor."""

    def __init__(self) -> None:
        self.seen: set[tuple[bool, ...]] = set()

    def on_step_end(self, *_: Any, model: Any = None, **__: Any) -> None:
        touched = any(p.grad is not None or not p.requires_grad for p in model.parameters())
        self.seen.add((model.training, model.is_activation_checkpointing, model.config.use_cache, touched))


class Logged(TrainerCallback):
    """What TensorBoard would be told."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def on_log(self, *_: Any, logs: Any = None, **__: Any) -> None:
        self.logs.append(dict(logs))


def trainer_of(out: Path, monitor: Any, **settings: Any) -> HybridSFTTrainer:
    # In 16 bits a completion depends on what else is in its batch, and batches on how busy the machine is.
    # Dropout makes training draw numbers, which evaluating must not disturb.
    model = AutoModelForCausalLM.from_pretrained(MINIATURE, dtype=torch.float32, attention_dropout=0.1)
    arguments = {"max_steps": 4, "learning_rate": 1e-5, "save_steps": 2, "logging_steps": 1} | settings
    args = SFTConfig(
        output_dir=str(out),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        activation_checkpointing=True,
        report_to="none",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        **arguments,
    )
    tokenizer = AutoTokenizer.from_pretrained(MINIATURE)
    trainer = HybridSFTTrainer(model, args, train_dataset=Dataset.from_list(rows_of_sums()), processing_class=tokenizer)
    if monitor is not None:
        monitor_callback(monitor, tokenizer, out).attach(trainer)
    return trainer


def curve(trainer: HybridSFTTrainer) -> list[tuple[int, float, float]]:
    return [(x["step"], x["loss"], x["grad_norm"]) for x in trainer.state.log_history if "loss" in x]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HybridSFTTrainer, Modes, Logged]:
    out, modes, logged = tmp_path_factory.mktemp("monitored"), Modes(), Logged()
    trainer = trainer_of(out, SECTION, save_total_limit=1)
    trainer.add_callback(modes)
    trainer.add_callback(logged)
    trainer.train()
    return out, trainer, modes, logged


def test_training_goes_on_as_if_nothing_had_happened(trained: Any, tmp_path: Path) -> None:
    _, trainer, modes, _ = trained
    alone = trainer_of(tmp_path, None)
    alone.add_callback(alone_modes := Modes())
    alone.train()
    assert curve(trainer) == curve(alone)
    assert len(curve(alone)) == 4
    assert modes.seen == alone_modes.seen == {(True, True, False, False)}
    for name, weights in alone.model.state_dict().items():
        assert torch.equal(weights, trainer.model.state_dict()[name]), name


def test_the_numbers_are_logged_and_written(trained: Any) -> None:
    out, trainer, _, logged = trained
    rows = lines(out / "monitor.jsonl")
    assert [(row["step"], row["k"], row["problems"]) for row in rows] == [(2, 4, 3), (4, 4, 3)]
    for told in (logged.logs, trainer.state.log_history):
        evaluated = [entry for entry in told if "eval_self_ref" in entry]
        assert [{n: entry[n] for n in NUMBERS} for entry in evaluated] == [{n: row[n] for n in NUMBERS} for row in rows]
    for one in rows:
        assert one["eval_gap"] == pytest.approx(one["eval_self_ref"] - one["eval_majority"])
        assert -1 <= one["eval_gap_low"] <= one["eval_gap"] <= one["eval_gap_high"] <= 1


def test_the_best_checkpoint_gives_the_numbers_that_were_logged(trained: Any) -> None:
    out, *_ = trained
    (kept,) = lines(out / "best" / "monitor.jsonl")
    assert kept["eval_self_ref"] == max(row["eval_self_ref"] for row in lines(out / "monitor.jsonl"))
    assert sorted(path.name for path in out.glob("checkpoint-*")) == ["checkpoint-4"]  # the limit is for these only
    table = tts.compare(
        SECTION.task,
        strategies=["majority", "gsr"],
        k=4,
        model=f"hf:{out / 'best'}@dtype=float32",  # as it was trained and evaluated
        sampling=tts.Sampling(temperature=0, max_tokens=192),
    )
    assert kept["eval_pass_1"] > 0
    assert kept["eval_self_ref"] > 0
    assert table.pass_at_1.mean == kept["eval_pass_1"]  # type: ignore[union-attr]  # there are answers
    assert table.accuracy("gsr").mean == kept["eval_self_ref"]  # type: ignore[union-attr]
    assert Prompts.read(out / "best" / "tts.json").k == 4


def test_a_resumed_run_keeps_the_best_and_each_step_once(trained: Any, tmp_path: Path) -> None:
    out, trainer, *_ = trained
    first = trainer_of(tmp_path, SECTION)
    first.train()
    best = tmp_path / "best" / "monitor.jsonl"
    best.write_text(json.dumps({"step": 4, "eval_self_ref": 2.0}) + "\n", "utf-8")  # cannot be beaten
    with (tmp_path / "monitor.jsonl").open("a") as file:
        file.write('{"step": 6, "eval_se')  # killed while writing
    again = trainer_of(tmp_path, SECTION)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert curve(again) == curve(trainer)
    without_time = [{k: v for k, v in row.items() if k != "seconds"} for row in lines(tmp_path / "monitor.jsonl")]
    assert without_time == [{k: v for k, v in row.items() if k != "seconds"} for row in lines(out / "monitor.jsonl")]
    assert lines(best)[0]["eval_self_ref"] == 2.0


def test_a_best_that_was_being_replaced_is_found_again(trained: Any, tmp_path: Path) -> None:
    _, trainer, *_ = trained
    (tmp_path / "best.old").mkdir()
    (tmp_path / "best.old" / "monitor.jsonl").write_text('{"step": 2, "eval_self_ref": 0.75}\n')
    monitor = monitor_callback(SECTION, trainer.processing_class, tmp_path).attach(trainer)
    trainer.remove_callback(monitor)
    with as_served(trainer.model):
        monitor.on_train_begin(trainer.args, TrainerState(global_step=2), trainer.control, model=trainer.model)
    monitor.on_train_end(trainer.args, trainer.state, trainer.control)
    assert lines(tmp_path / "best" / "monitor.jsonl") == [{"step": 2, "eval_self_ref": 0.75}]
    assert monitor._best_value == 0.75


def test_the_random_states_are_put_back() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout())
    model.device = torch.device("cpu")  # type: ignore[assignment]  # as a transformers model has it
    model[1].eval()

    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    with as_served(model):
        assert not model[0].training
        first = drawn()
    assert drawn() == first
    assert [model.training, model[0].training, model[1].training] == [True, True, False]
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def test_other_processes_than_the_first_only_wait(tmp_path: Path, trained: Any) -> None:
    _, trainer, *_ = trained
    monitor = monitor_callback(SECTION, trainer.processing_class, tmp_path / "other").attach(trainer)
    trainer.remove_callback(monitor)
    other = TrainerState(global_step=2, is_world_process_zero=False)
    monitor.on_train_begin(trainer.args, other, trainer.control, model=trainer.model)
    monitor.on_step_end(trainer.args, other, trainer.control, model=trainer.model)
    assert not (tmp_path / "other").exists()


def test_what_cannot_work_is_said_before_the_first_step(tmp_path: Path) -> None:
    unanswered = tmp_path / "open.jsonl"
    unanswered.write_text('{"id": "a", "problem": "1+1"}\n', "utf-8")
    section = SECTION.model_copy(update={"task": str(unanswered)})
    with pytest.raises(tts.ConfigError, match="has no answer for problem 'a'; give a task with answers"):
        trainer_of(tmp_path, section).train()
    trainer = trainer_of(tmp_path, None)
    trainer.add_callback(monitor_callback(SECTION, trainer.processing_class, tmp_path))
    with pytest.raises(tts.ConfigError, match=r"no trainer to log through; call monitor.attach\(trainer\) first"):
        trainer.train()
