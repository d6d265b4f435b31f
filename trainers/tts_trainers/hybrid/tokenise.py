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

if TYPE_CHECKING:
    from datasets import Dataset

IGNORED = -100  # the label that torch's cross-entropy leaves out
_KEPT = ("objective", "n_correct", "problem_id")
_ROWS_A_PROCESS = 2_000  # fewer are tokenised sooner than a process has started


def tokenised(rows: Dataset, tokenizer: Any, cache: Path) -> Dataset:
    """Rows with `input_ids`, `labels` (completion tokens only) and `length` in place of texts, kept in `cache`.

    Raises `ConfigError` for a row whose completion the chat template drops or changes.
    """
    from datasets import Features, List, Value

    features = {name: List(Value("int32")) for name in ("input_ids", "labels")}
    features |= {"length": Value("int32"), "n_correct": Value("int64")}
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


def template_fault(prompt: str, text: str, completion: str) -> str | None:
    """What a chat template did to a row, as the rest of a sentence.

    `prompt` is rendered with the generation prompt, `text` with the completion.
    """
    if not text.startswith(prompt):
        return "writes a prompt in another way when a completion follows it"
    shown, wanted = ("".join(part.split()) for part in (text[len(prompt) :], completion))
    if wanted in shown:
        return None
    _, closed, summary = wanted.rpartition("</think>")
    dropped = closed and summary in shown and closed not in shown
    return "drops the think block of a completion" if dropped else "changes the text of a completion"


def _encode(batch: Mapping[str, Sequence[Any]], positions: Sequence[int], tokenizer: Any) -> dict[str, Any]:
    chats = zip(batch["prompt"], batch["completion"], strict=True)
    rendered = [(_render(tokenizer, p, True), _render(tokenizer, [*p, *c], False)) for p, c in chats]
    for position, (prompt, text), completion in zip(positions, rendered, batch["completion"], strict=True):
        if fault := template_fault(prompt, text, completion[0]["content"]):
            raise ConfigError(
                f"row {position + 1}: the chat template {fault}; set model.chat_template to one that keeps it, "
                "e.g. 'qwen3'"
            )
    heads = _ids(tokenizer, [prompt for prompt, _ in rendered])
    ids = _ids(tokenizer, [text for _, text in rendered])
    columns: dict[str, Any] = {name: batch[name] for name in _KEPT}
    columns["input_ids"] = ids
    columns["labels"] = [_labels(head, full) for head, full in zip(heads, ids, strict=True)]
    columns["length"] = [len(full) for full in ids]
    return columns


def _render(tokenizer: Any, messages: Sequence[Any], open_turn: bool) -> str:
    import jinja2

    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_turn)
    except jinja2.TemplateError as error:
        raise ConfigError(f"the chat template cannot write a row: {error}") from error
    return text


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return found


def _labels(head: Sequence[int], full: Sequence[int]) -> list[int]:
    """The completion's tokens; it begins where the two part, which is earlier where tokens merge over the border."""
    same = next((i for i, (a, b) in enumerate(zip(head, full, strict=False)) if a != b), min(len(head), len(full)))
    return [IGNORED] * same + list(full[same:])
