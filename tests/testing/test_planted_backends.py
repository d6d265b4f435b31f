"""`BackendContract` bites: every planted fault is caught, by the test it is meant for, with a word of what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bad_backends as bad
import pytest

import tts
from tts.testing import BackendContract, _backend

FAULTS = (
    (bad.FromOne, "test_one_prompt_gives_n_completions", "from 0 to n - 1"),
    (bad.Silent, "test_one_prompt_gives_n_completions", "raise a BackendError"),
    (bad.BreaksOff, "test_a_completion_is_whole_or_says_why_it_failed", "without error"),
    (bad.KeepsWhatWasBrokenOff, "test_a_completion_is_whole_or_says_why_it_failed", "is not to be kept"),
    (bad.Empties, "test_a_completion_is_whole_or_says_why_it_failed", "raise a BackendError where none came"),
    (bad.TellsTwice, "test_what_is_told_while_it_is_written_is_the_beginning_of_the_text", "is new of the text"),
    (bad.TellsNothing, "test_what_is_told_while_it_is_written_is_the_beginning_of_the_text", "streams=False"),
    (bad.TellsTheStop, "test_a_stop_string_is_never_told", "keep back what may be the beginning"),
    (bad.TellsOn, "test_nothing_is_told_once_it_is_cancelled", "tell nothing of what is cancelled"),
    (bad.NeverSplits, "test_text_is_thinking_and_summary", "tts.split_thinking(text)"),
    (bad.Rewrites, "test_text_is_thinking_and_summary", "as they stand there"),
    (bad.TakesTurns, "test_a_short_completion_does_not_wait_for_a_long_one", "serve requests side by side"),
    (bad.OneGenerator, "test_a_seed_gives_one_text_or_is_declared_not_to", "or declare Capabilities(seed=False)"),
    (bad.IgnoresSeeds, "test_a_seed_gives_one_text_or_is_declared_not_to", "draw from request.seeds[index]"),
    (bad.SeedsTheRequest, "test_a_seed_gives_one_text_or_is_declared_not_to", "a seed belongs to one completion"),
    (bad.PadsSeeds, "test_seeds_must_fit_the_number_of_completions", "must raise tts.ConfigError"),
    (bad.RaisesIndexError, "test_seeds_must_fit_the_number_of_completions", "tts.ConfigError, not IndexError"),
    (bad.IgnoresMaxTokens, "test_max_tokens_is_kept_and_said", "pass sampling.max_tokens on"),
    (bad.AlwaysStops, "test_max_tokens_is_kept_and_said", "finish_reason='length', not 'stop'"),
    (bad.IgnoresStops, "test_a_stop_string_ends_the_text_before_it", "pass sampling.stop on"),
    (bad.StopsForLength, "test_a_stop_string_ends_the_text_before_it", "finish_reason='stop', not 'length'"),
    (bad.CutsBeforeTheStop, "test_a_stop_string_ends_the_text_before_it", "what stands before the stop string is"),
    (bad.NoLogprobs, "test_log_probabilities_come_where_they_are_asked_for", "Capabilities(logprobs=False)"),
    (bad.Probabilities, "test_log_probabilities_come_where_they_are_asked_for", "at most 0, and not 0.6"),
    (bad.AlwaysLogprobs, "test_log_probabilities_come_where_they_are_asked_for", "only where sampling.logprobs asks"),
    (bad.CountsCallsOnce, "test_usage_counts_every_token", "each completion is one call"),
    (bad.CachedBeside, "test_usage_counts_every_token", "the cached ones are among them"),
    (bad.CountsNothing, "test_usage_counts_every_token", "count thinking and answer"),
    (bad.PromptOnce, "test_usage_counts_every_token", "count it whole for every completion"),
    (bad.SaysThirty, "test_usage_counts_every_token", "a longer prompt does not count more"),
    (bad.CountsATemplate, "test_counted_tokens_are_those_of_the_prompt", "count no token that a template adds"),
    (bad.Estimates, "test_counted_tokens_are_those_of_the_prompt", "Capabilities(exact_token_counts=False)"),
    (bad.NeverReports, "test_closing_after_the_first_cancels_the_others", "call request.on_cancelled once"),
    (bad.ReportsAll, "test_closing_after_the_first_cancels_the_others", "that generate has not yielded"),
    (bad.ReportsNoTokens, "test_cancelling_while_it_generates_frees_its_place", "has cancelled=1"),
    (bad.RunsOn, "test_cancelling_while_it_generates_frees_its_place", "end them in the model when generate is closed"),
    (bad.LastPrompt, "test_concurrent_requests_do_not_mix", "keep what belongs to a request in local variables"),
    (bad.Renders, "test_any_text_is_a_prompt", "texts are data, never a template"),
    (bad.CountsAscii, "test_any_text_is_a_prompt", "count them as the model reads them"),
    (bad.CutsPrompts, "test_a_long_prompt_fits_up_to_the_context", "cut none that fits the context"),
    (bad.RaisesValueError, "test_a_prompt_beyond_the_context_names_both_numbers", "must raise ContextLengthError"),
    (bad.OtherContext, "test_a_prompt_beyond_the_context_names_both_numbers", "1024 tokens and the capabilities"),
    (bad.CountsWhatFits, "test_a_prompt_beyond_the_context_names_both_numbers", "count the prompt whole"),
    (bad.Overflows, "test_more_tokens_than_the_context_has_are_what_it_leaves", "what the prompt leaves, at most"),
    (bad.ReadsControls, "test_control_tokens_in_a_text_stay_text", "encode contents without special tokens"),
    (bad.OneLoop, "test_two_event_loops_in_a_row", "a second event loop raised"),
    (bad.NewFingerprint, "test_the_fingerprint_is_of_the_model_not_of_the_object", "from model, options and weights"),
    (bad.NoFingerprint, "test_the_fingerprint_is_of_the_model_not_of_the_object", "the fingerprint is empty"),
    (bad.NeverCloses, "test_the_fingerprint_is_of_the_model_not_of_the_object", "raise tts.BackendUnavailable"),
    (bad.LeavesAThread, "test_the_fingerprint_is_of_the_model_not_of_the_object", "end and join it"),
)  # fmt: skip


def contract(made: type[bad.Good]) -> type[BackendContract]:
    class Contract(BackendContract):
        controls = (bad.CONTROL,)
        backend: bad.Good

        @classmethod
        def make(cls) -> tts.Backend:
            return made()  # type: ignore[return-value]  # it is no class that the registry could make

        def running(self) -> int:
            return self.backend.live

    return Contract


@contextmanager
def ready(made: type[bad.Good]) -> Iterator[BackendContract]:
    cls = contract(made)
    cls.setup_class()
    yield cls()
    cls.teardown_class()


class TestGood(contract(bad.Good)):  # type: ignore[misc]  # no false alarm
    pass


@pytest.mark.parametrize(("made", "name", "advice"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_backend_is_caught(made: type[bad.Good], name: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_backend, "_SECONDS", 0.2)
    with ready(made) as suite, pytest.raises(AssertionError) as found:
        getattr(suite, name)()
    assert advice in str(found.value)


def test_every_test_of_the_contract_has_a_fault_that_it_catches() -> None:
    assert {name for name in dir(BackendContract) if name.startswith("test_")} == {name for _, name, _ in FAULTS}
