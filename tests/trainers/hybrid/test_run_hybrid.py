from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sums_rows import sums_rows, write
from transformers import AutoModelForCausalLM, AutoTokenizer

import tts
from tts import ConfigError
from tts.prompts import Prompts
from tts_trainers.hybrid.preparation import prepare
from tts_trainers.hybrid.pretrained import load_tokenizer, quiet_peft
from tts_trainers.hybrid.recipe import HybridRecipe, ModelSection
from tts_trainers.hybrid.run import check_hybrid, train_hybrid
from tts_trainers.runtime import folder as run_folder
from tts_trainers.runtime.checkpoints import last_checkpoint
from tts_trainers.runtime.place import place


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.jsonl", sums_rows(4))


def _recipe(rows: Path, **tables: dict[str, Any]) -> HybridRecipe:
    optimisation = {"steps": 2, "batch": 2, "per_device": 1, "learning_rate": 1e-3, "max_length": 1024}
    tracking = {"logging_steps": 1, "save_steps": 2}
    settings: dict[str, Any] = {"model": {"name": "miniature"}, "data": {"train": str(rows)}}
    settings |= {"optimisation": optimisation, "tracking": tracking}
    for name, table in tables.items():
        settings[name] = settings.get(name, {}) | table
    return HybridRecipe.model_validate(settings)


def _weights(folder: Path | str) -> dict[str, torch.Tensor]:
    return dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict())


def _losses(said: list[str]) -> list[str]:
    return [line.split("epoch")[0] for line in said if " loss_direct " in line]


