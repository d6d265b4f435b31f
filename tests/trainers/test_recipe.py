from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pytest
from pydantic import Field

from tts import ConfigError
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.hybrid.recipe import HybridRecipe, chat_template
from tts_trainers.hybrid.run import arguments
from tts_trainers.recipe import Section, load_recipe, own_recipes

OURS = resources.files("tts_trainers").joinpath("recipes", "gsr-cpu.toml").read_text("utf-8")
HYBRID = own_recipes(HybridRecipe.own_prefix)


def _broken(tmp_path: Path, old: str, new: str) -> Path:
    assert old in OURS
    path = tmp_path / "recipe.toml"
    path.write_text(OURS.replace(old, new, 1), "utf-8")
    return path


def test_our_recipes_are_valid_and_say_what_they_are_for() -> None:
    assert HYBRID == [
        "gsr-cpu",
        "gsr-qwen2.5-1.5b-lora",
        "gsr-qwen2.5-7b",
        "gsr-qwen2.5-7b-ablation",
        "gsr-qwen2.5-7b-qlora",
    ]
    for name in HYBRID:
        recipe = load_recipe(name, HybridRecipe)
        assert arguments(recipe, Path("out"), 1, evaluates=False)["gradient_accumulation_steps"] % 2 == 0
        header = resources.files("tts_trainers").joinpath("recipes", f"{name}.toml").read_text("utf-8")
        comment = header.partition("\nseed")[0]
        assert f"train hybrid {name}" in comment
        assert "# Hardware: " in comment
        if recipe.model.chat_template is not None:
            assert chat_template(recipe.model.chat_template)


