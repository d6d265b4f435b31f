from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from sums_rows import sums_rows, write
from transformers import T5Config

import tts
from tts import ConfigError, MissingDependencyError
from tts_trainers.hybrid import hardware, pretrained
from tts_trainers.hybrid.recipe import HybridRecipe, ModelSection
from tts_trainers.hybrid.run import check_hybrid, train_hybrid
from tts_trainers.recipe import load_recipe
from tts_trainers.rows import Row
from tts_trainers.runtime.processes import check_processes

ROWS = sums_rows(4)


def _recipe(train: object, **tables: dict[str, Any] | None) -> HybridRecipe:
    optimisation = {"steps": 1, "batch": 2, "per_device": 1, "learning_rate": 1e-4, "max_length": 1024}
    settings = {"model": {"name": "miniature"}, "data": {"train": str(train)}, "optimisation": optimisation}
    for name, table in tables.items():
        settings[name] = settings.get(name, {}) | (table or {})
    return HybridRecipe.model_validate(settings)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture
def fails(tmp_path: Path) -> Callable[[HybridRecipe, str], None]:
    """Asserts that all checks together end in this very sentence."""

    def check(
        recipe: HybridRecipe, sentence: str, error: type[Exception] = ConfigError, work: Any = check_hybrid
    ) -> None:
        with pytest.raises(error) as caught:
            work(recipe, tmp_path / "out")
        assert str(caught.value).replace(str(tmp_path), "…") == sentence
        assert not (tmp_path / "out").exists()

    return check


def _changed(position: int, **changes: Any) -> list[Row]:
    return [row | changes if i == position else row for i, row in enumerate(ROWS)]  # type: ignore[misc]


def _with_completion(row: Row, old: str, new: str) -> Row:
    text = row["completion"][0]["content"]
    assert old in text
    return row | {"completion": [{"role": "assistant", "content": text.replace(old, new)}]}


def test_what_would_be_trained_on(rows: Path, tmp_path: Path) -> None:
    first, second, *_ = check_hybrid(_recipe(rows), tmp_path / "out").splitlines()
    assert first == f"{rows}: 4 direct, 4 refine rows, 4 problems"
    pattern = r"arm {}: {} rows to learn from; tokens a row: mean (\d+), longest (\d+); rows a step: 2 = 1 x 2 micro.*"
    assert (all_rows := re.fullmatch(pattern.format("hybrid", 8), second))
    direct = check_hybrid(_recipe(rows, objective={"arm": "direct"}), tmp_path / "out").splitlines()[1]
    assert (of_arm := re.fullmatch(pattern.format("direct", 4), direct))
    assert [int(a) < int(b) for a, b in zip(of_arm.groups(), all_rows.groups(), strict=True)] == [True, True]
    assert not (tmp_path / "out").exists()


def test_rows_are_needed(tmp_path: Path, fails: Any) -> None:
    fails(
        _recipe("").model_copy(update={"data": _recipe("").data.model_copy(update={"train": None})}),
        "data.train is not set: give the training rows with --data FILE; `tts train-data` makes them",
    )
    fails(
        _recipe("nowhere.jsonl"),
        "data.train = 'nowhere.jsonl' is no file; give a .jsonl or .parquet file, a folder, or hub:org/name",
    )
    empty = write(tmp_path / "rows.jsonl", [])
    fails(_recipe(empty), "'…/rows.jsonl' holds no rows")
    fails(_recipe(tmp_path), "data.train = '…' has neither train.parquet nor train.jsonl in it")


def test_raw_data_are_not_rows(tmp_path: Path, fails: Any) -> None:
    path = tmp_path / "raw.jsonl"
    path.write_text('{"problem": "1+1", "answer": "2"}\n')
    fails(
        _recipe(path),
        "…/raw.jsonl, row 1: a training row has no column 'completion'; it has 'problem', 'answer'",
        error=tts.TaskError,
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"completion": [{"role": "assistant", "content": " \n"}], "problem_id": "p"},
            "'…/rows.jsonl', row 3 (problem 'p'): the completion is empty",
        ),
    ],
)
def test_a_row_that_teaches_nothing(tmp_path: Path, fails: Any, changes: dict[str, Any], sentence: str) -> None:
    fails(_recipe(write(tmp_path / "rows.jsonl", _changed(2, **changes))), sentence)


