"""Tokens per second of the `vllm` backend against one `LLM.generate` call, and GSR against a script of two calls.

Two engines with the same options run beside each other, one under vLLM's own `LLM`, one under the library; rounds are
interleaved, so that one is idle while the other is timed. Prompts, seeds and limits are the same on both sides, and in
float32 a completion depends on its seed, so both write the same texts but for rounding.

* Sampling: the one call gets every prompt with a request for each completion, and each has its own seed as ours have;
  it is also shown with `n` and no seeds, which asks less of the engine.
* GSR: the script samples everything in one call, builds all refine prompts, and refines everything in a second call.
  Its seeds differ from ours, so speed is compared by tokens per second, wall time beside it.

The miniature writes about as much for every problem. So GSR is timed a second time with lengths that have a long tail,
as those of reasoning models do: a log-normal distribution (sigma 1, median `--tail-median`) says how long a completion
is, the same on both sides for the same problem, stage and index, and ends of text are ignored. Speed is also given per
second of CPU time of all processes, which says what a side costs where the machine is shared.

    .engines/vllm/bin/python benchmarks/vllm_backend.py                # 128 problems, 8 completions, 4 refinements
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of so small a model wait for each other

import tts
from tts import Candidate, Example, Message, Problem, Sampling
from tts.prompts import refine_messages
from tts_backends.vllm import VLLMBackend
from tts_backends.vllm import load as vllm_load

ENGINE = {"enforce_eager": "true", "block_size": "32", "kv_cache_memory_bytes": "1G"}


class Spent(NamedTuple):
    """One run: seconds, CPU seconds of all processes, tokens generated, the longest completion."""

    wall: float
    cpu: float
    tokens: int


def cpu_seconds() -> float:
    import psutil

    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def timed(work: Callable[[], int]) -> Spent:
    wall, cpu = time.perf_counter(), cpu_seconds()
    tokens = work()
    return Spent(time.perf_counter() - wall, cpu_seconds() - cpu, tokens)


def drawn_length(problem: str, stage: str, index: int, median: float) -> int:
    """How long one completion is, in tokens; log-normal."""
    return min(1500, math.ceil(median * random.Random(f"{problem}/{stage}/{index}").lognormvariate(0, 1)))


class LongTailed(VLLMBackend):
    """The backend with lengths that are drawn where `tail_median` is set."""

    tail_median: float | None = None

    def _parameters(self, request: tts.Request, seed: int, limit: int) -> Any:
        parameters = super()._parameters(request, seed, limit)
        if self.tail_median is not None:
            stage = "sample" if request.priority >> 32 else "refine"  # aggregation goes first
            length = drawn_length(request.context, stage, request.seeds.index(seed), self.tail_median)
            parameters.max_tokens, parameters.ignore_eos, parameters.stop_token_ids = length, True, []
        return parameters


class Ours:
    """The library with the vllm backend."""

    def __init__(self, problems: list[Problem], args: Any) -> None:
        self.problems, self.args = problems, args
        self.backend = LongTailed("miniature", LongTailed.Options(**ENGINE, max_num_seqs=str(args.at_once)))

    def sampling(self, seed: int) -> Sampling:
        return Sampling(temperature=self.args.temperature, top_p=1.0, max_tokens=self.args.max_tokens, seed=seed)

    def sample(self, seed: int) -> int:
        async def everything() -> int:
            async with tts.Engine(model=self.backend, sampling=self.sampling(seed)) as engine:
                examples = (Example(problem=problem) for problem in self.problems)
                async for found in engine.sample(examples, k=self.args.k):
                    assert all(c.error is None for c in found.candidates), [c.error for c in found.candidates]
                return sum(usage.generated_tokens for usage in engine.spent.values())

        return asyncio.run(everything())

    def gsr(self, seed: int, tail_median: float | None = None) -> int:
        self.backend.tail_median = tail_median

        async def everything() -> int:
            async with tts.Engine(model=self.backend, sampling=self.sampling(seed)) as engine:
                examples = [Example(problem=problem) for problem in self.problems]
                strategy = tts.strategy("gsr", outputs=self.args.refine, candidate_tokens=self.args.candidate_tokens)
                async for outcome in engine.run(examples, [strategy], self.args.k):
                    assert not outcome.errors, outcome.errors
                return sum(usage.generated_tokens for usage in engine.spent.values())

        return asyncio.run(everything())


class Script:
    """What one writes with vLLM alone: everything in one call, then everything in the next."""

    def __init__(self, ours: Ours) -> None:
        from vllm import LLM

        self.ours, self.args = ours, ours.args
        options = VLLMBackend.Options(**ENGINE, max_num_seqs=str(self.args.at_once))
        arguments = vllm_load.configure("miniature", options, scheduling_policy="priority").arguments
        same = ("dtype", "enforce_eager", "block_size", "kv_cache_memory_bytes", "max_num_seqs")
        same += ("enable_chunked_prefill", "scheduling_policy")
        self.llm = LLM(arguments.model, **{name: getattr(arguments, name) for name in same})

    def generate(
        self, prompts: Sequence[Sequence[Message]], n: int, seed: int | None, stage: str = "", tail: float | None = None
    ) -> list[list[str]]:
        """`n` texts for each prompt; without a seed as one request for each prompt, else one for each completion."""
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt

        chat = self.ours.backend._chat
        ids = [TokensPrompt(prompt_token_ids=chat.encode(messages, None).ids) for messages in prompts]
        drawn = {"temperature": self.args.temperature, "max_tokens": self.args.max_tokens}
        if seed is None:
            parameters: Any = SamplingParams(n=n, **drawn)
        else:
            ids = [one for one in ids for _ in range(n)]
            parameters = [SamplingParams(seed=seed * 10**6 + i, **drawn) for i in range(len(ids))]
        if tail is not None:
            for i, one in enumerate(parameters):
                one.max_tokens = drawn_length(self.ours.problems[i // n].id, stage, i % n, tail)
                one.ignore_eos = True
        outputs = [one for request in self.llm.generate(ids, parameters, use_tqdm=False) for one in request.outputs]
        self.tokens += sum(len(one.token_ids) for one in outputs)
        self.lengths = sorted(len(one.token_ids) for one in outputs)
        texts = [one.text for one in outputs]
        return [texts[i : i + n] for i in range(0, len(texts), n)]

    def direct(self) -> list[tuple[Message, ...]]:
        trained = self.ours.backend.capabilities.prompts
        assert trained is not None
        texts = [trained.direct.render(problem=problem.text) for problem in self.ours.problems]
        return [(Message(role="user", content=text),) for text in texts]

    def sample(self, seed: int | None) -> int:
        self.tokens = 0
        self.generate(self.direct(), self.args.k, seed)
        return self.tokens

    def gsr(self, seed: int, tail_median: float | None = None) -> int:
        self.tokens = 0
        drawn = self.generate(self.direct(), self.args.k, seed, "sample", tail_median)
        trained = self.ours.backend.capabilities.prompts

        async def refine_prompts() -> list[tuple[Message, ...]]:
            prompts = []
            for problem, texts in zip(self.ours.problems, drawn, strict=True):
                candidates = []
                for index, text in enumerate(texts):
                    thinking, summary = tts.split_thinking(text)
                    candidates.append(Candidate(index=index, text=text, thinking=thinking, summary=summary))
                prompt = await refine_messages(
                    problem, [c for c in candidates if c.summary] or candidates, rng=random.Random(seed),
                    count_tokens=self.ours.backend.count_tokens, candidate_tokens=self.args.candidate_tokens,
                    template=trained.refine,
                )  # fmt: skip
                prompts.append(prompt.messages)
            return prompts

        self.generate(asyncio.run(refine_prompts()), self.args.refine, seed + 500, "refine", tail_median)
        return self.tokens


def table(sides: dict[str, Callable[[int], int]], rounds: int, first: str) -> None:
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    for seed in range(rounds):
        for name, work in sides.items():
            spent[name].append(timed(lambda work=work, seed=seed: work(seed + 1)))
    median = statistics.median
    speed = {name: median(s.tokens / s.wall for s in runs) for name, runs in spent.items()}
    cheap = {name: median(s.tokens / s.cpu for s in runs) for name, runs in spent.items()}
    wall = {name: median(s.wall for s in runs) for name, runs in spent.items()}
    print("| | tokens | wall s | tokens/s | ours / this | tokens per CPU s | ours / this | our wall / this |")
    print("|---|---|---|---|---|---|---|---|")
    for name, runs in spent.items():
        print(
            f"| {name} | {median(s.tokens for s in runs):,.0f} | {wall[name]:.1f} | {speed[name]:,.0f} "
            f"| {speed[first] / speed[name]:.2f} | {cheap[name]:,.0f} | {cheap[first] / cheap[name]:.2f} "
            f"| {wall[first] / wall[name]:.2f} |",
            flush=True,
        )
    print()


def told(script: Script) -> str:
    """The lengths of the last call."""
    cuts = [script.lengths[int(share * (len(script.lengths) - 1))] for share in (0.1, 0.5, 0.9, 1.0)]
    return f"10 % {cuts[0]}, median {cuts[1]}, 90 % {cuts[2]}, longest {cuts[3]} tokens"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", type=int, default=128)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--refine", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--candidate-tokens", type=int, default=100)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--tail-median", type=float, default=60)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    examples = tts.task("sums", size=args.problems).examples()
    ours = Ours([example.problem for example in examples], args)
    script = Script(ours)
    for work in (ours.sample, script.sample):  # warm up
        work(99)
    lengths = told(script)
    print(f"{args.problems} problems, k = {args.k}, {args.at_once} at once, medians of {args.rounds} rounds; ", end="")
    print(f"load of the machine at the start {os.getloadavg()[0]:.1f}")
    print(f"completion lengths: {lengths}\n")
    print("Sampling\n")
    sides = {
        "vllm backend": ours.sample,
        "one LLM.generate, same seeds": script.sample,
        "one LLM.generate, n, no seeds": lambda _: script.sample(None),
    }
    table(sides, args.rounds, "vllm backend")
    print(f"GSR, {args.refine} refinements\n")
    table({"vllm backend": ours.gsr, "two calls": script.gsr}, args.rounds, "vllm backend")
    tail = args.tail_median
    script.generate(script.direct(), args.k, 1, "sample", tail)
    print(f"GSR, {args.refine} refinements, long tail: {told(script)}\n")
    sides = {"vllm backend": lambda seed: ours.gsr(seed, tail), "two calls": lambda seed: script.gsr(seed, tail)}
    table(sides, args.rounds, "vllm backend")
    asyncio.run(ours.backend.aclose())


if __name__ == "__main__":
    main()
