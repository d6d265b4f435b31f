"""Toy problems, a tiny untrained Llama and the miniature's tokenizer, for the tests of the helpers."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from click.testing import CliRunner, Result
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tts import Candidate, Problem
from tts.cli import main
from tts_trainers.helpers.graded import GradedSet
from tts_trainers.runtime.place import place

torch.set_num_threads(1)  # such models gain nothing from more


def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(place("miniature"))


def llama(width: int = 32, positions: int = 512) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer()), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=positions, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def candidate(index: int, text: str, thinking: str | None = None) -> Candidate:
    whole = text if thinking is None else f"<think>\n{thinking}\n</think>\n\n{text}"
    return Candidate(index=index, text=whole, thinking=thinking, summary=text)


def toy_set(number: int, correct: int = 2, wrong: int = 2) -> GradedSet:
    """Responses whose last digit gives them away: 7 is right, 3 is wrong."""
    texts = [f"Step {i}{number % 10} so \\boxed{{7}}" for i in range(correct)]
    texts += [f"Step {i}{number % 10} so \\boxed{{3}}" for i in range(wrong)]
    candidates = tuple(candidate(i, text) for i, text in enumerate(texts))
    problem = Problem(id=f"p{number}", prompt=f"What is {number}?")
    return GradedSet(problem, "7", candidates, (True,) * correct + (False,) * wrong)


def write_candidates(path: Path, sets: list[GradedSet], gold: bool = True) -> Path:
    rows = (
        {"id": s.problem.id, "problem": s.problem.text, "candidates": [c.text for c in s.candidates]}
        | ({"answer": s.answer} if gold else {})
        for s in sets
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run_train(*arguments: object) -> Result:
    """`tts train ARGUMENTS`, in this process."""
    return CliRunner().invoke(main, ["train", *map(str, arguments)], prog_name="tts")