def test_an_arm_without_rows(tmp_path: Path, fails: Any) -> None:
    direct = write(tmp_path / "rows.jsonl", ROWS[::2])
    fails(
        _recipe(direct),
        "objective.arm = 'hybrid' needs refine rows, and '…/rows.jsonl' has none (rows there: 4 direct)",
    )
    assert "arm direct" in check_hybrid(_recipe(direct, objective={"arm": "direct"}), tmp_path / "out")


def test_a_teacher_that_never_boxes(tmp_path: Path, fails: Any) -> None:
    without = [_with_completion(r, r"\boxed", r"\fbox") if r["objective"] == "refine" else r for r in ROWS]
    path = write(tmp_path / "rows.jsonl", without)
    fails(
        _recipe(path),
        "none of the 4 refine completions of '…/rows.jsonl' has its answer in \\boxed{} after its think block: whoever "
        "wrote them never boxes, and the model would learn it; ask for the box in the prompts, or set data.boxed = "
        "false if answers are given in another way",
    )
    assert check_hybrid(_recipe(path, data={"boxed": False}), tmp_path / "out")


def test_some_unboxed_and_repeated_rows_are_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [_with_completion(ROWS[0], r"\boxed", r"\fbox"), *ROWS[1:], ROWS[1]]
    path = write(tmp_path / "rows.jsonl", rows)
    with caplog.at_level(logging.WARNING, "tts.train"):
        check_hybrid(_recipe(path), tmp_path / "out")
    assert [r.getMessage() for r in caplog.records if r.name == "tts.train"] == [
        f"'{path}': 1 of 4 direct completions have no \\boxed{{}} after their think block",
        f"'{path}': 1 rows repeat another row word for word and count twice",
    ]


def test_templates_must_be_those_of_the_rows(tmp_path: Path, rows: Path, fails: Any) -> None:
    other = tmp_path / "other.jinja"
    other.write_text("Improve on these for {{ problem }}: {{ candidates | join }}")
    fails(
        _recipe(rows, prompts={"refine_template": str(other)}),
        "no refine prompt of '…/rows.jsonl' was made with the template '…/other.jinja'; set prompts.refine_template to "
        "the template the rows were made with, or make the rows again",
    )


def test_a_template_without_its_fields(tmp_path: Path, rows: Path, fails: Any) -> None:
    other = tmp_path / "other.jinja"
    other.write_text("Improve on these: {{ candidates | join }}")
    fails(
        _recipe(rows, prompts={"refine_template": str(other)}),
        "template '…/other.jinja' never uses {{ problem }}; it must",
    )


def test_lengths_and_positions(rows: Path, tmp_path: Path, fails: Any, caplog: pytest.LogCaptureFixture) -> None:
    fails(
        _recipe(rows, optimisation={"max_length": 4096}),
        "optimisation.max_length = 4,096 is over the 2,048 positions of 'miniature'; lower it, or raise "
        "model.max_positions",
    )
    assert check_hybrid(_recipe(rows, model={"max_positions": 4096}, optimisation={"max_length": 4096}), tmp_path / "o")
    with pytest.raises(ConfigError, match=r"none of its 8 rows fits into optimisation\.max_length = 20; the longest"):
        check_hybrid(_recipe(rows, optimisation={"max_length": 20}), tmp_path / "out")
    with caplog.at_level(logging.WARNING, "tts.train"):
        recipe = _recipe(rows, objective={"arm": "direct"}, optimisation={"max_length": 200})
        report = check_hybrid(recipe, tmp_path / "out")
    left_out = r"4 of 8 rows are longer than optimisation\.max_length = 200 and left out; the longest, row \d \("
    assert re.search(left_out, caplog.text)
    assert int(re.search(r"longest (\d+)", report)[1]) <= 200  # type: ignore[index]


def test_training_and_evaluation_share_no_problem(rows: Path, tmp_path: Path, fails: Any) -> None:
    held_out = write(tmp_path / "held.jsonl", ROWS[:2])
    fails(
        _recipe(rows, data={"evaluation": str(held_out)}),
        f"1 problems of '…/rows.jsonl' are also in '…/held.jsonl', e.g. {ROWS[0]['problem_id']!r}; "
        "a problem belongs on one side only",
    )
    fails(
        _recipe(rows, data={"evaluation": str(rows)}),
        "data.evaluation is the same as data.train ('…/rows.jsonl'); a problem belongs on one side only",
    )