def test_the_paper_s_numbers() -> None:
    """Section 4.1 of arXiv 2509.00084."""
    recipe = load_recipe("gsr-qwen2.5-7b", HybridRecipe)
    assert (recipe.model.name, recipe.model.max_positions) == ("Qwen/Qwen2.5-7B-Instruct", 65536)
    assert recipe.optimisation.max_length == 24 * 1024
    given = arguments(recipe, Path("out"), 8, evaluates=False)
    assert given["num_train_epochs"] == 3
    assert given["max_steps"] == -1
    assert given["per_device_train_batch_size"] * given["gradient_accumulation_steps"] * 8 == 128
    assert given["optim"].startswith("adamw_torch")
    assert (given["learning_rate"], given["lr_scheduler_type"], given["warmup_steps"]) == (1e-4, "cosine", 0.1)
    assert (recipe.prompts.k, recipe.prompts.candidate_tokens) == (4, 1536)

    ablation = load_recipe("gsr-qwen2.5-7b-ablation", HybridRecipe)
    assert (ablation.optimisation.epochs, ablation.optimisation.learning_rate) == (5, 4e-5)
    same = {"optimisation": {"epochs", "learning_rate"}, "tracking": True}
    assert ablation.model_dump(exclude=same) == recipe.model_dump(exclude=same)


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_the_batch_is_the_same_on_any_number_of_processes(processes: int) -> None:
    given = arguments(load_recipe("gsr-qwen2.5-7b", HybridRecipe), Path("out"), processes, evaluates=False)
    assert given["per_device_train_batch_size"] * given["gradient_accumulation_steps"] * processes == 128


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 0", "sede = 0", r"sede: there is no such key; did you mean 'seed'\?"),
        ("every_steps", "every_step", r"monitoring\.every_step: there is no such key; did you mean 'every_steps'\?"),
        (
            "batch = 32",
            "zzz = 1",
            r"optimisation\.batch: Field required; optimisation\.zzz: there is no such key; known: batch, bf16, epochs",
        ),
        ('name = "miniature"', "name = 3", r"model\.name: Input should be a valid string"),
        ('arm = "hybrid"', 'arm = "both"', r"objective\.arm: Input should be 'direct', 'refine' or 'hybrid'"),
        ("warmup = 0.1", "warmup = -1", r"optimisation\.warmup: Input should be greater than or equal to 0"),
        ("steps = 40", "steps = 40\nepochs = 1", r"optimisation: give epochs or steps, one of the two"),
        ("per_device = 16", "per_device = 5", r"optimisation: batch \(32\) is not a multiple of per_device \(5\)"),
        ("[objective]", '[model.x]\ny = "z"\n[objective]', r"model\.x: there is no such key; known: attn, "),
        ('"miniature"', '"miniature"\nquantisation = "nf4"', r"recipe: model\.quantisation: .* add a table \[lora\]"),
        ("seed = 0", "seed = ", r"is not TOML"),
    ],
)
def test_a_wrong_recipe_names_file_key_and_reason(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(_broken(tmp_path, old, new), HybridRecipe)
    assert "recipe.toml" in str(caught.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x7fELF\xd0")
    with pytest.raises(ConfigError, match=r"recipe '.*model\.bin' is not TOML: 'utf-8' codec"):
        load_recipe(tmp_path / "model.bin", HybridRecipe)


def test_all_errors_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[optimisation]\nsteps = 1\nbatch = 0\n", "utf-8")
    with pytest.raises(ConfigError, match=r"model: .*optimisation\.batch: .*optimisation\.learning_rate: "):
        load_recipe(path, HybridRecipe)


def test_no_such_recipe() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'gsr-cup'.*did you mean 'gsr-cpu'\?"):
        load_recipe("gsr-cup", HybridRecipe)


class _Phase(Section):
    steps: int = Field(ge=1)


class _Phases(Section):
    phases: tuple[_Phase, ...]
    first: _Phase | None = None
    named: dict[str, _Phase] = {}


NAMED = "phases = []\n[named.small]\nstep = 1"


@pytest.mark.parametrize(
    "text", ["[[phases]]\nsteps = 1\n[[phases]]\nstep = 1", "phases = []\n[first]\nstep = 1", NAMED]
)
def test_keys_of_nested_tables_are_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(
        ConfigError, match=r"(phases\.1|first|named\.small)\.step: there is no such key; did you mean 'steps'\?"
    ):
        load_recipe(path, _Phases)


def test_changes_are_toml_values_or_text() -> None:
    changes = ["seed=7", "optimisation.learning_rate = 5e-5", "data.train=rows.jsonl", 'lora.targets=["q_proj"]']
    recipe = load_recipe("gsr-cpu", HybridRecipe, changes)
    assert (recipe.seed, recipe.optimisation.learning_rate, recipe.data.train) == (7, 5e-5, "rows.jsonl")
    assert recipe.lora is not None
    assert recipe.lora.targets == ("q_proj",)
    with pytest.raises(ConfigError, match=r"'seed\.x=1': 'seed' is not a table"):
        load_recipe("gsr-cpu", HybridRecipe, ["seed.x=1"])
    with pytest.raises(ConfigError, match=r"'seed' is not table\.key=value"):
        load_recipe("gsr-cpu", HybridRecipe, ["seed"])


def _chat(*turns: tuple[str, str], **more: Any) -> str:
    template = jinja2.Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True).from_string(
        chat_template("qwen3")
    )
    return template.render(messages=[{"role": role, "content": content} for role, content in turns], **more)


def test_qwen3_template_keeps_thinking_after_the_last_user_turn_only() -> None:
    thought = "<think>\n{}\n</think>\n\n{}"
    text = _chat(
        ("system", "s"),
        ("user", "a"),
        ("assistant", thought.format("x", "y")),
        ("user", "b"),
        ("assistant", thought.format("z", "w")),
    )
    assert text == (
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\ny<|im_end|>\n"
        "<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n<think>\nz\n</think>\n\nw<|im_end|>\n"
    )


def test_qwen3_template_writes_the_final_turn_as_it_stands() -> None:
    empty = "<think>\n\n</think>\n\nw"
    for whole in ("w", empty):  # no block of its own: it would be learned
        assert _chat(("user", "a"), ("assistant", whole)).endswith(f"<|im_start|>assistant\n{whole}<|im_end|>\n")
    twice = "<think>\nso </think> then\n</think>\n\nw"
    assert _chat(("user", "a"), ("assistant", twice)).endswith(f"<|im_start|>assistant\n{twice}<|im_end|>\n")


def test_qwen3_generation_prompt() -> None:
    prompt = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"
    assert _chat(("user", "a"), add_generation_prompt=True) == prompt
    without = _chat(("user", "a"), add_generation_prompt=True, enable_thinking=False)
    assert without == prompt + "<think>\n\n</think>\n\n"
    assert _chat(("user", "a"), ("assistant", "<think>\nx\n</think>\n\ny")).startswith(prompt)


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, tts_trainers, tts_trainers.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_recipe_of_a_checkpoint_names_no_code(tmp_path: Path) -> None:
    text = resources.files("tts_trainers").joinpath("recipes", "data-small.toml").read_text("utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(f'{text}\n[label]\ngrader = "theirs.py:same"\n', "utf-8")
    assert load_recipe(path, DataRecipe).label.grader == "theirs.py:same"
    (tmp_path / "tts.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"label\.grader = 'theirs\.py:same' names code"):
        load_recipe(path, DataRecipe)
    assert load_recipe(path, DataRecipe, ["label.grader=mine.py:same"]).label.grader == "mine.py:same"
