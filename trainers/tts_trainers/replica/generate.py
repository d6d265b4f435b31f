"""Batched sampling from a folder's model, for the stages of a training run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tts import Candidate, Message

_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_BATCH_TOKENS = 40_000


def sample(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Sequence[Message]],
    *,
    n: int,
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
) -> list[list[Candidate]]:
    """`n` candidates for each prompt, in order; temperature 0 is greedy. Batches hold prompts of similar length."""
    torch.manual_seed(seed)
    drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    options = drawn if temperature else {"do_sample": False}
    ids = [_encoded(tokenizer, prompt) for prompt in prompts]
    work = sorted(((i, j) for i in range(len(ids)) for j in range(n)), key=lambda pair: len(ids[pair[0]]))
    found: list[list[Candidate]] = [[] for _ in ids]
    while work:
        size = max(1, _BATCH_TOKENS // (len(ids[work[-1][0]]) + max_tokens))
        batch, work = work[-size:], work[:-size]
        texts = _generate(model, tokenizer, [ids[i] for i, _ in batch], max_tokens, options)
        for (i, j), text in zip(batch, texts, strict=True):
            found[i].append(candidate(j, text))
    return [sorted(candidates, key=lambda c: c.index) for candidates in found]


def candidate(index: int, text: str) -> Candidate:
    """A candidate with the summary after its think block; without a closed block there is none."""
    _, closed, rest = text.partition("</think>")
    summary = rest.strip() if closed else None
    boxed = _BOXED.findall(summary or "")
    return Candidate(index=index, text=text, summary=summary, answer=boxed[-1] if boxed else None)


def _encoded(tokenizer: PreTrainedTokenizerFast, prompt: Sequence[Message]) -> list[int]:
    chat = [message.model_dump() for message in prompt]
    ids: Any = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    return list(ids)


@torch.inference_mode()
def _generate(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[list[int]],
    max_tokens: int,
    options: dict[str, Any],
) -> list[str]:
    width = max(map(len, prompts))
    padding = [width - len(ids) for ids in prompts]
    inputs = torch.tensor([[tokenizer.pad_token_id] * pad + ids for pad, ids in zip(padding, prompts, strict=True)])
    mask = torch.arange(width)[None] >= torch.tensor(padding)[:, None]
    outputs: Any = model.generate(  # type: ignore[misc]  # transformers types `self` as a protocol
        input_ids=inputs,
        attention_mask=mask.long(),
        max_new_tokens=max_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )
    return [_text(tokenizer, row) for row in outputs[:, width:].tolist()]


def _text(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    end = ids.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in ids else len(ids)
    return str(tokenizer.decode(ids[:end], skip_special_tokens=False))
