"""Training rows as tokens, checked row by row on the way.

TRL would tokenise just as well, but only after the weights are loaded, and it warns once where a chat template breaks a
completion. Here a row that would teach something else than it says stops the run before it costs anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts import ConfigError
from tts_trainers.hybrid.targets import IGNORED, Targets, targets

if TYPE_CHECKING:
    from datasets import Dataset

_KEPT = ("objective", "n_correct", "problem_id")
_ROWS_A_PROCESS = 2_000  # fewer are tokenised sooner than a process has started


def tokenised(rows: Dataset, tokenizer: Any, cache: Path) -> Dataset:
    """Rows with `input_ids`, `labels` (completion tokens only) and counts in place of texts, kept in `cache`.

    `length` counts all tokens of a row, `targets` those to be learned; `thinks` says whether it has a think block.

    Raises `ConfigError` for a row that the chat template would have teach something else, as `targets` finds it.
    """
    from datasets import Features, List, Value

    features = {name: List(Value("int32")) for name in ("input_ids", "labels")}
    features |= {name: Value("int32") for name in ("length", "targets")}
    features |= {"thinks": Value("bool"), "n_correct": Value("int64")}
    features |= {"objective": Value("string"), "problem_id": Value("string")}
    cache.parent.mkdir(parents=True, exist_ok=True)
    processes = min(os.cpu_count() or 1, len(rows) // _ROWS_A_PROCESS)
    return rows.map(
        _encode,
        batched=True,
        batch_size=64,
        with_indices=True,
        fn_kwargs={"tokenizer": tokenizer},
        remove_columns=rows.column_names,
        features=Features(features),
        num_proc=processes if processes > 1 else None,
        cache_file_name=str(cache),
        desc="tokens",
    )


def _encode(batch: Mapping[str, Sequence[Any]], positions: Sequence[int], tokenizer: Any) -> dict[str, Any]:
    chats = zip(batch["prompt"], batch["completion"], strict=True)
    rendered = [(_render(tokenizer, p, True), _render(tokenizer, [*p, *c], False)) for p, c in chats]
    prompts, texts = [prompt for prompt, _ in rendered], [text for _, text in rendered]
    encoded = targets(tokenizer, prompts, texts, [completion[0]["content"] for completion in batch["completion"]])
    good: list[Targets] = []
    for position, one in zip(positions, encoded, strict=True):
        if isinstance(one, str):
            raise ConfigError(f"row {position + 1}: the chat template {one}; {_advice(tokenizer)}")
        good.append(one)
    columns: dict[str, Any] = {name: batch[name] for name in _KEPT}
    columns["input_ids"] = [one.ids for one in good]
    columns["labels"] = [one.labels for one in good]
    columns["length"] = [len(one.ids) for one in good]
    columns["targets"] = [sum(label != IGNORED for label in one.labels) for one in good]
    columns["thinks"] = ["</think>" in completion[0]["content"] for completion in batch["completion"]]
    return columns


def _advice(tokenizer: Any) -> str:
    """What to do about a template, of what this tokenizer can write."""
    ours = "<|im_end|>" in tokenizer.all_special_tokens or "<|im_end|>" in tokenizer.get_added_vocab()
    keeps = "set model.chat_template to one that keeps it"
    return f"{keeps}, e.g. 'qwen3'" if ours else f"{keeps} and ends a turn with {tokenizer.eos_token!r}"


def _render(tokenizer: Any, messages: Sequence[Any], open_turn: bool) -> str:
    import jinja2

    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_turn)
    except jinja2.TemplateError as error:
        raise ConfigError(f"the chat template cannot write a row: {error}") from error
    return text
