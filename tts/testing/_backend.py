"""What every backend must hold, as a class of tests: one suite that runs unchanged on every backend."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from tts._contracts import Backend, Request
from tts._errors import ConfigError, ContextLengthError, TTSError
from tts._records import Completion, Message, Sampling, Usage

_ODD = "∑ ½ 中文 عربى 🧮👩🏽‍🔬 e\u0301 \u202e\u200b {{x}} {% y %} \\n \t 'quotes\" <b>"
_SECONDS = 5.0


class BackendContract:
    """Subclass it in a test module as `class TestMine(BackendContract)` and say how the backend is made.

        class TestMine(BackendContract):
            @classmethod
            def make(cls):
                return MyBackend("model", MyBackend.Options())

    The model may write anything: nothing is asked of its words but that they follow seed and sampling. `controls` are
    control tokens of its chat template, in its own spelling; they must reach the model as plain text. `repeatable` says
    that greedy output does not depend on the batch, which 16-bit arithmetic does not give.
    """

    question: ClassVar[str] = "Compute 12*7 + 31*4 + 25*6. Think step by step."
    controls: ClassVar[tuple[str, ...]] = ()
    repeatable: ClassVar[bool] = True
    backend: ClassVar[Backend]

    @classmethod
    def make(cls) -> Backend:
        """A backend of this kind; the suite makes two, and closes them."""
        raise NotImplementedError

    def running(self) -> int | None:
        """How many completions the engine works on by its own account, where it gives one."""
        return None

    @classmethod
    def setup_class(cls) -> None:
        """Make the backend that the tests share."""
        cls.backend = cls.make()

    @classmethod
    def teardown_class(cls) -> None:
        """Close it."""
        asyncio.run(cls.backend.aclose())

    # --- completions -----------------------------------------------------------------------------------------------

    def test_one_prompt_gives_n_completions(self) -> None:
        found = self.ask(self.request(n=4, max_tokens=12))
        assert [one.index for one in found] == [0, 1, 2, 3]
        assert all(one.text.strip() for one in found)

    def test_text_is_thinking_and_summary(self) -> None:
        for one in self.ask(self.request(n=2, max_tokens=200)):
            assert one.summary is not None or one.thinking is not None
            assert all(part in one.text for part in (one.summary, one.thinking) if part)

    def test_a_short_completion_does_not_wait_for_a_long_one(self) -> None:
        async def main() -> list[str]:
            order: list[str] = []

            async def ask(name: str, request: Request) -> None:
                await self._collect(request)
                order.append(name)

            long = self.request(n=2, max_tokens=150, temperature=1.5, top_p=1.0)
            await asyncio.gather(ask("long", long), ask("short", self.request(max_tokens=1)))
            return order

        assert asyncio.run(main()) == ["short", "long"]

    def test_a_seed_gives_one_text_or_is_declared_not_to(self) -> None:
        if not self.backend.capabilities.seed:
            return
        free: dict[str, Any] = {"max_tokens": 20, "temperature": 1.5, "top_p": 1.0}
        alone = self.ask(self.request(n=4, **free))
        beside, _ = self.ask_all(self.request(n=4, **free), self.request("Something else.", n=6, seed=50, **free))
        assert [one.text for one in alone] == [one.text for one in beside]
        assert len({one.text for one in alone}) > 1, "all seeds gave one text"
        (third,) = self.ask(self.request(seed=2, **free))
        assert third.text == alone[2].text, "the seed belongs to the completion, not to the request"

    def test_seeds_must_fit_the_number_of_completions(self) -> None:
        request = self.request(n=2).model_copy(update={"seeds": (1,)})
        error = self.failure(request)
        assert isinstance(error, ConfigError), f"two completions and one seed: ConfigError, not {error!r}"

    # --- sampling --------------------------------------------------------------------------------------------------

    def test_max_tokens_is_kept_and_said(self) -> None:
        for one in self.ask(self.request(n=2, max_tokens=3)):
            assert one.finish_reason == "length"
            assert one.usage.generated_tokens == 3

    def test_a_stop_string_ends_the_text_before_it(self) -> None:
        (whole,) = self.ask(self.request(max_tokens=30, temperature=0.0))
        written = whole.thinking or whole.text  # what stands between the parts may be ours
        stop = written[len(written) // 2 :][:3]
        (cut,) = self.ask(self.request(max_tokens=30, temperature=0.0, stop=(stop,)))
        assert cut.finish_reason == "stop"
        assert stop not in cut.text
        if self.repeatable:
            parts = (whole.thinking, cut.thinking) if whole.thinking else (whole.text, cut.text)
            before, after = (part or "" for part in parts)
            assert after.strip() == before[: before.index(stop)].strip()

    def test_log_probabilities_come_where_they_are_asked_for(self) -> None:
        if not self.backend.capabilities.logprobs:
            return
        for one in self.ask(self.request(n=2, max_tokens=8, logprobs=True)):
            assert one.logprob is not None
            assert -1e4 < one.logprob <= 1e-4
        assert all(one.logprob is None for one in self.ask(self.request(max_tokens=2)))

    # --- usage -----------------------------------------------------------------------------------------------------

    def test_usage_counts_every_token(self) -> None:
        found = self.ask(self.request(n=3, max_tokens=10))
        for usage in (one.usage for one in found):
            assert usage.calls == 1
            assert 0 <= usage.cached_tokens <= usage.prompt_tokens
            assert 1 <= usage.generated_tokens <= 10
        assert len({one.usage.prompt_tokens for one in found}) == 1
        (longer,) = self.ask(self.request(self.question + " Then check it again, twice.", max_tokens=1))
        assert longer.usage.prompt_tokens > found[0].usage.prompt_tokens

    def test_counted_tokens_are_those_of_the_prompt(self) -> None:
        assert self.count(["", "a"])[0] == 0
        if self.backend.capabilities.exact_token_counts:
            more = " and 7*8"
            short, long = (self.ask(self.request(text, max_tokens=1))[0] for text in ("5*6", "5*6" + more * 40))
            counts = self.count(["5*6", "5*6" + more * 40])
            assert long.usage.prompt_tokens - short.usage.prompt_tokens == counts[1] - counts[0]

    # --- cancelling ------------------------------------------------------------------------------------------------

    def test_closing_after_the_first_cancels_the_others(self) -> None:
        async def main(request: Request) -> int:
            async with aclosing(self.backend.generate(request)) as completions:
                await anext(completions)
            await self._until_idle()
            return 1

        self._cancels(main)

    def test_cancelling_while_it_generates_frees_its_place(self) -> None:
        async def main(request: Request) -> int:
            arrived: list[Completion] = []

            async def collect() -> None:
                async with aclosing(self.backend.generate(request)) as completions:
                    async for completion in completions:
                        arrived.append(completion)  # noqa: PERF401 - those that came before it was cancelled count

            collecting = asyncio.create_task(collect())
            await asyncio.sleep(0.2)
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            await self._until_idle()
            return len(arrived)

        self._cancels(main)

    def _cancels(self, main: Callable[[Request], Coroutine[Any, Any, int]]) -> None:
        cancelled: list[Usage] = []
        request = self.request(n=4, temperature=1.5, top_p=1.0)
        arrived = asyncio.run(main(request.model_copy(update={"on_cancelled": cancelled.append})))
        assert len(cancelled) == 4 - arrived, f"{arrived} of 4 arrived and {len(cancelled)} were reported as cancelled"
        assert all(usage.cancelled == 1 for usage in cancelled)
        assert self.ask(self.request(max_tokens=2)), "it works after that"

    async def _until_idle(self) -> None:
        for _ in range(int(_SECONDS / 0.05)):
            if not self.running():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.running()} completions still run {_SECONDS:g} s after they were cancelled")

    # --- what comes in ---------------------------------------------------------------------------------------------

    def test_concurrent_requests_do_not_mix(self) -> None:
        requests = [self.request(f"Compute {i}*7 + {i}*3.", max_tokens=12, temperature=0.0) for i in range(2, 8)]
        together = self.ask_all(*requests)
        assert all(len(found) == 1 for found in together)
        if self.repeatable:
            alone = [self.ask(request) for request in requests]
            assert [found[0].text for found in together] == [found[0].text for found in alone]

    def test_any_text_is_a_prompt(self) -> None:
        assert self.ask(self.request(_ODD, max_tokens=4))[0].text is not None
        assert self.count([_ODD])[0] > 5

    def test_a_long_prompt_fits_up_to_the_context(self) -> None:
        context = self.backend.capabilities.context_length
        wanted = 8000 if context is None else min(8000, context - 200)
        text = self._of_tokens(wanted)
        (one,) = self.ask(self.request(text, max_tokens=4))
        assert one.usage.prompt_tokens >= 0.8 * wanted

    def test_a_prompt_beyond_the_context_names_both_numbers(self) -> None:
        context = self.backend.capabilities.context_length
        if context is None:
            return
        error = self.failure(self.request(self._of_tokens(int(1.5 * context)), max_tokens=4))
        assert isinstance(error, ContextLengthError), f"a prompt beyond the context: ContextLengthError, not {error!r}"
        assert error.context_length == context
        assert error.prompt_tokens > context

    def test_more_tokens_than_the_context_has_are_what_it_leaves(self) -> None:
        context = self.backend.capabilities.context_length
        if context is not None:
            text = self._of_tokens(context - 100)
            (one,) = self.ask(self.request(text, max_tokens=context - 10))
            assert one.usage.prompt_tokens + one.usage.generated_tokens <= context

    def test_control_tokens_in_a_text_stay_text(self) -> None:
        for control in self.controls:
            plain, written = (self.ask(self.request(f"5*6 {text}", max_tokens=1))[0] for text in ("", control * 20))
            assert written.usage.prompt_tokens - plain.usage.prompt_tokens >= 40, f"{control!r} was read as a token"

    def _of_tokens(self, wanted: int) -> str:
        """A text of about so many tokens, not more."""
        piece = "Add 3 and 4. "
        each = max(1.0, self.count([piece * 100])[0] / 100)
        return piece * int(wanted / each)

    # --- the object ------------------------------------------------------------------------------------------------

    def test_two_event_loops_in_a_row(self) -> None:
        first, second = (self.ask(self.request(max_tokens=3, temperature=0.0)) for _ in range(2))
        assert len(first) == len(second) == 1

    def test_the_fingerprint_is_of_the_model_not_of_the_object(self) -> None:
        threads = threading.active_count()
        other = self.make()
        assert other.fingerprint == self.backend.fingerprint
        assert isinstance(other.fingerprint, str)
        assert other.fingerprint

        async def main() -> TTSError | None:
            await other.aclose()
            try:
                await self._collect(self.request(max_tokens=1), other)
            except TTSError as error:
                return error
            return None

        assert asyncio.run(main()) is not None, "a closed backend raises a TTSError"
        assert threading.active_count() <= threads, "closing leaves a thread behind"

    # --- asking ----------------------------------------------------------------------------------------------------

    def request(self, text: str | None = None, n: int = 1, seed: int = 0, **sampling: Any) -> Request:
        """A request with seeds from `seed` up."""
        return Request(
            messages=(Message(role="user", content=self.question if text is None else text),),
            n=n,
            seeds=tuple(range(seed, seed + n)),
            sampling=Sampling(**sampling),
        )

    def ask(self, request: Request) -> list[Completion]:
        """The completions of one request in index order, on an event loop of its own."""
        return self.ask_all(request)[0]

    def ask_all(self, *requests: Request) -> list[list[Completion]]:
        """The same of several at once."""

        async def main() -> list[list[Completion]]:
            return await asyncio.gather(*(self._collect(request) for request in requests))

        return asyncio.run(main())

    def failure(self, request: Request) -> Exception | None:
        """What the request raises."""
        try:
            self.ask(request)
        except Exception as error:  # the test says which kind it must be
            return error
        return None

    def count(self, texts: Sequence[str]) -> list[int]:
        """What the backend counts."""

        async def main() -> list[int]:
            return await self.backend.count_tokens(texts)

        return asyncio.run(main())

    async def _collect(self, request: Request, backend: Backend | None = None) -> list[Completion]:
        async with aclosing((backend or self.backend).generate(request)) as completions:
            return sorted([one async for one in completions], key=lambda one: one.index)
