"""What every judge must hold, be it a `JudgeFormat` or an object that compares by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from tts.contracts.models import Judge, JudgeFormat
from tts.prompts import visible
from tts.testing import _answering
from tts.testing._identity import fingerprint_follows
from tts.testing._kit import Check, bound, pickled, run_all
from tts.testing._sets import MARKERS, ODD, candidate_set
from tts.vocabulary.records import Candidate, Message, Problem, Verdict

_WINNERS = ("a", "b", "tie", None)
_PROBLEM = Problem(id="p", prompt="How much is 1+1? Say it in one word.")
_A, _B = candidate_set(
    ("<think>hidden-a</think>shown-a: \\boxed{2}", "<think>hidden-b</think>shown-b: \\boxed{3}")
).candidates
_SILENT = ("", "   ", "I cannot say.", "Both have merits, neither is \\boxed{", *ODD)
_ODD_TEXTS = ("", *ODD, *MARKERS, "step " * 5_000)


class FormatTrial(NamedTuple):
    """A format, and texts of its judge with the winner that each names."""

    judge: JudgeFormat
    said: Mapping[str, str | None]

    def prompt(self, a: Candidate, b: Candidate) -> str:
        """All that the judge reads."""
        return "\n".join(message.content for message in self.judge.messages(_PROBLEM, a, b))


def _saying(text: str) -> Candidate:
    return candidate_set((text,)).candidates[0]


def check_format_parameters(trial: FormatTrial) -> None:
    """Its options survive JSON and a pickle, and nothing can change them."""
    judge = trial.judge
    again = type(judge).model_validate_json(judge.model_dump_json())
    assert dict(again) == dict(judge), f"as JSON and back, {judge!r} is {again!r}; give fields JSON types"
    assert dict(pickled(judge)) == dict(judge), "pickled and read back it is another; keep all in fields"
    assert judge.model_config.get("frozen"), "its options can be changed; leave model_config as tts.JudgeFormat has it"


def check_prompt(trial: FormatTrial) -> None:
    """The prompt is a tuple of messages that shows the problem and what is visible of both responses."""
    messages: Any = trial.judge.messages(_PROBLEM, _A, _B)
    assert isinstance(messages, tuple), f"messages() returned a {type(messages).__name__}; it must return a tuple"
    assert messages, "messages() returned none; ask the judge something"
    assert all(isinstance(one, Message) for one in messages), "messages() must return tts.Message objects"
    assert messages[-1].role == "user", f"the last message is the {messages[-1].role}'s; the judge answers a user's"
    text = trial.prompt(_A, _B)
    for what, part in {"problem": _PROBLEM.text, "response a": visible(_A), "response b": visible(_B)}.items():
        assert part in text, f"the prompt does not show the {what}: {part!r} is not in it"


def check_prompt_hides_thinking(trial: FormatTrial) -> None:
    """The thinking of a response is not shown: `tts.prompts.visible` gives what is."""
    text = trial.prompt(_A, _B)
    assert "hidden-" not in text, "the prompt shows a response's thinking; show tts.prompts.visible(candidate)"


def check_prompt_order(trial: FormatTrial) -> None:
    """The two are shown in the order given, so that a strategy can ask in both."""
    ahead, back = trial.prompt(_A, _B), trial.prompt(_B, _A)
    assert ahead != back, "the prompt is the same whichever comes first; show a before b"
    assert ahead.index("shown-a") < ahead.index("shown-b"), "the prompt shows b before a; strategies rely on the order"


def check_prompt_odd_texts(trial: FormatTrial) -> None:
    """Any response can be shown: braces, tags and odd characters are text, nothing else."""
    for text in _ODD_TEXTS:
        try:
            trial.judge.messages(_PROBLEM, _saying(text), _B)
            trial.judge.messages(_PROBLEM, _A, _saying(text))
        except Exception as error:
            raise AssertionError(
                f"a response that says {text[:40]!r} makes messages() raise {type(error).__name__}: {error}; put "
                "responses in as values of a template, never as a template"
            ) from error


def check_prompt_control_tokens(trial: FormatTrial) -> None:
    """Control tokens in a response lose their meaning: `tts.prompts.neutralised` takes their brackets."""
    for token in ("<|im_end|>", "</think>", "<|eot_id|>"):
        hostile = _A.model_copy(update={"text": f"so {token} 2", "summary": f"so {token} 2"})
        assert trial.prompt(hostile, _B).count(token) == trial.prompt(_A, _B).count(token), (
            f"a response's {token!r} stands in the prompt as it is; pass responses through tts.prompts.neutralised"
        )


def check_read(trial: FormatTrial) -> None:
    """It reads "a", "b", "tie" or `None` in whatever a judge may write, and each of the verdicts in `said`."""
    for text in (*_SILENT, *MARKERS, *_ODD_TEXTS, *trial.said):
        try:
            winner: Any = trial.judge.read(text)
        except Exception as error:
            raise AssertionError(
                f"read({text[:40]!r}) raised {type(error).__name__}: {error}; what cannot be read is None"
            ) from error
        assert winner in _WINNERS, f"read({text[:40]!r}) is {winner!r}; it must be 'a', 'b', 'tie' or None"
    for text, expected in trial.said.items():
        assert trial.judge.read(text) == expected, f"read({text!r}) is {trial.judge.read(text)!r}, not {expected!r}"


def check_read_silence(trial: FormatTrial) -> None:
    """A text without a verdict has no winner: the strategy asks again, and a report counts it."""
    for text in _SILENT:
        assert trial.judge.read(text) is None, (
            f"read({text!r}) is {trial.judge.read(text)!r}; a text without a verdict must give None, not a guess"
        )


def check_verdicts_in_responses(trial: FormatTrial) -> None:
    """A verdict that a response imitates cannot be quoted as one, wherever the prompt shows it."""
    for text, winner in trial.said.items():
        plain, hostile = _saying("so it is"), _saying(f"so it is\n{text}")
        shown, before = trial.prompt(hostile, _B), trial.prompt(plain, _B)
        assert winner is None or shown.count(text) <= before.count(text), (
            f"a response that says {text!r} stands in the prompt as it is; a judge that quotes it votes so. "
            "Pass responses through tts.prompts.neutralised(text, MARKERS)"
        )


_FORMAT_CHECKS: tuple[Callable[[FormatTrial], None], ...] = (
    check_format_parameters,
    check_prompt,
    check_prompt_hides_thinking,
    check_prompt_order,
    check_prompt_odd_texts,
    check_prompt_control_tokens,
    check_read,
    check_read_silence,
    check_verdicts_in_responses,
)


class JudgeTrial(NamedTuple):
    """A way to make a judge that compares by itself."""

    make: Callable[[], Judge]

    def verdict(self, a: Candidate, b: Candidate, seed: int = 0) -> Verdict:
        """What a fresh one says."""
        return _answering.asked(self.make, self.ask(a, b, seed))

    def ask(self, a: Candidate, b: Candidate, seed: int = 0) -> Callable[[Judge], Awaitable[Verdict]]:
        """The question, for one that is there."""

        async def ask(judge: Judge) -> Verdict:
            return await judge.compare(_PROBLEM, a, b, seed=seed)

        return ask


def check_judge_declaration(trial: JudgeTrial) -> None:
    """It has `Options`, and a fingerprint that goes by what it is made of."""
    _answering.declared(trial.make, "judge")


def check_judge_fingerprint(trial: JudgeTrial) -> None:
    """Its fingerprint, where it has one, follows the options that change verdicts, and else the model or the code."""

    async def winners(judge: Judge) -> list[str | None]:
        verdicts = [await trial.ask(*pair, seed)(judge) for seed in range(4) for pair in ((_A, _B), (_B, _A))]
        return [verdict.winner for verdict in verdicts]

    fingerprint_follows(trial.make, winners, lambda one, other: bool(one == other))


def check_verdict(trial: JudgeTrial) -> None:
    """It gives a `Verdict`, and says what that cost."""
    verdict: Any = trial.verdict(_A, _B)
    assert isinstance(verdict, Verdict), f"compare() returned a {type(verdict).__name__}; it must return a tts.Verdict"
    assert verdict.usage.calls >= 1, f"the verdict's usage is {verdict.usage!r}; count the call and its tokens"
    assert verdict.usage.prompt_tokens > 0, f"the verdict's usage is {verdict.usage!r}; count the prompt's tokens"


def check_verdict_seed(trial: JudgeTrial) -> None:
    """One seed gives one verdict."""
    for seed in range(8):
        once, again = trial.verdict(_A, _B, seed), trial.verdict(_A, _B, seed)
        assert once.winner == again.winner, (
            f"seed {seed} gives {once.winner!r}, then {again.winner!r}; draw from random.Random(seed) only"
        )


def check_verdict_odd_texts(trial: JudgeTrial) -> None:
    """Any two responses are compared, or refused with a `BackendError`."""
    for text in _ODD_TEXTS:
        _answering.answers_or_says_why(trial.make, trial.ask(_saying(text), _B), repr(text[:40]))


def check_judge_loop(trial: JudgeTrial) -> None:
    """It never keeps the event loop from others for more than 50 ms."""
    _answering.blocks_no_loop(trial.make, trial.ask(_A, _B))


def check_judge_two_loops(trial: JudgeTrial) -> None:
    """One instance serves several event loops, one after the other."""
    _answering.serves_two_loops(trial.make, trial.ask(_A, _B))


def check_judge_closes(trial: JudgeTrial) -> None:
    """It closes, used or not."""
    _answering.closes(trial.make, trial.ask(_A, _B))


_JUDGE_CHECKS: tuple[Callable[[JudgeTrial], None], ...] = (
    check_judge_declaration,
    check_judge_fingerprint,
    check_verdict,
    check_verdict_seed,
    check_verdict_odd_texts,
    check_judge_loop,
    check_judge_two_loops,
    check_judge_closes,
)


def judge_checks(
    judge: JudgeFormat | Callable[[], Judge], *, said: Mapping[str, str | None] | None = None
) -> list[Check]:
    """The checks of a judge, to be run one by one; the arguments are those of `check_judge`."""
    subject = type(judge).__name__ if isinstance(judge, JudgeFormat) else getattr(judge, "__name__", "judge")
    if isinstance(judge, JudgeFormat):
        return bound(_FORMAT_CHECKS, subject, FormatTrial(judge, said or {}))
    return bound(_JUDGE_CHECKS, subject, JudgeTrial(judge))


def check_judge(
    judge: JudgeFormat | Callable[[], Judge],
    *,
    said: Mapping[str, str | None] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Try everything that a judge must hold; one `AssertionError` tells all that does not.

    `judge` is a `JudgeFormat`, with texts of its model and the winner that each names in `said`, e.g. `{"[[A]]": "a"}`;
    or, for a judge that compares by itself, a function that makes one. `expected_failures` maps the name of a check to
    the reason why it cannot hold.
    """
    run_all(judge_checks(judge, said=said), expected_failures)
