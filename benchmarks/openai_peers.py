"""Majority over 8 against an instant server: the openai backend beside a bare loop and beside other libraries.

    python benchmarks/openai_peers.py [--requests 2000] [--rounds 3]

Wants its-hub, lm-eval and dspy beside ttscale: `pip install ttscale[openai] its_hub[lm] "lm_eval[api]" dspy`; one that
is not installed is left out, and that is said. Every client has a process of its own, warmed up first; rounds are
interleaved. All ask for one completion a request, 64 in flight, and vote on what is boxed:

* its-hub: SelfConsistency with a projection on the box, eight problems at once, the orchestrator's own limit off.
* lm-eval: a task with `repeats: 8`, a filter that votes, `num_concurrent=64`.
* dspy: `dspy.Parallel` with 64 threads over all rollouts, then `dspy.majority`.

Only ours stores what it samples; it stands there without its store, too. CPU seconds are those of the client's process
with all its threads.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from openai_backend import IN_FLIGHT, Cost, K, Served, bare, ours, prompts, unstored

BOX = re.compile(r"\\boxed\{(.*?)\}")


async def its_hub(base: str, problems: int, _: Path) -> None:
    from its_hub import LMOrchestrator, OpenAICompatibleLanguageModel, SelfConsistency

    at_once = asyncio.Semaphore(IN_FLIGHT // K)
    vote = SelfConsistency(lambda text: BOX.findall(text)[-1], orchestrator=LMOrchestrator(max_concurrency=-1))
    async with OpenAICompatibleLanguageModel(base, "none", "m", temperature=0.6) as model:

        async def solve(prompt: str) -> str:
            async with at_once:
                return str((await vote.ainfer(model, prompt, budget=K))["content"])

        decided = await asyncio.gather(*(solve(prompt) for prompt in prompts(problems)))
    assert len(decided) == problems


async def lm_eval(base: str, problems: int, folder: Path) -> None:
    await asyncio.to_thread(_lm_eval, base, problems, folder)


def _lm_eval(base: str, problems: int, folder: Path) -> None:
    from lm_eval import simple_evaluate

    rows = folder / f"{problems}.jsonl"
    rows.write_text("".join(json.dumps({"question": prompt, "answer": "0"}) + "\n" for prompt in prompts(problems)))
    take = [
        {"function": "regex", "regex_pattern": BOX.pattern},
        {"function": "majority_vote"},
        {"function": "take_first"},
    ]
    task = {
        "task": f"vote{problems}", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test", "output_type": "generate_until", "repeats": K, "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}", "filter_list": [{"name": "maj", "filter": take}],
        "metric_list": [{"metric": "exact_match"}],
        "generation_kwargs": {"until": [], "do_sample": True, "temperature": 0.6, "top_p": 0.95},
    }  # fmt: skip
    arguments = (
        f"model=m,base_url={base}/chat/completions,num_concurrent={IN_FLIGHT},max_retries=1,tokenized_requests=False"
    )
    found = simple_evaluate(
        "local-chat-completions", model_args=arguments, tasks=[task], apply_chat_template=True, bootstrap_iters=0,
        log_samples=True, verbosity="ERROR",
    )  # fmt: skip
    assert found is not None
    (samples,) = found["samples"].values()
    assert len(samples) == problems
    assert len(samples[0]["resps"][0]) == K


async def dspy(base: str, problems: int, _: Path) -> None:
    await asyncio.to_thread(_dspy, base, problems)


def _dspy(base: str, problems: int) -> None:
    import dspy

    model = dspy.LM("openai/m", api_base=base, api_key="none", temperature=0.6, cache=False)
    with dspy.context(lm=model, disable_history=True):
        ask = dspy.Predict("question -> answer")
        calls = [(ask, {"question": p, "config": {"rollout_id": i}}) for p in prompts(problems) for i in range(K)]
        run = dspy.Parallel(num_threads=IN_FLIGHT, disable_progress_bar=True, max_errors=1)
        found = run([(module, dspy.Example(**inputs).with_inputs(*inputs)) for module, inputs in calls])
        groups = [found[i : i + K] for i in range(0, len(found), K)]
        decided = [dspy.majority([dict(one) for one in group], field="answer") for group in groups]
    assert len(decided) == problems


CLIENTS: dict[str, Callable[..., Any]] = {
    "bare aiohttp loop": bare, "openai backend, store on": ours, "openai backend, no store": unstored,
    "its-hub": its_hub, "lm-eval": lm_eval, "dspy": dspy,
}  # fmt: skip


def client_process(pipe: Connection, name: str, base: str, folder: Path) -> None:
    """Run rounds of as many problems as the pipe says, until it says none; answers with what each cost."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none", "LOGLEVEL": "ERROR"}
    while problems := pipe.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stderr(nowhere),
            contextlib.redirect_stdout(nowhere),
        ):
            asyncio.run(CLIENTS[name](base, problems, folder))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        pipe.send(Cost(1000 * cpu / (K * problems), K * problems / wall))


@contextlib.contextmanager
def client(name: str, base: str, folder: Path) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=client_process, args=(there, name, base, folder), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        with contextlib.suppress(OSError):
            here.send(0)
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    packages = {"its-hub": "its_hub", "lm-eval": "lm_eval", "dspy": "dspy"}
    names = [name for name in CLIENTS if name not in packages or find_spec(packages[name])]
    print("".join(f"{name} is not installed and is left out\n" for name in CLIENTS if name not in names), end="")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = stack.enter_context(Served(0.0))
        pipes = {name: stack.enter_context(client(name, base, folder)) for name in names}
        costs = measured(pipes, arguments.requests // K, arguments.rounds)
    print(f"{arguments.requests:,} completions, k = {K}, {IN_FLIGHT} in flight, instant server, medians of ", end="")
    print(f"{arguments.rounds} interleaved rounds\n\n| client | CPU s per 1,000 | of the bare loop's | completions/s |")
    print("|---|---|---|---|")
    floor = costs["bare aiohttp loop"]
    for name, found in costs.items():
        times = statistics.median(one.cpu / other.cpu for one, other in zip(found, floor, strict=True))
        cpu, rate = (statistics.median(getattr(one, field) for one in found) for field in Cost._fields)
        print(f"| {name} | {cpu:.3f} | {times:.2f} | {rate:,.0f} |", flush=True)


def measured(pipes: dict[str, Connection], problems: int, rounds: int) -> dict[str, list[Cost]]:
    """A warm-up, which is not counted, and the rounds."""
    costs: dict[str, list[Cost]] = {name: [] for name in pipes}
    for each in (8, *[problems] * rounds):
        for name, pipe in pipes.items():
            pipe.send(each)
            costs[name].append(pipe.recv())
    return {name: found[1:] for name, found in costs.items()}


if __name__ == "__main__":
    main()