def test_one_problem_under_two_ids_is_found(rows: Path, tmp_path: Path, fails: Any) -> None:
    held_out = write(tmp_path / "held.jsonl", [row | {"problem_id": "other"} for row in ROWS[:2]])
    fails(
        _recipe(rows, data={"evaluation": str(held_out)}),
        f"1 problems of '…/rows.jsonl' are also in '…/held.jsonl', e.g. {ROWS[0]['problem_id']!r}; "
        "a problem belongs on one side only",
    )


def test_two_problems_under_one_id(tmp_path: Path, fails: Any) -> None:
    name = ROWS[0]["problem_id"]
    fails(
        _recipe(write(tmp_path / "twice.jsonl", _changed(2, problem_id=name))),
        f"'…/twice.jsonl', row 3: the id {name!r} is already that of another problem; ids must differ",
    )


def test_an_arm_whose_rows_are_all_too_long(tmp_path: Path, fails: Any) -> None:
    rows = _changed(1, completion=[{"role": "assistant", "content": "1 + " * 1000 + "\\boxed{1}"}])[:2]
    fails(
        _recipe(write(tmp_path / "long.jsonl", rows), model={"max_positions": 8192}),
        "objective.arm = 'hybrid' needs refine rows, and '…/long.jsonl' has none (rows there: 1 direct)",
    )


def test_monitoring_needs_answers(rows: Path, fails: Any) -> None:
    fails(
        _recipe(rows, monitoring={"task": "What is 1 + 1?", "every_steps": 1}),
        "monitoring.task = 'What is 1 + 1?' has no answers to compare with; give a task with answers",
    )


def test_training_problems_of_the_evaluation_task(rows: Path, fails: Any) -> None:
    fails(
        _recipe(rows, monitoring={"task": "task:sums@size=2,seed=0,split=train", "every_steps": 1}),
        "2 of 4 training problems are also in the evaluation task 'task:sums@size=2,seed=0,split=train', e.g. "
        f"{ROWS[0]['problem_id']!r}; take them out (`tts train-data` does) or set monitoring.task to another task",
    )


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ m.content.split('</think>')[-1] }}", "drops the think block of a completion"),
        ("{{ m.content | replace('=', '') }}", "changes the text of a completion"),
    ],
)
def test_a_chat_template_that_breaks_completions(
    rows: Path, tmp_path: Path, fails: Any, template: str, fault: str
) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text(
        "{% for m in messages %}<|{{ m.role }}|>"
        "{% if m.role == 'assistant' %}" + template + "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    fails(
        _recipe(rows, model={"chat_template": str(path)}),
        f"row 1: the chat template {fault}; set model.chat_template to one that keeps it and ends a turn with "
        "'<|end|>'",
    )


def test_a_chat_template_whose_prompt_is_no_beginning(rows: Path, tmp_path: Path, fails: Any) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}")
    fails(
        _recipe(rows, model={"chat_template": str(path)}),
        "row 1: the chat template writes a prompt in another way when a completion follows it; set "
        "model.chat_template to one that keeps it and ends a turn with '<|end|>'",
    )
    fails(
        _recipe(rows, model={"chat_template": "qwen"}),
        "model.chat_template = 'qwen' is no file; give the path of a Jinja file, or 'qwen3' (ours)",
    )


