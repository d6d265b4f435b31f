"""Responses scored per second by `hf-reward` against a plain batch loop in file order: one model, one process.

800 responses, 8 to a problem, to a small sequence classifier with random weights. The plain loop is what model cards
show: so many conversations at a time, in the order of the file, padded to the longest of each batch, the pair through
the chat template and the tokenizer. The scorer gets one call per problem, all at once, as from an engine with enough
problems in flight; "tts.compare" is the whole way: stored candidates, `best_of_n`, the engine with its limit of 64
responses in flight. Rounds are interleaved, and scores compared. Speed is given per second of wall clock and per second
of this process's CPU time: the second says what the code costs even where the machine is shared. One thread by default.

    python benchmarks/scoring.py
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

import tts
from tts_backends.hf.scoring import ScoringOptions
from tts_backends.scorers.hf_reward import HFReward

LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789+-*/=()"


def save_model(folder: Path) -> Path:
    """2 layers of width 64; a tokenizer of single characters, so that lengths are what they are meant to be."""
    torch.manual_seed(0)
    vocabulary = {chr(32 + i) if i < 95 else f"<{i}>": i for i in range(338)} | {"<eos>": 338, "<pad>": 339}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<eos>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>", unk_token="<eos>", pad_token="<pad>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}<eos>{% endfor %}"
    config = LlamaConfig(
        vocab_size=340, hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=4096, eos_token_id=338, pad_token_id=339,
        num_labels=1,
    )  # fmt: skip
    model = LlamaForSequenceClassification(config)
    with torch.no_grad():
        model.score.weight.mul_(20)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def lengths(spread: str, count: int, rng: random.Random) -> list[int]:
    """Tokens of each response."""
    if spread == "uniform":
        return [rng.randint(48, 384) for _ in range(count)]
    return [max(24, min(768, round(rng.lognormvariate(4.8, 0.7)))) for _ in range(count)]


def candidate_sets(spread: str, count: int) -> list[tts.CandidateSet]:
    rng = random.Random(0)
    texts = ["".join(rng.choices(LETTERS, k=n - 1)).lstrip() + "." for n in lengths(spread, count, rng)]
    return [
        tts.CandidateSet(
            problem=tts.Problem(id=f"p{i}", prompt=f"Problem number {i}: what is {i}*{i + 1}?"),
            candidates=tuple(
                tts.Candidate(index=place, text=text, summary=text)
                for place, text in enumerate(texts[i * 8 : i * 8 + 8])
            ),
        )
        for i in range(count // 8)
    ]


class Spent(NamedTuple):
    """Seconds of one run, and the scores."""

    wall: float
    cpu: float
    scores: list[float]


def timed(work: Callable[[], list[float]]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    scores = work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu, scores)


def plain(model: Any, tokenizer: Any, sets: list[tts.CandidateSet], size: int) -> list[float]:
    conversations = [
        [{"role": "user", "content": one.problem.text}, {"role": "assistant", "content": candidate.text}]
        for one in sets
        for candidate in one
    ]
    scores: list[float] = []
    for first in range(0, len(conversations), size):
        texts = tokenizer.apply_chat_template(conversations[first : first + size], tokenize=False)
        batch = tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
        with torch.inference_mode():
            logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        scores += logits[:, 0].float().tolist()
    return scores


def scored(scorer: HFReward, sets: list[tts.CandidateSet]) -> list[float]:
    async def everything() -> list[list[tts.Score]]:
        return await asyncio.gather(*(scorer.score(one.problem, one.candidates) for one in sets))

    return [score.value for found in asyncio.run(everything()) for score in found]


def compared(scorer: HFReward, sets: list[tts.CandidateSet]) -> list[float]:
    table = tts.compare(sets, strategies=["best_of_n"], k=8, scorer=scorer)
    traces = {r.problem.id: r.decision.trace["scores"] for r in table.results if r.decision}
    return [value for one in sets for _, value in traces[one.problem.id]]


def measure(spread: str, folder: Path, arguments: argparse.Namespace) -> str:
    sets = candidate_sets(spread, arguments.responses)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scorer = HFReward(str(folder), ScoringOptions())
    sides: dict[str, Callable[[], list[float]]] = {
        **{f"plain loop, {size}": lambda size=size: plain(model, tokenizer, sets, size) for size in arguments.sizes},
        "hf-reward": lambda: scored(scorer, sets),
        "tts.compare": lambda: compared(scorer, sets),
    }
    runs: dict[str, list[Spent]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, work in sides.items():
            runs[name].append(timed(work))
    asyncio.run(scorer.aclose())
    expected = runs[f"plain loop, {arguments.sizes[0]}"][0].scores
    apart = {
        name: max(abs(a - b) for run in done for a, b in zip(run.scores, expected, strict=True))
        for name, done in runs.items()
    }
    assert max(apart.values()) <= 1e-4, apart
    return table(spread, runs, apart, arguments)


def table(spread: str, runs: dict[str, list[Spent]], apart: dict[str, float], arguments: argparse.Namespace) -> str:
    speeds = {
        name: (
            arguments.responses / statistics.median(run.wall for run in done),
            arguments.responses / statistics.median(run.cpu for run in done),
        )
        for name, done in runs.items()
    }
    best = [max(speeds[f"plain loop, {size}"][column] for size in arguments.sizes) for column in (0, 1)]
    return "\n".join(
        f"| {spread} | {name} | {wall:,.0f} | {wall / best[0]:.2f} | {cpu:,.0f} | **{cpu / best[1]:.2f}** "
        f"| {apart[name]:.0e} |"
        for name, (wall, cpu) in speeds.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--responses", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16], help="batch sizes of the plain loop")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.disable_progress_bar()
    print(
        f"{arguments.responses} responses, medians of {arguments.rounds} rounds, {arguments.threads} threads; load of "
        f"the machine at the start {os.getloadavg()[0]:.1f}; ratios are to the fastest plain loop\n"
    )
    print("| lengths | side | responses/s, wall | ratio | responses/s, CPU | ratio | scores apart |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder))
        for spread in ("uniform", "long tail"):
            print(measure(spread, Path(folder), arguments), flush=True)


if __name__ == "__main__":
    main()
