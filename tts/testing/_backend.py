"""What every backend must hold, as a class of tests: one suite that runs unchanged on every backend."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from tts.contracts.models import Backend, Request
from tts.vocabulary.errors import ConfigError, ContextLengthError, TTSError
from tts.vocabulary.records import Completion, Message, Sampling, Usage

_ODD = "∑ ½ 中文 عربى 🧮👩🏽‍🔬 e\u0301 \u202e\u200b {{x}} {% y %} \\n \t 'quotes\" <b>"
_SECONDS = 5.0  # in which cancelled completions end


class BackendContract:
    """Subclass it in a test module as `class TestMine(BackendContract)` and say how the backend is made.

        class TestMine(BackendContract):
            @classmethod
            def make(cls):
                return MyBackend("model", MyBackend.Options())

    The model may write anything: nothing is asked of its words but that they follow seed and sampling. `controls` are
    control tokens of its chat template, in its own spelling; they must reach the model as plain text. `repeatable` says
    that greedy output does not depend on the batch, which 16-bit arithmetic does not give.
    On `long_question` a model that is sure of itself, too, writes for a while. `order_trials` is how often a short
    completion is tried to come before long ones; more than once is for servers that their own engine starves.
    """

    question: ClassVar[str] = "Compute 12*7+31*4+25*6."
    long_question: ClassVar[str] = "Compute " + "+".join(f"{factor}*7" for factor in range(12, 40)) + "."
    order_trials: ClassVar[int] = 1
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
        indices = [one.index for one in found]
        assert indices == [0, 1, 2, 3], f"n=4 gave the indices {indices}; yield one completion for each from 0 to n - 1"
        assert all(one.text.strip() for one in found), "a completion without text; raise a BackendError where none came"

    def test_text_is_thinking_and_summary(self) -> None:
        for one in self.ask(self.request(n=2, max_tokens=200)):
            parts = [part for part in (one.thinking, one.summary) if part is not None]
            assert parts, "neither thinking nor summary is set; take both from tts.split_thinking(text)"
            assert all(part in one.text for part in parts), (
                "thinking and summary must be parts of text, as they stand there"
            )

    def test_a_completion_is_whole_or_says_why_it_failed(self) -> None:
        for one in self.ask(self.request(n=2, max_tokens=8)):
            if one.whole:
                assert one.text or one.usage.generated_tokens, (
                    "an empty completion of no tokens; raise a BackendError where none came"
                )
            else:
                assert one.error, (
                    f"finish_reason={one.finish_reason!r} without error; a completion that the model did not finish "
                    "says why it failed, in `error`, or the backend raises a BackendError"
                )
                assert not one.text, "a completion that failed has a text; what was broken off is not to be kept"

    def test_what_is_told_while_it_is_written_is_the_beginning_of_the_text(self) -> None:
        if not self.backend.capabilities.streams:
            return
        told: list[list[str]] = [[], []]
        request = self.request(n=2, max_tokens=40, temperature=1.5, top_p=1.0)
        found = self.ask(request.model_copy(update={"on_text": lambda place, text: told[place].append(text)}))
        for one, pieces in zip(found, told, strict=True):
            assert one.text.startswith("".join(pieces)), (
                f"it told {''.join(pieces)!r:.80} of a completion whose text is {one.text!r:.80}; tell what is new of "
                "the text to request.on_text(place, text), once"
            )
        assert sum(map(len, told)) > len(told), "it tells next to nothing; declare Capabilities(streams=False)"

    def test_a_stop_string_is_never_told(self) -> None:
        if not (self.backend.capabilities.streams and self.backend.capabilities.seed):
            return
        free: dict[str, Any] = {"max_tokens": 40, "temperature": 1.5, "top_p": 1.0}
        (whole,) = self.ask(self.request(**free))
        middle = len(whole.text) // 2
        stop, told = whole.text[middle : middle + 5], list[str]()
        request = self.request(**free, stop=(stop,))
        (cut,) = self.ask(request.model_copy(update={"on_text": lambda _, text: told.append(text)}))
        assert cut.text.startswith("".join(told)), (
            f"it told {''.join(told)!r:.80} of a text that the stop string {stop!r} ended as {cut.text!r:.80}; keep "
            "back what may be the beginning of one"
        )

    def test_nothing_is_told_once_it_is_cancelled(self) -> None:
        if not self.backend.capabilities.streams:
            return
        told: list[str] = []

        async def main() -> int:
            heard = asyncio.Event()

            def hear(_: int, text: str) -> None:
                told.append(text)
                heard.set()

            request = self.request(temperature=1.5, top_p=1.0).model_copy(update={"on_text": hear})
            collecting = asyncio.create_task(self._collect(request))
            await asyncio.wait({collecting, asyncio.create_task(heard.wait())}, return_when=asyncio.FIRST_COMPLETED)
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            before = len(told)
            await self._until_idle()
            await asyncio.sleep(0.05)
            return before

        before = asyncio.run(main())
        assert len(told) == before, (
            f"it told {told[before]!r:.80} after generate was closed; tell nothing of what is cancelled"
        )

    def test_a_short_completion_does_not_wait_for_a_long_one(self) -> None:
        async def trial() -> list[str]:
            order: list[str] = []

            async def ask(name: str, request: Request) -> None:
                await self._collect(request)
                order.append(name)

            long = self.request(self.long_question, n=2, max_tokens=150, temperature=1.5, top_p=1.0)
            await asyncio.gather(ask("long", long), ask("short", self.request(max_tokens=1)))
            return order

        async def main() -> bool:
            for _ in range(self.order_trials):
                if await trial() == ["short", "long"]:
                    return True
            return False

        assert asyncio.run(main()), (
            "one token came after 2 x 150 that were asked for before it; serve requests side by side, "
            "and yield each completion when it is finished"
        )

    def test_a_seed_gives_one_text_or_is_declared_not_to(self) -> None:
        if not self.backend.capabilities.seed:
            return
        # Hot and long enough for a model that is sure of its first words.
        free: dict[str, Any] = {"max_tokens": 60, "temperature": 2.0, "top_p": 1.0}
        alone = self.ask(self.request(n=4, **free))
        beside, _ = self.ask_all(self.request(n=4, **free), self.request("Something else.", n=6, seed=50, **free))
        assert [one.text for one in alone] == [one.text for one in beside], (
            "the same seeds gave other texts beside another request; draw each completion from request.seeds[index] "
            "alone, or declare Capabilities(seed=False)"
        )
        assert len({one.text for one in alone}) > 1, "four seeds gave one text; draw from request.seeds[index]"
        (third,) = self.ask(self.request(seed=2, **free))
        assert third.text == alone[2].text, (
            "one seed gave one text among four and another alone; a seed belongs to one completion, not to a request"
        )

    def test_seeds_must_fit_the_number_of_completions(self) -> None:
        request = self.request(n=2).model_copy(update={"seeds": (1,)})
        error = self.failure(request)
        assert isinstance(error, ConfigError), f"two completions and one seed must raise tts.ConfigError, not {error!r}"

    # --- sampling --------------------------------------------------------------------------------------------------

    def test_max_tokens_is_kept_and_said(self) -> None:
        for one in self.ask(self.request(n=2, max_tokens=3)):
            tokens, reason = one.usage.generated_tokens, one.finish_reason
            assert tokens == 3, f"max_tokens=3 gave {tokens} tokens; pass sampling.max_tokens on, and count what came"
            assert reason == "length", f"a text that was cut at max_tokens has finish_reason='length', not {reason!r}"

    def test_a_stop_string_ends_the_text_before_it(self) -> None:
        (whole,) = self.ask(self.request(max_tokens=30, temperature=0.0))
        # What stands between the parts may be ours.
        part = "thinking" if whole.thinking else "summary" if whole.summary else "text"
        written = getattr(whole, part)
        stop = written[len(written) // 2 :][:3]
        (cut,) = self.ask(self.request(max_tokens=30, temperature=0.0, stop=(stop,)))
        assert stop not in cut.text, (
            f"the text goes on after {stop!r}; pass sampling.stop on, and leave the stop string out"
        )
        assert cut.finish_reason == "stop", (
            f"a text that a stop string ends has finish_reason='stop', not {cut.finish_reason!r}"
        )
        if self.repeatable:
            after = getattr(cut, part) or ""
            expected = written[: written.index(stop)].strip()
            assert after.strip() == expected, f"what stands before the stop string is {expected!r}, and {after!r} came"

    def test_log_probabilities_come_where_they_are_asked_for(self) -> None:
        if not self.backend.capabilities.logprobs:
            return
        for one in self.ask(self.request(n=2, max_tokens=8, logprobs=True)):
            assert one.logprob is not None, "logprob is missing; fill it, or declare Capabilities(logprobs=False)"
            assert -1e4 < one.logprob <= 1e-4, f"logprob is the sum over the tokens, at most 0, and not {one.logprob}"
        unasked = self.ask(self.request(max_tokens=2))
        assert all(one.logprob is None for one in unasked), "logprob is set only where sampling.logprobs asks for it"

    # --- usage -----------------------------------------------------------------------------------------------------

    def test_usage_counts_every_token(self) -> None:
        found = self.ask(self.request(n=3, max_tokens=10))
        for usage in (one.usage for one in found):
            assert usage.calls == 1, f"each completion is one call, and its usage counts {usage.calls}"
            assert 0 <= usage.cached_tokens <= usage.prompt_tokens, (
                f"{usage.cached_tokens} cached of {usage.prompt_tokens} prompt tokens; the cached ones are among them"
            )
            tokens = usage.generated_tokens
            assert 1 <= tokens <= 10, (
                f"max_tokens=10 and {tokens} generated tokens are counted; count thinking and answer"
            )
        prompts = {one.usage.prompt_tokens for one in found}
        assert len(prompts) == 1, f"one prompt has {sorted(prompts)} tokens; count it whole for every completion"
        (longer,) = self.ask(self.request(self.question + " Then check it again, twice.", max_tokens=1))
        assert longer.usage.prompt_tokens > max(prompts), "a longer prompt does not count more prompt_tokens"

    def test_counted_tokens_are_those_of_the_prompt(self) -> None:
        assert self.count(["", "a"])[0] == 0, "count_tokens of an empty text is 0; count no token that a template adds"
        if self.backend.capabilities.exact_token_counts:
            more = " and 7*8"
            short, long = (self.ask(self.request(text, max_tokens=1))[0] for text in ("5*6", "5*6" + more * 40))
            counts = self.count(["5*6", "5*6" + more * 40])
            grown = long.usage.prompt_tokens - short.usage.prompt_tokens
            assert grown == counts[1] - counts[0], (
                f"a prompt grew by {grown} tokens and count_tokens says {counts[1] - counts[0]}; use one tokenizer "
                "for both, or declare Capabilities(exact_token_counts=False)"
            )

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
        assert len(cancelled) == 4 - arrived, (
            f"{arrived} of 4 arrived and {len(cancelled)} were reported as cancelled; call request.on_cancelled once "
            "for each completion that generate has not yielded, in a finally"
        )
        assert all(usage.cancelled == 1 for usage in cancelled), "the usage of a cancelled completion has cancelled=1"
        assert self.ask(self.request(max_tokens=2)), "nothing comes after a request was cancelled"

    async def _until_idle(self) -> None:
        for _ in range(int(_SECONDS / 0.05)):
            if not self.running():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(
            f"{self.running()} completions still run {_SECONDS:g} s after they were cancelled; end them in the "
            "model when generate is closed"
        )

    # --- what comes in ---------------------------------------------------------------------------------------------

    def test_concurrent_requests_do_not_mix(self) -> None:
        requests = [self.request(f"Compute {i}*7 + {i}*3.", max_tokens=12, temperature=0.0) for i in range(2, 8)]
        together = self.ask_all(*requests)
        assert all(len(found) == 1 for found in together), "six requests of one completion at once gave fewer or more"
        if self.repeatable:
            alone = [self.ask(request) for request in requests]
            assert [found[0].text for found in together] == [found[0].text for found in alone], (
                "six greedy requests at once gave other texts than one by one; keep what belongs to a request in local "
                "variables (or say repeatable = False, where the arithmetic depends on the batch)"
            )

    def test_any_text_is_a_prompt(self) -> None:
        error = self.failure(self.request(_ODD, max_tokens=4))
        assert error is None, f"a prompt of odd characters raised {error!r}; texts are data, never a template or markup"
        assert self.count([_ODD])[0] > 5, (
            "count_tokens of odd characters is too small; count them as the model reads them"
        )

    def test_a_long_prompt_fits_up_to_the_context(self) -> None:
        context = self.backend.capabilities.context_length
        wanted = 8000 if context is None else min(8000, context - 200)
        text = self._of_tokens(wanted)
        (one,) = self.ask(self.request(text, max_tokens=4))
        assert one.usage.prompt_tokens >= 0.8 * wanted, (
            f"of a prompt of about {wanted} tokens {one.usage.prompt_tokens} were read; cut none that fits the context"
        )

    def test_a_prompt_beyond_the_context_names_both_numbers(self) -> None:
        context = self.backend.capabilities.context_length
        if context is None:
            return
        error = self.failure(self.request(self._of_tokens(int(1.5 * context)), max_tokens=4))
        assert isinstance(error, ContextLengthError), (
            f"a prompt beyond the context must raise ContextLengthError, not {error!r}"
        )
        said = (error.prompt_tokens, error.context_length)
        assert said[1] == context, (
            f"the error says that the context is {said[1]} tokens and the capabilities say {context}"
        )
        assert said[0] > context, f"the error says that {said[0]} tokens do not fit {context}; count the prompt whole"

    def test_more_tokens_than_the_context_has_are_what_it_leaves(self) -> None:
        context = self.backend.capabilities.context_length
        if context is not None:
            text = self._of_tokens(context - 100)
            (one,) = self.ask(self.request(text, max_tokens=context - 10))
            used = one.usage.prompt_tokens + one.usage.generated_tokens
            assert used <= context, f"{used} tokens in a context of {context}; generate what the prompt leaves, at most"

    def test_control_tokens_in_a_text_stay_text(self) -> None:
        for control in self.controls:
            plain, written = (self.ask(self.request(f"5*6 {text}", max_tokens=1))[0] for text in ("", control * 20))
            grown = written.usage.prompt_tokens - plain.usage.prompt_tokens
            assert grown >= 40, f"{control!r} in a message was read as a token; encode contents without special tokens"

    def _of_tokens(self, wanted: int) -> str:
        """A text of about so many tokens, not more."""
        piece = "Add 3 and 4. "
        each = max(1.0, self.count([piece * 100])[0] / 100)
        return piece * int(wanted / each)

    # --- the object ------------------------------------------------------------------------------------------------

    def test_two_event_loops_in_a_row(self) -> None:
        for which in ("first", "second"):
            error = self.failure(self.request(max_tokens=3, temperature=0.0))
            assert error is None, f"a {which} event loop raised {error!r}; bind no lock, queue or task to one loop"

    def test_the_fingerprint_is_of_the_model_not_of_the_object(self) -> None:
        threads = threading.active_count()
        other = self.make()
        found = (self.backend.fingerprint, other.fingerprint)
        assert found[0] == found[1], f"two of one model have {found}; make it from model, options and weights alone"
        assert isinstance(found[0], str), f"the fingerprint must be a text, not {found[0]!r}"
        assert found[0], "the fingerprint is empty; make it from model, options and weights"

        async def main() -> TTSError | None:
            await other.aclose()
            try:
                await self._collect(self.request(max_tokens=1), other)
            except TTSError as error:
                return error
            return None

        assert asyncio.run(main()) is not None, "it answers after aclose; raise tts.BackendUnavailable"
        assert threading.active_count() <= threads, "aclose leaves a thread behind; end and join it"

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
