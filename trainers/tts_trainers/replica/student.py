"""The untrained miniature model: a Llama of a million parameters with its tokenizer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tts import Candidate, Example
from tts.prompts import DIRECT_FIELDS, REFINE_FIELDS, Prompts, read_template
from tts.prompts.refine import CountTokens
from tts.tasks.sums import Term, solution, terms_of
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.replica.attention import attend_in_blocks
from tts_trainers.replica.recipe import Architecture, TokenizerSettings
from tts_trainers.replica.rows import direct_rows, refine_rows
from tts_trainers.replica.tokenizer import train_tokenizer

# What its refine prompts show at most: the paper's budget for each of four candidates.
_CANDIDATE_TOKENS, _K = 1536, 4


def build_tokenizer(examples: Sequence[Example], settings: TokenizerSettings, seed: int) -> PreTrainedTokenizerFast:
    """A tokenizer trained on both kinds of prompts and targets."""
    return train_tokenizer(_texts(examples, seed), vocab_size=settings.vocab, context=settings.context)


def _texts(examples: Sequence[Example], seed: int) -> Iterator[str]:
    groups = [_made_up(example, random.Random(i)) for i, example in enumerate(examples)]
    rows = direct_rows(e.problem for e in examples) + refine_rows(groups, count_tokens=_characters, seed=seed)
    for one in rows:
        yield one["prompt"][0]["content"]
        yield one["completion"][0]["content"]


def _made_up(example: Example, rng: random.Random) -> CandidateGroup:
    """Candidates as a student would write them; the tokenizer comes before any student."""
    terms = terms_of(example.problem)
    wrong = [Term(terms[0].left + 1, terms[0].right), *terms[1:]]
    broken = solution(wrong).replace(f"{wrong[0].left}*", f"{terms[0].left}*", 1)
    texts = [broken if rng.random() < 0.5 else solution(terms) for _ in range(4)]
    candidates = tuple(Candidate(index=i, text=text, summary=text) for i, text in enumerate(texts))
    return CandidateGroup(example.problem, candidates, tuple(text != broken for text in texts))


async def _characters(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 for text in texts]


def build_model(shape: Architecture, context: int, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Random weights; trains fast on CPUs."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.head_size,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    attend_in_blocks(model)
    return model


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """A checkpoint in bfloat16 that transformers, vLLM and SGLang load as any other; it carries its prompts."""
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=0.6,
        top_p=0.95,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    half: Any = model.to(torch.bfloat16)  # type: ignore[arg-type]  # transformers wraps torch's
    half.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Prompts(
        direct_template=read_template("direct", DIRECT_FIELDS).source,
        refine_template=read_template("refine", REFINE_FIELDS).source,
        candidate_tokens=_CANDIDATE_TOKENS,
        k=_K,
    ).write(folder)
    _widely_known(folder)


def finish(folder: Path) -> None:
    """Bring a checkpoint that a trainer has written into the form of `save`: bfloat16, a widely known tokenizer."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    _change(folder / "config.json", dtype="bfloat16")
    _widely_known(folder)


def _widely_known(folder: Path) -> None:
    """Write the class name that transformers 4.x, which servers still pin, knows as well as 5."""
    _change(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


def _change(path: Path, **entries: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | entries, indent=2) + "\n", "utf-8")


def load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Model and tokenizer of a folder, in float32, to be trained on."""
    tokenizer = load_tokenizer(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    attend_in_blocks(model)
    return model, tokenizer


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder."""
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
    return tokenizer


def token_counter(tokenizer: PreTrainedTokenizerFast) -> CountTokens:
    """Counts tokens as `refine_messages` asks for them."""

    async def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    return count