def test_from_rows_to_a_model_that_refines(rows: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows.rename(folder / "train.jsonl")
    write(folder / "evaluation.jsonl", sums_rows(1, seed=9))
    out, said = tmp_path / "run", list[str]()
    recipe = _recipe(folder, tracking={"evaluation_steps": 2})
    assert train_hybrid(recipe, out, say=said.append) == out

    assert len(_losses(said)) == 2
    assert any("eval_loss_refine_n2 " in line for line in said)
    prompts = Prompts.read(out / "tts.json")
    assert (prompts.k, prompts.candidate_tokens) == (4, 1536)
    assert Prompts.read(out / "checkpoint-2" / "tts.json") == prompts
    assert not (out / run_folder.CACHE).exists()
    base = _weights(place("miniature"))
    assert any(not torch.equal(base[name], tensor) for name, tensor in _weights(out).items())
    done = tts.run("task:sums@size=1", model=f"hf:{out}", strategy="gsr", k=4, sampling=tts.Sampling(max_tokens=8))
    assert len(done.results) == 1

    said.clear()
    before = (out / "model.safetensors").stat().st_mtime_ns
    train_hybrid(recipe, out, say=said.append)
    assert said[-1] == f"{out} holds the finished run already"
    assert (out / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_belongs_to_one_recipe_and_its_rows(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_hybrid(_recipe(rows), out)
    other = _recipe(rows, optimisation={"learning_rate": 5e-4})
    with pytest.raises(ConfigError) as caught:
        check_hybrid(other, out)
    assert str(caught.value) == (
        f"the folder {str(out)!r} holds a run of another recipe (optimisation.learning_rate: 0.001 there, 0.0005 now); "
        "give another --out, or --no-resume to start this one again"
    )
    assert "arm hybrid" in check_hybrid(other, out, resume=False)
    write(rows, sums_rows(3))
    with pytest.raises(ConfigError, match="holds a run on other rows or templates; give another --out, or --no-resume"):
        train_hybrid(_recipe(rows), out)
    train_hybrid(_recipe(rows), out, resume=False)
    assert Prompts.read(out / "tts.json").k == 4


def test_starting_again_leaves_nothing_of_the_run_before(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    monitoring = {"task": "task:sums@size=1", "every_steps": 2, "k": 4, "max_tokens": 4}
    train_hybrid(_recipe(rows, monitoring=monitoring), out)
    (out / "notes.md").write_text("mine")
    assert {"best", "monitor.jsonl", "model.safetensors"} < {path.name for path in out.iterdir()}
    run_folder.clear(out)
    assert {path.name for path in out.iterdir()} == {"notes.md", "run.json"}


def test_rows_inside_the_run_s_folder_are_left_alone(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "data").mkdir(parents=True)
    rows.rename(out / "data" / "train.jsonl")
    with pytest.raises(ConfigError, match="holds files that are of no training run"):
        train_hybrid(_recipe(out / "data"), out)
    assert (out / "data" / "train.jsonl").is_file()


def test_tokens_of_another_tokenizer_or_other_rows_are_not_used(rows: Path, tmp_path: Path) -> None:
    def first_row(recipe: HybridRecipe) -> list[int]:
        tokens: list[int] = prepare(recipe, tmp_path / "out", tmp_path / "cache").train[0]["input_ids"]
        return tokens

    tokenizer = AutoTokenizer.from_pretrained(place("miniature"))
    tokenizer.add_tokens(["\\boxed"])
    student = tmp_path / "student"
    shutil.copytree(place("miniature"), student)
    tokenizer.save_pretrained(student)
    before = first_row(_recipe(rows))
    assert first_row(_recipe(rows, model={"name": str(student)})) != before
    write(rows, [one | {"prompt": [{"role": "user", "content": "3"}, *one["prompt"]]} for one in sums_rows(4)])
    assert len(first_row(_recipe(rows))) > len(before)


def _interrupting(at: str, said: list[str]) -> Callable[[str], None]:
    def say(line: str) -> None:
        said.append(line)
        if line.startswith(at):
            os.kill(os.getpid(), signal.SIGINT)

    return say


def test_interrupted_and_resumed_as_if_nothing_had_happened(rows: Path, tmp_path: Path) -> None:
    recipe = _recipe(rows, optimisation={"steps": 4}, tracking={"save_steps": 100})
    whole, said = tmp_path / "whole", list[str]()
    train_hybrid(recipe, whole, say=said.append)
    expected = _losses(said)

    out = tmp_path / "run"
    said.clear()
    with pytest.raises(KeyboardInterrupt):
        train_hybrid(recipe, out, say=_interrupting("step 2/4", said))
    assert said[-1].startswith("stopped and saved after step ")
    assert not (out / "tts.json").exists()
    saved = last_checkpoint(out)
    assert saved is not None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    train_hybrid(recipe, out, say=said.append)
    assert f"going on from {saved}" in said
    assert _losses(said) == expected
    for name, tensor in _weights(whole).items():
        torch.testing.assert_close(_weights(out)[name], tensor, rtol=1e-5, atol=1e-6)


def test_adapters_are_merged_into_the_checkpoint(rows: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    out = tmp_path / "run"
    train_hybrid(_recipe(rows, lora={"r": 4, "alpha": 8}, optimisation={"learning_rate": 1e-2}), out)
    assert not (out / "adapter_config.json").exists()
    base = AutoModelForCausalLM.from_pretrained(place("miniature"), dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(out)("37*8 = ", return_tensors="pt")["input_ids"]
    merged = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    before = base(ids).logits
    assert not torch.allclose(merged(ids).logits, before, atol=1e-2)
    with quiet_peft():
        with_adapter = PeftModel.from_pretrained(base, out / "adapter")
    torch.testing.assert_close(merged(ids).logits, with_adapter(ids).logits, rtol=1e-4, atol=1e-4)
    assert tts.solve(
        "What is 3*4?", model=f"hf:{out}", strategy="first", k=1, sampling=tts.Sampling(max_tokens=4)
    ).candidates


@pytest.mark.parametrize("more", [{}, {"lora": {"r": 2, "alpha": 4}}], ids=["full", "lora"])
def test_positions_chat_template_and_its_end_are_saved(rows: Path, tmp_path: Path, more: Any) -> None:
    out = tmp_path / "run"
    turns = tmp_path / "turns.jinja"  # as GLM-4 writes them: the next role ends a turn
    turns.write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'assistant' %}<|user|>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    model = {"max_positions": 4096, "chat_template": str(turns)}
    train_hybrid(_recipe(rows, model=model, optimisation={"steps": 1}, **more), out)
    loaded, tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert loaded.config.max_position_embeddings == 4096
    assert tokenizer.chat_template == turns.read_text()
    end = tokenizer.convert_tokens_to_ids("<|user|>")
    before = AutoTokenizer.from_pretrained(place("miniature")).eos_token_id
    assert tokenizer.eos_token_id == loaded.config.eos_token_id == end, "a bare server stops where it was taught to"
    assert loaded.generation_config.eos_token_id in ([end, before], end)


def test_an_evaluation_side_without_rows_is_none(rows: Path, tmp_path: Path) -> None:
    write(tmp_path / "held.jsonl", [])
    recipe = _recipe(rows, data={"evaluation": str(tmp_path / "held.jsonl")})
    assert prepare(recipe, tmp_path / "run", tmp_path / "cache").evaluation is None


def test_a_tokenizer_without_chat_template(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(place("miniature"), folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(
        ConfigError, match=r"has no chat template; set model\.chat_template, e\.g\. to 'qwen3' \(ours\)"
    ):
        load_tokenizer(ModelSection(name=str(folder)))
