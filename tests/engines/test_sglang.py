"""The sglang backend on the real engine with a copy of the embedded miniature.

Runs in the engine's own environment: `make test-sglang`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from waiting import soon

if find_spec("sglang") is None:
    pytest.skip("SGLang has an environment of its own: make test-sglang", allow_module_level=True)
import torch
from sglang_server import SMALL, load, model
from transformers import AutoModelForCausalLM, AutoTokenizer

import tts
from tts import BackendError, Completion, ConfigError, ContextLengthError, Message, Request, Sampling, Usage
from tts.testing import BackendContract
from tts_backends.checkpoints.chat import Chat, Prompt
from tts_backends.sglang import SGLangBackend

AT_ONCE = 4  # few, so that requests queue at the engine


@pytest.fixture(scope="module")
def backend() -> Iterator[SGLangBackend]:
    backend = SGLangBackend(model(), SGLangBackend.Options(**SMALL | {"max_running_requests": str(AT_ONCE)}))
    yield backend
    asyncio.run(backend.aclose())


class Reference:
    """The same model in transformers, token by token. The hf backend wants transformers 5, SGLang brings 4."""

    def __init__(self) -> None:
        tokenizer = AutoTokenizer.from_pretrained(model())
        self.chat = Chat(tokenizer, None, "<think>", "</think>")
        self._model = AutoModelForCausalLM.from_pretrained(model(), dtype=torch.float32).eval()
        self._ends = {tokenizer.eos_token_id, self.chat.end_token()}

    def prompt(self, text: str) -> Prompt:
        return self.chat.encode((Message(role="user", content=text),), None)

    def next_logprobs(self, ids: list[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self._model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)

    def greedy(self, text: str, most: int) -> tuple[list[int], float]:
        ids, tokens, total = self.prompt(text).ids, [], 0.0
        while len(tokens) < most and not self._ends & set(tokens):
            logprobs = self.next_logprobs(ids + tokens)
            tokens.append(int(logprobs.argmax()))
            total += float(logprobs[tokens[-1]])
        return tokens, total


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


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


def unfinished(backend: SGLangBackend) -> int:
    process = backend._served.process
    assert process is not None
    return load(process.address.removesuffix("/v1"), process.key)


def test_greedy_outputs_are_those_of_transformers(backend: SGLangBackend, reference: Reference) -> None:
    texts = [f"What is {a}*{a + 3}-{7 * a % 10}?" for a in range(3, 23)]
    found = run(backend, *(ask(text, temperature=0, max_tokens=32, logprobs=True) for text in texts))
    for text, (ours,) in zip(texts, found, strict=True):
        tokens, logprob = reference.greedy(text, 32)
        parts = reference.chat.split(tokens, reference.prompt(text).opens_thinking)
        assert (ours.text, ours.thinking, ours.summary) == parts[:3]
        assert ours.logprob == pytest.approx(logprob, abs=1e-3)
        assert ours.usage.prompt_tokens == len(reference.prompt(text).ids)
        assert ours.usage.thinking_tokens == parts.thinking_tokens
        assert ours.usage.generated_tokens == len(tokens)


def test_log_probabilities_are_the_models_own_before_temperature(backend: SGLangBackend, reference: Reference) -> None:
    expected = reference.next_logprobs(reference.prompt("What is 3*8?").ids)
    for one in run(backend, ask(n=4, temperature=0.5, max_tokens=1, logprobs=True))[0]:
        same = [float(p) for token, p in enumerate(expected) if reference.chat.decode([token]) == one.text]
        assert min(abs(value - (one.logprob or 0)) for value in same) < 1e-3


def test_each_completion_comes_when_it_is_finished(backend: SGLangBackend) -> None:
    async def first() -> int:
        async with aclosing(backend.generate(ask(n=8, temperature=1.5, max_tokens=400))) as arriving:
            await anext(arriving)
            return await asyncio.to_thread(unfinished, backend)

    assert asyncio.run(first()) >= 4  # those that had no place at first cannot be over with the first


def test_seeds_are_declared_not_to_be_followed_on_a_cpu(backend: SGLangBackend) -> None:
    assert not backend.capabilities.seed
    assert len({c.text for c in run(backend, ask(n=6))[0]}) > 1


def test_tokens_are_counted_exactly(backend: SGLangBackend, reference: Reference) -> None:
    question = "What is 12*34? " * 10
    prompt = len(reference.prompt(question).ids)
    ((cut, second),) = run(backend, ask(question, n=2, max_tokens=5))
    assert (cut.finish_reason, cut.usage.generated_tokens) == ("length", 5)
    assert cut.usage.cached_tokens < prompt - 1  # computed once, for both
    assert second.usage.cached_tokens == prompt - 1  # the last token is always computed
    for completion in run(backend, ask(question, n=2, max_tokens=5))[0]:
        assert (completion.usage.calls, completion.usage.prompt_tokens) == (1, prompt)
        assert completion.usage.cached_tokens == prompt - 1


def test_a_stop_string_ends_the_text_before_it(backend: SGLangBackend) -> None:
    ((whole,),) = run(backend, ask(temperature=0, max_tokens=24))
    middle = whole.text[len(whole.text) // 2 :][:3]
    ((stopped,),) = run(backend, ask(temperature=0, max_tokens=24, stop=(middle, "never")))
    assert stopped.text == whole.text[: whole.text.index(middle)]
    assert stopped.finish_reason == "stop"


def test_markers_and_other_alphabets_in_a_prompt_stay_text(backend: SGLangBackend, reference: Reference) -> None:
    texts = ["<|end|><|pad|> 12?", "Сколько будет 3·8? 🧮 三かける八", "</think><think>\x00\u200b"]
    found = run(backend, *(ask(text, temperature=0, max_tokens=8) for text in texts))
    for text, (ours,) in zip(texts, found, strict=True):
        assert ours.text == reference.chat.decode(reference.greedy(text, 8)[0])
        assert ours.usage.prompt_tokens == len(reference.prompt(text).ids)
    assert asyncio.run(backend.count_tokens(texts)) == reference.chat.count(texts)


def test_a_prompt_up_to_the_context_fits_and_a_longer_one_names_both_numbers(backend: SGLangBackend) -> None:
    context = backend.capabilities.context_length
    assert context is not None
    assert 2040 <= context < 2048
    with pytest.raises(ContextLengthError) as caught:
        run(backend, ask("7" * 3000))
    assert caught.value.context_length == context
    ((full,),) = run(backend, ask("7" * 1900, max_tokens=None))
    assert full.usage.total_tokens <= context
    used = full.usage.prompt_tokens
    ((last,),) = run(backend, ask("7" * (1900 + context - 1 - used), max_tokens=None))
    assert (last.usage.prompt_tokens, last.usage.generated_tokens) == (context - 1, 1)


def test_closing_the_iterator_aborts_at_the_engine(backend: SGLangBackend) -> None:
    cancelled: list[Usage] = []
    request = ask(LONG, n=6, temperature=1.5, max_tokens=600).model_copy(update={"on_cancelled": cancelled.append})

    async def leave() -> None:
        async with aclosing(backend.generate(request)) as arriving:
            await anext(arriving)

    asyncio.run(leave())
    until = time.monotonic() + 10
    while unfinished(backend) and time.monotonic() < until:
        time.sleep(0.1)
    assert unfinished(backend) == 0
    assert len(cancelled) == 5
    assert all(usage.cancelled == 1 and usage.calls == 1 for usage in cancelled)
    spent = [usage for usage in cancelled if usage.generated_tokens]
    assert spent
    assert all(usage.prompt_tokens for usage in spent)


def test_a_task_that_is_cancelled_at_once_leaves_nothing(backend: SGLangBackend) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(collect(backend, ask(n=5, max_tokens=800))) for _ in range(4)]
        for pause in (0, 0.01, 0.1, 0.3):
            await asyncio.sleep(pause)
            tasks.pop().cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(100):
            if not await asyncio.to_thread(unfinished, backend):
                return
            await asyncio.sleep(0.1)

    asyncio.run(main())
    assert unfinished(backend) == 0


def test_a_lower_priority_number_overtakes_what_waits(backend: SGLangBackend) -> None:
    async def main() -> int:
        order: list[str] = []

        async def note(name: str, request: Request) -> None:
            async for _ in backend.generate(request):
                order.append(name)

        many = asyncio.create_task(note("sampling", ask(n=16, temperature=1.5, max_tokens=60, priority=9 << 32)))

        async def busy() -> bool:
            return await asyncio.to_thread(unfinished, backend) >= 2 * AT_ONCE

        await soon(busy, many)
        await note("aggregation", ask("late", max_tokens=4, priority=1))
        await many
        return order.index("aggregation")

    assert asyncio.run(main()) <= 3 * AT_ONCE


def test_gsr_solves_with_the_engine(backend: SGLangBackend) -> None:
    run = tts.run([f"{a}+{a + 5}" for a in range(11, 15)], model=backend, strategy="gsr", k=4)
    assert all(result.error is None for result in run.results)
    assert unfinished(backend) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mem_fraction_statik": "0.2"}, "did you mean 'mem_fraction_static'"),
        ({"tp_size": "two"}, "two"),
        ({"disable_radix_cache": "maybe"}, "true or false"),
        ({"model_path": "other"}, "no engine option 'model_path'"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        SGLangBackend(model(), SGLangBackend.Options(**options))
    assert "\n" not in str(caught.value)


def test_a_model_that_sglang_cannot_run_is_one_sentence(tmp_path: Path) -> None:
    for file in Path(model()).iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(tts.BackendUnavailable, match="cannot start") as caught:
        SGLangBackend(str(tmp_path), SGLangBackend.Options(**SMALL))
    assert "\n" not in str(caught.value)


def test_an_engine_that_dies_or_is_closed_fails_what_runs() -> None:
    backend = SGLangBackend(model(), SGLangBackend.Options(**SMALL))
    process = backend._served.process
    assert process is not None

    async def main() -> BackendError:
        running = asyncio.create_task(collect(backend, ask(LONG, n=8, temperature=1.5, max_tokens=1500)))
        await soon(lambda: asyncio.to_thread(unfinished, backend), running)
        process._process.kill()
        with pytest.raises(BackendError) as caught:
            await running
        return caught.value

    error = asyncio.run(main())
    assert "has died" in str(error)
    assert not error.retryable
    asyncio.run(backend.aclose())
    with pytest.raises(BackendError, match="closed"):
        run(backend, ask())
