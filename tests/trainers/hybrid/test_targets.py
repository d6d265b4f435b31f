"""What rows teach under the chat templates of models that people train: all that TRL ships."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tts_trainers.hybrid.recipe import chat_template
from tts_trainers.hybrid.targets import IGNORED, Targets, control_tokens, end_of_turn, targets

FOLDER = Path(trl.__file__).parent / "chat_templates"
TEMPLATES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.jinja"))}
CONTROL = re.compile(
    r"<[|｜][^'\"\s<>]+?[|｜]>|\[/?[A-Z_]+\]|</?s>|<(?:bos|sop|start_of_turn|end_of_turn|end_of_utterance)>|<turn\|>"
)
PROMPT = [{"role": "user", "content": "What is 1+1?"}]
THOUGHT, PLAIN = "<think>\nOne and one.\n</think>\n\nIt is \\boxed{2}.", "It is \\boxed{2}."
# What is refused, by families of templates; everything else is taught as it stands.
PICTURES = "idefics3|llava|smolvlm"  # contents are lists of parts
REFUSED = [
    (THOUGHT, "deepseek_r1_distill|deepseekv3.*|qwen3_5_nothink.*", "writes a prompt in another way"),
    (THOUGHT, "glm4moe", "ends a completion with no token that ends the turn"),
    (THOUGHT, "gptoss.*|muse_glimmer.*", "before a completion"),
    (THOUGHT, "qwen3_8.*", "closes the thinking before a completion begins"),
    (PLAIN, "deepseek.*|nemotron.*", "writes a prompt in another way"),
    (PLAIN, "glm4moe.*|qwen3|qwen3_training|qwen3_(5_think|6|8).*", "closes the thinking before a completion begins"),
    (PLAIN, "gptoss.*|muse_glimmer.*", "before a completion"),
]  # fmt: skip


def tokenizer_of(template: str, *, own: bool = True) -> PreTrainedTokenizerFast:
    """Bytes, and as control tokens those that the template writes: its own model's; or another's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=bytes_, bos_token="<B>", eos_token="<E>", pad_token="<P>")
    if own:
        made.add_tokens(sorted(set(CONTROL.findall(template))), special_tokens=True)
    made.chat_template = template
    return made


def encoded(tokenizer: Any, completion: str) -> Targets | str:
    prompt = tokenizer.apply_chat_template(PROMPT, tokenize=False, add_generation_prompt=True)
    whole = [*PROMPT, {"role": "assistant", "content": completion}]
    text = tokenizer.apply_chat_template(whole, tokenize=False)
    return targets(tokenizer, [prompt], [text], [completion])[0]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("completion", [THOUGHT, PLAIN], ids=["thinking", "plain"])
@pytest.mark.parametrize("name", [name for name in TEMPLATES if not re.match(PICTURES, name)])
def test_a_template_teaches_the_row_or_is_refused(name: str, completion: str) -> None:
    tokenizer = tokenizer_of(TEMPLATES[name])
    found = encoded(tokenizer, completion)
    for wanted, names, why in REFUSED:
        if wanted == completion and re.fullmatch(names, name):
            assert isinstance(found, str)
            assert why in found
            return
    assert not isinstance(found, str), found
    learned = [label for label in found.labels if label != IGNORED]
    asked = tokenizer(
        tokenizer.apply_chat_template(PROMPT, tokenize=False, add_generation_prompt=True), add_special_tokens=False
    )
    head = asked["input_ids"]
    assert found.ids[: len(head)] == head, "what the model will see"
    assert found.ids[len(head) :] == learned
    text = squeezed(tokenizer.decode(learned))
    opened = squeezed(tokenizer.decode(head)).endswith("<think>")
    assert text.startswith(squeezed(completion.removeprefix("<think>") if opened else completion))
    end = end_of_turn(tokenizer, learned)
    assert end in control_tokens(tokenizer)
    assert text.endswith(tokenizer.convert_ids_to_tokens(end)), "and the model stops"


@pytest.mark.parametrize("name", ["qwen2_5", "llama3", "gemma", "phi3_5"])
def test_the_markers_of_another_model_are_no_end(name: str) -> None:
    """They would be learned as letters, and the end nowhere."""
    template = TEMPLATES[name].replace("eos_token", "''")
    found = encoded(tokenizer_of(template, own=False), THOUGHT)
    assert isinstance(found, str)
    assert re.search(
        r"ends a completion with the characters '.*', for which this tokenizer has no control token", found
    )


def test_ours_teaches_thinking_and_plain_answers() -> None:
    template = chat_template("qwen3")
    for completion in (THOUGHT, PLAIN):
        found = encoded(tokenizer_of(template), completion)
        assert not isinstance(found, str), found


def test_tokens_that_merge_over_the_border_are_those_of_a_model_that_writes() -> None:
    """Two line breaks are one token; the prompt ends with one and the completion begins with the other."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate([*alphabet, "ĊĊ"])}
    bytes_ = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ċ", "Ċ")]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|im_end|>", pad_token="<P>")
    tokenizer.add_tokens(["<|im_start|>"], special_tokens=True)
    tokenizer.chat_template = TEMPLATES["qwen2_5"]
    found = encoded(tokenizer, "\nTwo.")
    assert not isinstance(found, str), found
    learned = [label for label in found.labels if label != IGNORED]
    assert tokenizer.decode(learned).startswith("\nTwo.")
    assert found.ids[len(found.ids) - len(learned) - 1] == vocabulary["Ċ"]
