from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tts import ConfigError, Message
from tts.tasks.sums import Term, response, solution
from tts_trainers.recipe import load_recipe
from tts_trainers.replica.recipe import MiniatureRecipe
from tts_trainers.replica.stages import candidate_groups, run
from tts_trainers.replica.student import build_tokenizer


def _tiny() -> MiniatureRecipe:
    step = {"steps": 2, "batch": 4, "learning_rate": 1e-3}
    return MiniatureRecipe.model_validate(
        {
            "task": {"terms": [2, 2], "left": [12, 60], "right": [3, 9]},
            "model": {
                "layers": 1,
                "width": 16,
                "heads": 1,
                "head_size": 8,
                "feed_forward": 16,
                "vocab": 300,
                "context": 1024,
            },
            "base": {"problems": 8, "phases": [step]},
            "candidates": {"problems": 8, "max_tokens": 8},
            "hybrid": {"direct_problems": 8, "phases": [{"optimisation": step | {"accumulate": 2}}]},
            "evaluation": {"problems": 3, "max_tokens": 8},
        }
    )


def _files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def texts_with_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps teach nobody to close a think block, so the drawn texts are replaced."""
    from tts_trainers.replica import generate

    text = response("2 products.", solution([Term(12, 3), Term(13, 4)]))
    monkeypatch.setattr(generate, "_text", lambda *_: text)


@pytest.mark.usefixtures("texts_with_summaries")
def test_from_nothing_to_weights_and_again(tmp_path: Path) -> None:
    table = run(tmp_path, _tiny())
    assert [line.split(" | ")[0] for line in table.splitlines()] == ["| model", "| ---", "| student", "| model"]
    folder = tmp_path / "model"
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "llama"
    assert "<think>" in AutoTokenizer.from_pretrained(folder).get_vocab()
    assert all(len(group.candidates) == 4 for group in candidate_groups(tmp_path, _tiny()))

    before = _files(tmp_path)
    assert run(tmp_path, _tiny()) == table
    assert _files(tmp_path) == before

    (tmp_path / "table.done").unlink()
    assert run(tmp_path, _tiny()) == table

    with pytest.raises(ConfigError, match="was made with other settings; give another --out"):
        run(tmp_path, _tiny().model_copy(update={"seed": 1}))


def _ids(tokenizer: Any, text: str) -> list[str]:
    return [tokenizer.decode([i]) for i in tokenizer(text)["input_ids"]]


def test_tokenizer_keeps_digits_and_marks_apart() -> None:
    tokenizer = build_tokenizer(load_recipe("miniature", MiniatureRecipe))
    assert _ids(tokenizer, "</think>\n\n12*34")[:1] == ["</think>"]
    tokens = _ids(tokenizer, "<think>\n37*8: agree, 296\n</think>\n\n37*8 = 296\n\\boxed{296}")
    assert all(len(t) == 1 for t in tokens if any(c.isdigit() for c in t))
    assert "".join(tokens) == "<think>\n37*8: agree, 296\n</think>\n\n37*8 = 296\n\\boxed{296}"
    assert _ids(tokenizer, "Größe 🙂")


def test_chat_template_drops_thinking_of_earlier_turns_only() -> None:
    tokenizer = build_tokenizer(load_recipe("miniature", MiniatureRecipe))
    turns = [
        Message(role="user", content="a"),
        Message(role="assistant", content="<think>\nx\n</think>\n\ny"),
        Message(role="user", content="b"),
        Message(role="assistant", content="<think>\nz\n</think>\n\nw"),
    ]
    text = tokenizer.apply_chat_template([t.model_dump() for t in turns], tokenize=False)
    assert text == "<|user|>a<|end|><|assistant|>y<|end|><|user|>b<|end|><|assistant|><think>\nz\n</think>\n\nw<|end|>"


def test_generation_prompt_with_and_without_thinking() -> None:
    tokenizer = build_tokenizer(load_recipe("miniature", MiniatureRecipe))
    chat = [{"role": "user", "content": "a"}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert prompt == "<|user|>a<|end|><|assistant|>"
    without = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert without == prompt + "<think>\n\n</think>\n\n"
