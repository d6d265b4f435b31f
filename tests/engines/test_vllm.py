"""The vllm backend on the real engine with the embedded miniature, which vLLM loads as it is.

Runs in the engine's own environment: `make test-vllm`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from waiting import joined, soon

pytest.importorskip("vllm.v1", reason="vLLM has an environment of its own: make test-vllm")
import tts
from tts import BackendError, Completion, ConfigError, ContextLengthError, Message, Request, Sampling, Usage
from tts.testing import BackendContract
from tts_backends.hf import HFBackend
from tts_backends.vllm import VLLMBackend
from tts_backends.vllm.load import configure

AT_ONCE = 4  # few, so that requests queue at the engine
OPTIONS = {"enforce_eager": "true", "block_size": "32", "kv_cache_memory_bytes": "200M", "max_num_seqs": str(AT_ONCE)}


@pytest.fixture(scope="module")
def backend() -> Iterator[VLLMBackend]:
    backend = VLLMBackend("miniature", VLLMBackend.Options(**OPTIONS))
    yield backend
    asyncio.run(backend.aclose())


@pytest.fixture(scope="module")
def hf() -> Iterator[HFBackend]:
    backend = HFBackend("miniature", HFBackend.Options(dtype="float32"))
    yield backend
    asyncio.run(backend.aclose())


LONG = BackendContract.long_question


def ask(text: str = "What is 3*8?", n: int = 1, seed: int = 0, priority: int = 0, **sampling: Any) -> Request:
    values = {"max_tokens": 24, "temperature": 1.0, "top_p": 1.0} | sampling
    messages = (Message(role="user", content=text),)
    seeds = tuple(range(seed, seed + n))
    return Request(messages=messages, n=n, seeds=seeds, priority=priority, sampling=Sampling(**values))


async def collect(backend: Any, request: Request) -> list[Completion]:
    return sorted([c async for c in backend.generate(request)], key=lambda c: c.index)


def run(backend: Any, *requests: Request) -> list[list[Completion]]:
    async def together() -> list[list[Completion]]:
        return await asyncio.gather(*(collect(backend, r) for r in requests))

    return asyncio.run(together())


def unfinished(backend: VLLMBackend) -> int:
    return backend._engine.llm.get_num_unfinished_requests()


def test_greedy_outputs_are_those_of_the_hf_backend(backend: VLLMBackend, hf: HFBackend) -> None:
    texts = [f"What is {a}*{a + 3}-{7 * a % 10}?" for a in range(3, 23)]
    requests = [ask(text, temperature=0, max_tokens=32, logprobs=True) for text in texts]
    for ours, theirs in zip(run(backend, *requests), run(hf, *requests), strict=True):
        assert ours[0].text == theirs[0].text
        assert ours[0].finish_reason == theirs[0].finish_reason
        assert ours[0].logprob == pytest.approx(theirs[0].logprob, abs=1e-3)
        same = ("calls", "prompt_tokens", "thinking_tokens", "answer_tokens")
        assert [getattr(ours[0].usage, f) for f in same] == [getattr(theirs[0].usage, f) for f in same]


def test_each_completion_comes_when_it_is_finished(backend: VLLMBackend) -> None:
    async def first() -> int:
        async with aclosing(backend.generate(ask(n=8, max_tokens=200))) as arriving:
            await anext(arriving)
            return unfinished(backend)

    assert asyncio.run(first()) >= 4  # those that had no place at first cannot be over with the first


def test_a_seed_gives_one_output_alone_and_in_a_crowd(backend: VLLMBackend) -> None:
    crowd = [ask("Another question?", n=3, seed=50), ask(n=4, seed=10), ask("12", n=2, seed=7)]
    together = [c.text for c in run(backend, *crowd)[1]]
    alone = [run(backend, ask(seed=seed))[0][0].text for seed in range(10, 14)]
    assert together == alone
    assert len(set(alone)) > 1
    assert backend.capabilities.seed


def test_tokens_are_counted_exactly(backend: VLLMBackend, hf: HFBackend) -> None:
    question = "What is 12*34? " * 10
    ((cut,),) = run(backend, ask(question, max_tokens=5))
    assert (cut.finish_reason, cut.usage.generated_tokens) == ("length", 5)
    again = run(backend, ask(question, n=2, max_tokens=5))[0]
    prompt = len(hf._chat.encode((Message(role="user", content=question),), None).ids)
    for completion in again:
        assert completion.usage.prompt_tokens == prompt
        assert completion.usage.cached_tokens == (prompt - 1) // 32 * 32  # whole blocks; the last token is computed
    assert cut.usage.calls == 1


def test_a_stop_string_ends_the_text_before_it(backend: VLLMBackend) -> None:
    ((whole,),) = run(backend, ask(temperature=0, max_tokens=24))
    middle = whole.text[len(whole.text) // 2 :][:3]
    ((stopped,),) = run(backend, ask(temperature=0, max_tokens=24, stop=(middle, "never")))
    assert stopped.text == whole.text[: whole.text.index(middle)]
    assert stopped.finish_reason == "stop"
    assert stopped.usage.generated_tokens < whole.usage.generated_tokens or whole.text.endswith(middle)


def test_markers_and_other_alphabets_in_a_prompt_stay_text(backend: VLLMBackend, hf: HFBackend) -> None:
    texts = ["<|end|><|pad|> 12?", "Сколько будет 3·8? 🧮 三かける八", "</think><think>\x00\u200b"]
    requests = [ask(text, temperature=0, max_tokens=8) for text in texts]
    for (ours,), (theirs,) in zip(run(backend, *requests), run(hf, *requests), strict=True):
        assert ours.text == theirs.text
        assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert asyncio.run(backend.count_tokens(texts)) == asyncio.run(hf.count_tokens(texts))


def test_a_prompt_that_is_too_long_names_both_numbers(backend: VLLMBackend) -> None:
    context = backend.capabilities.context_length
    assert context == 2048
    with pytest.raises(ContextLengthError, match="2,?048"):
        run(backend, ask("7" * 3000))
    fits = "7" * 1900
    ((full,),) = run(backend, ask(fits, max_tokens=None))
    assert full.usage.total_tokens <= context
    assert unfinished(backend) == 0


def test_closing_the_iterator_aborts_at_the_engine(backend: VLLMBackend) -> None:
    cancelled: list[Usage] = []
    request = ask(LONG, n=6, max_tokens=300).model_copy(update={"on_cancelled": cancelled.append})

    async def leave() -> Completion:
        async with aclosing(backend.generate(request)) as arriving:
            return await anext(arriving)

    asyncio.run(leave())
    assert unfinished(backend) == 0
    assert len(cancelled) == 5
    assert all(usage.cancelled == 1 and usage.calls == 1 for usage in cancelled)
    spent = [usage for usage in cancelled if usage.generated_tokens]
    assert spent
    assert all(usage.prompt_tokens for usage in spent)


def test_a_task_that_is_cancelled_at_once_leaves_nothing(backend: VLLMBackend) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(collect(backend, ask(n=5, max_tokens=400))) for _ in range(4)]
        for pause in (0, 0, 0.001, 0.01):
            await asyncio.sleep(pause)
            tasks.pop().cancel()
        await asyncio.sleep(0.2)

    asyncio.run(main())
    assert unfinished(backend) == 0


def test_a_lower_priority_number_overtakes_what_waits(backend: VLLMBackend) -> None:
    async def main() -> int:
        order: list[str] = []

        async def note(name: str, request: Request) -> None:
            async for _ in backend.generate(request):
                order.append(name)

        many = asyncio.create_task(note("sampling", ask(n=16, max_tokens=60, priority=9)))
        await soon(lambda: unfinished(backend) == 16, many)
        await note("aggregation", ask("late", max_tokens=4, priority=1))
        await many
        return order.index("aggregation")

    assert asyncio.run(main()) <= 2 * AT_ONCE


def test_requests_of_two_threads_and_loops(backend: VLLMBackend) -> None:
    expected = run(backend, ask(seed=3), ask(seed=4))
    found: dict[int, str] = {}

    def work(seed: int) -> None:
        found[seed] = run(backend, ask(seed=seed))[0][0].text

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert [found[3], found[4]] == [completions[0].text for completions in expected]


def test_gsr_solves_with_the_engine(backend: VLLMBackend) -> None:
    run = tts.run([f"{a}+{a + 5}" for a in range(11, 15)], model=backend, strategy="gsr", k=4)
    assert all(result.error is None for result in run.results)
    assert unfinished(backend) == 0


def test_parallel_options_reach_the_engine() -> None:
    options = VLLMBackend.Options(tensor_parallel_size="2", pipeline_parallel_size="2", max_model_len="1k", seed="7")
    found = configure("miniature", options).config
    assert found.parallel_config.tensor_parallel_size == 2
    assert found.parallel_config.pipeline_parallel_size == 2
    assert found.model_config.max_model_len == 1000
    assert found.cache_config.enable_prefix_caching


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_paralel_size": "2"}, "tensor_parallel_size"),
        ({"tensor_parallel_size": "two"}, "two"),
        ({"model": "other"}, "no engine option 'model'"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        VLLMBackend("miniature", VLLMBackend.Options(**options))
    assert "\n" not in str(caught.value)


def test_a_model_that_vllm_cannot_run_is_one_sentence() -> None:
    with pytest.raises(tts.BackendUnavailable, match="max_model_len") as caught:
        VLLMBackend("miniature", VLLMBackend.Options(max_model_len="4096"))
    assert "\n" not in str(caught.value)


def test_what_changes_outputs_changes_the_fingerprint() -> None:
    digests = {
        configure("miniature", VLLMBackend.Options(**options)).digest
        for options in ({}, {"max_num_seqs": "3"}, {"enforce_eager": "true"}, {"kv_cache_dtype": "fp8"})
    }
    assert len(digests) == 2


def test_a_closed_backend_says_so() -> None:
    backend = VLLMBackend("miniature", VLLMBackend.Options(**OPTIONS))

    async def main() -> BackendError:
        running = asyncio.create_task(collect(backend, ask(LONG, n=8, max_tokens=1500)))
        await soon(lambda: unfinished(backend), running)
        await backend.aclose()
        with pytest.raises(BackendError, match="closed") as caught:
            await running
        return caught.value

    asyncio.run(main())
    with pytest.raises(BackendError, match="closed"):
        run(backend, ask())
