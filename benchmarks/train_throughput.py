"""Tokens per second of hybrid training against TRL's `SFTTrainer` as it is: padded batches of rows in random order.

Both sides train the same weights on the same rows for one pass, with the same optimiser, learning rate, rows per step
and precision; gradient checkpointing is off on both. Rows are a hybrid mix: half direct (most of a row is target), half
refine (a long prompt, a short target), lengths spread evenly over 1:8. Ours runs with one mean over all tokens and
lambda = 1, which is the objective of TRL: the loss of the same held-out rows is printed for both, before training,
where it must be equal, and after it. Only tokens of rows are counted, not padding. Rounds are interleaved in one
process, and the side that begins takes turns. CPU time says what the code costs where the machine is shared; a GPU is
used if there is one, and then the wall clock counts. One thread by default: torch's idle threads spin.

    python benchmarks/train_throughput.py
    python benchmarks/train_throughput.py --packing --width 1024 --layers 16 --shortest 512 --longest 4096   # a GPU
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import warnings
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import trl
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, PrinterCallback
from trl import SFTConfig, SFTTrainer

from tts_trainers.hybrid.trainer import HybridSFTTrainer

VOCABULARY = 720


class Round(NamedTuple):
    wall: float
    cpu: float
    before: float
    after: float


def rows(count: int, shortest: int, longest: int, seed: int) -> Dataset:
    """Rows of even lengths, tokenised: a target is the sequence of tokens that its first one starts."""
    rng = random.Random(seed)
    short, long = (shortest, (shortest + longest) // 2), ((shortest + longest) // 2, longest)
    found: list[dict[str, Any]] = []
    for i in range(count):
        objective, span, share = (("direct", short, 0.7), ("refine", long, 0.25))[i % 2]
        length = rng.randint(*span)
        target = int(length * share)
        start = rng.randrange(VOCABULARY)
        ids = [rng.randrange(3, VOCABULARY) for _ in range(length - target)]
        ids += [3 + (start + 7 * j) % (VOCABULARY - 3) for j in range(target)]
        labels = [-100] * (length - target) + ids[length - target :]
        found.append({"input_ids": ids, "labels": labels, "objective": objective, "n_correct": None})
    rng.shuffle(found)
    return Dataset.from_list(found)


def tokenizer() -> PreTrainedTokenizerFast:
    """Only its padding and end tokens are used: the rows are tokenised."""
    vocabulary = {"<pad>": 0, "<end>": 1, "<unk>": 2} | {f"t{i}": i for i in range(3, VOCABULARY)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")


def model(options: argparse.Namespace) -> LlamaForCausalLM:
    torch.manual_seed(0)
    heads = options.width // 32
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=options.width,
        intermediate_size=3 * options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=64,
        max_position_embeddings=max(2048, options.longest),
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config)


def settings(options: argparse.Namespace, folder: str, **changes: Any) -> SFTConfig:
    same = {
        "output_dir": folder,
        "num_train_epochs": 1,
        "per_device_train_batch_size": options.batch,
        "per_device_eval_batch_size": 1024,  # one batch: then TRL's mean over batches is the mean over tokens
        "gradient_accumulation_steps": 2,
        "learning_rate": 2e-3,
        "max_length": options.longest,
        "activation_checkpointing": False,
        "bf16": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return SFTConfig(**same | changes)


def measure(side: str, train: Dataset, held_out: Dataset, options: argparse.Namespace) -> Round:
    with tempfile.TemporaryDirectory() as folder:
        common: Any = {"train_dataset": train, "eval_dataset": held_out, "processing_class": tokenizer()}
        trainer: SFTTrainer
        if side == "trl":
            trainer = SFTTrainer(model(options), settings(options, folder), **common)
        else:
            # A pack takes the place of the rows that it holds, so a step keeps its number of tokens.
            changes = {"packing": True, "per_device_train_batch_size": options.batch // 2} if options.packing else {}
            args = settings(options, folder, **changes)
            trainer = HybridSFTTrainer(model(options), args, normalisation="token", **common)
        trainer.remove_callback(PrinterCallback)
        before = trainer.evaluate()["eval_loss"]
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Round(wall, cpu, before, trainer.evaluate()["eval_loss"])


def padding(train: Dataset, batch: int) -> float:
    """Share of padding in TRL's batches: the mean over random orders."""
    lengths = [len(ids) for ids in train["input_ids"]]
    rng, real, all_tokens = random.Random(0), 0, 0
    for _ in range(20):
        rng.shuffle(lengths)
        real += sum(lengths)
        all_tokens += sum(
            max(part) * len(part) for i in range(0, len(lengths), batch) if (part := lengths[i : i + batch])
        )
    return 1 - real / all_tokens


def table(found: dict[str, list[Round]], tokens: int) -> str:
    lines = ["| | tokens/s, wall | tokens/s, CPU time | loss before | loss after |", "|---|---|---|---|---|"]
    for side, rounds in found.items():
        wall, cpu = (tokens / statistics.median(getattr(r, name) for r in rounds) for name in ("wall", "cpu"))
        name = {"trl": "SFTTrainer, padded, random order", "ours": "HybridSFTTrainer"}[side]
        lines.append(f"| {name} | {wall:,.0f} | {cpu:,.0f} | {rounds[0].before:.5f} | {rounds[0].after:.5f} |")
    for name in ("wall", "cpu"):
        ratios = [getattr(t, name) / getattr(o, name) for t, o in zip(found["trl"], found["ours"], strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(f"\nratio by {name} time: **{statistics.median(ratios):.2f}** (rounds: {each})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 256), ("batch", 16), ("rounds", 3), ("threads", 1), ("width", 128), ("layers", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--shortest", type=int, default=64)
    parser.add_argument("--longest", type=int, default=512)
    parser.add_argument("--packing", action="store_true", help="ours packs (for GPUs with flash attention)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    disable_progress_bar()
    train = rows(options.rows, options.shortest, options.longest, seed=0)
    held_out = rows(32, options.shortest, options.longest, seed=1)
    tokens = sum(map(len, train["input_ids"]))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {options.threads} threads"
    print(
        f"{device}; torch {torch.__version__}, trl {trl.__version__}; {model(options).num_parameters() / 1e6:.2f}M "
        f"parameters; {options.rows} rows, {tokens:,} tokens, {options.shortest} to {options.longest} a row; "
        f"{2 * options.batch} rows a step; {padding(train, options.batch):.0%} of TRL's batches is padding; "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    found: dict[str, list[Round]] = {"trl": [], "ours": []}
    for side in found:  # first calls compile, allocate and import
        measure(side, train.select(range(4 * options.batch)), held_out.select(range(4)), options)
    for i in range(options.rounds):
        for side in ("trl", "ours") if i % 2 == 0 else ("ours", "trl"):
            found[side].append(measure(side, train, held_out, options))
    print(table(found, tokens))


if __name__ == "__main__":
    main()