def test_the_batch_must_come_out_even(rows: Path, fails: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(
        _recipe(rows, optimisation={"batch": 6, "per_device": 2}),
        "optimisation.batch = 6 is 3 micro-batches of optimisation.per_device = 2 on 1 processes, and each holds rows "
        "of one objective; change one of the two to make it an even number, so that every step trains both",
    )
    monkeypatch.setenv("WORLD_SIZE", "4")
    fails(
        _recipe(rows, optimisation={"batch": 6, "per_device": 1}),
        "optimisation.batch = 6 cannot be divided into micro-batches of optimisation.per_device = 1 on 4 processes; "
        "change one of the two to make it a multiple of 4",
    )


GPU = (
    "needs a CUDA GPU, and none is visible; run on a machine with one, or use the recipe 'gsr-cpu', which runs on CPUs"
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ({"optimisation": {"bf16": True}}, "optimisation.bf16 = true"),
        ({"model": {"attn": "flash_attention_2"}}, "model.attn = 'flash_attention_2'"),
        ({"model": {"quantisation": "nf4"}, "lora": {}}, "model.quantisation = 'nf4'"),
        ({"optimisation": {"optimiser": "paged_adamw_8bit"}}, "optimisation.optimiser = 'paged_adamw_8bit'"),
    ],
)
def test_a_recipe_for_hardware_that_is_not_there(rows: Path, fails: Any, tables: dict[str, Any], key: str) -> None:
    fails(_recipe(rows, **tables), f"{key} {GPU}", work=train_hybrid)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_login_node_checks_all_but_its_own_hardware(
    rows: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = _recipe(rows, optimisation={"bf16": True})
    assert "arm hybrid: 8 rows" in check_hybrid(recipe, tmp_path / "out")
    assert f"on this machine the run could not begin: optimisation.bf16 = true {GPU}" in caplog.text
    with pytest.raises(ConfigError, match="optimisation.batch = 3 is 3 micro-batches"):
        check_hybrid(_recipe(rows, optimisation={"bf16": True, "batch": 3}), tmp_path / "out")


def test_a_package_that_is_not_there(rows: Path, fails: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = hardware.find_spec
    monkeypatch.setattr(hardware, "find_spec", lambda name: None if name in ("peft", "wandb") else found(name))
    fails(
        _recipe(rows, lora={}),
        "the table [lora] needs the package 'peft', which is not installed",
        error=MissingDependencyError,
    )
    fails(
        _recipe(rows, tracking={"report_to": "wandb"}),
        "tracking.report_to = 'wandb' needs the package 'wandb', which is not installed",
        error=MissingDependencyError,
    )


def test_processes_and_gpus() -> None:
    check_processes(2, 2, 2)
    with pytest.raises(ConfigError, match="^4 processes were started here, and 2 GPUs are visible; start one for each"):
        check_processes(2, 8, 4)
    with pytest.raises(ConfigError, match=r"^2 GPUs are visible to a single process; start one process for each with"):
        check_processes(2, 1, 1)


class _Card(NamedTuple):
    total_memory: int


def test_a_model_that_no_gpu_here_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: _Card(80 * 10**9))
    recipe = load_recipe("gsr-qwen2.5-7b", HybridRecipe)
    with pytest.raises(ConfigError) as caught:
        hardware.check_memory(recipe, 7_600_000_000)
    assert str(caught.value) == (
        "'Qwen/Qwen2.5-7B-Instruct' takes 122 GB of each GPU for weights, gradients and optimiser alone, and it has 80 "
        "GB; shard it over more GPUs with `accelerate launch` (docs/training.md has the command), or add a table [lora]"
    )
    hardware.check_memory(load_recipe("gsr-qwen2.5-7b-qlora", HybridRecipe), 7_600_000_000)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="takes 122 GB"):
        hardware.check_memory(recipe, 7_600_000_000)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    hardware.check_memory(recipe, 7_600_000_000)


def test_the_parameters_of_a_model_are_counted_without_its_weights() -> None:
    section = ModelSection(name="miniature")
    config = pretrained.load_config(section)
    assert pretrained.parameters(section, config) == pretrained.load_model(section, config, 0).num_parameters()


def test_a_model_that_does_not_generate_from_left_to_right(rows: Path, tmp_path: Path, fails: Any) -> None:
    T5Config(d_model=8, num_layers=1, vocab_size=16).save_pretrained(tmp_path / "t5")
    fails(
        _recipe(rows, model={"name": str(tmp_path / "t5")}),
        "model.name = '…/t5' is no causal language model (t5); give one that generates text from left to right",
    )


def test_the_folder_must_be_a_run_s_own(rows: Path, tmp_path: Path) -> None:
    for out, why in {rows / "x": "Not a directory", Path("/proc/x"): r"[\w ]+"}.items():  # where even root cannot write
        with pytest.raises(
            ConfigError, match=rf"^the folder '{re.escape(str(out))}' cannot be written \({why}\); give another --out$"
        ):
            check_hybrid(_recipe(rows), out)
    with pytest.raises(ConfigError, match=r"holds files that are of no training run; give a new folder as --out$"):
        check_hybrid(_recipe(rows), tmp_path)


def test_no_such_model(rows: Path, fails: Any) -> None:
    fails(
        _recipe(rows, model={"name": "./nowhere"}),
        "model.name = './nowhere' is no folder; give a folder with a model or a hub id like 'org/name'",
    )
