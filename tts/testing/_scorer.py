"""What every scorer must hold."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from tts.contracts.models import Scorer
from tts.testing import _answering
from tts.testing._identity import fingerprint_follows
from tts.testing._kit import Check, bound, run_all
from tts.testing._sets import MARKERS, ODD, candidate_set
from tts.vocabulary.records import Candidate, Problem, Score

_TEXTS = (
    "<think>one and one</think>So it is \\boxed{2}.",
    "It is \\boxed{3}, I think.",
    "Adding one to one gives two, hence the answer is \\boxed{2}",
    "no idea",
)
_REL, _ABS = 1e-2, 1e-2  # batched 16-bit arithmetic


class ScorerTrial(NamedTuple):
    """A way to make a scorer, a problem that it can score, and what it declares."""

    make: Callable[[], Scorer]
    problem: Problem
    by_content: bool
    light: bool

    def scores(self, responses: Sequence[Candidate]) -> list[Score]:
        """What a fresh one says."""
        return _answering.asked(self.make, self.ask(responses))

    def ask(self, responses: Sequence[Candidate]) -> Callable[[Scorer], Awaitable[list[Score]]]:
        """The question, for one that is there."""

        async def ask(scorer: Scorer) -> list[Score]:
            return await scorer.score(self.problem, responses)

        return ask


def _close(one: Sequence[Score], other: Sequence[Score]) -> bool:
    same = (math.isclose(a.value, b.value, rel_tol=_REL, abs_tol=_ABS) for a, b in zip(one, other, strict=False))
    return len(one) == len(other) and all(same)


def _values(scores: Sequence[Score]) -> list[float]:
    return [round(score.value, 4) for score in scores]


def _usual() -> tuple[Candidate, ...]:
    return candidate_set(_TEXTS).candidates


def check_scorer_declaration(trial: ScorerTrial) -> None:
    """It has `Options`, and a fingerprint that goes by what it is made of."""
    _answering.declared(trial.make, "scorer")


def check_scorer_fingerprint(trial: ScorerTrial) -> None:
    """Its fingerprint, where it has one, follows the options that change scores, and else the model or the code."""
    fingerprint_follows(trial.make, trial.ask(_usual()), _close)


def check_scores(trial: ScorerTrial) -> None:
    """One `Score` per response, in a list or tuple."""
    for responses in (_usual(), _usual()[:1]):
        scores = trial.scores(responses)
        assert isinstance(scores, list | tuple), f"score() returned a {type(scores).__name__}; it must return a list"
        assert len(scores) == len(responses), f"{len(responses)} responses got {len(scores)} scores; give one for each"
        wrong = next((one for one in scores if not isinstance(one, Score)), None)
        assert wrong is None, f"score() returned {wrong!r:.60}; each must be a tts.Score"


def check_scores_follow(trial: ScorerTrial) -> None:
    """A score belongs to its response: another order of the responses gives the same scores in that order."""
    responses = _usual()
    ahead, back = trial.scores(responses), trial.scores(responses[::-1])
    assert _close(ahead, back[::-1]), (
        f"scores {_values(ahead)}; asked in reverse {_values(back)}; return them in the order of the responses"
    )


def check_scores_alone(trial: ScorerTrial) -> None:
    """A score does not depend on what else is in the batch; the engine stores it and batches as it likes."""
    together, responses = trial.scores(_usual()), _usual()
    alone = [trial.scores([response])[0] for response in responses]
    assert _close(together, alone), (
        f"together {_values(together)}, one by one {_values(alone)}; score each response for itself: "
        "do not normalise over the batch"
    )


def check_scores_again(trial: ScorerTrial) -> None:
    """The same question has the same answer, also to the same instance."""

    async def twice(scorer: Scorer) -> tuple[list[Score], list[Score]]:
        return await scorer.score(trial.problem, _usual()), await scorer.score(trial.problem, _usual())

    once, again = _answering.asked(trial.make, twice)
    other = trial.scores(_usual())
    assert _close(once, again), f"asked twice it said {_values(once)}, then {_values(again)}; draw nothing at random"
    assert _close(once, other), f"two instances said {_values(once)} and {_values(other)}; draw nothing at random"


def check_scores_by_content(trial: ScorerTrial) -> None:
    """It goes by the texts alone, or it declares `by_content = False`."""
    if not trial.by_content:
        return
    plain = candidate_set(_TEXTS[:1]).candidates
    marked = plain[0].model_copy(update={"index": 3, "logprob": -1.0, "answer": None})
    noted = trial._replace(problem=trial.problem.model_copy(update={"id": "other", "metadata": {"answer": "2"}}))
    for one, other in ((trial.scores(plain), trial.scores([marked])), (trial.scores(plain), noted.scores(plain))):
        assert _close(one, other), (
            f"index, log-probability, answer or the problem's metadata change {_values(one)} to {_values(other)}; "
            "scores are stored by the texts, so go by them alone or declare by_content = False"
        )


def check_scorer_odd_texts(trial: ScorerTrial) -> None:
    """Any text is scored, or refused with a `BackendError`."""
    cases = {"empty": ("", " \n"), "odd characters": ODD, "markers": MARKERS, "long": ("step " * 20_000,)}
    for what, texts in cases.items():
        scores = _answering.answers_or_says_why(trial.make, trial.ask(candidate_set(texts).candidates), what)
        assert scores is None or len(scores) == len(texts), (
            f"{what}: {len(texts)} responses got {len(scores or ())} scores"
        )


def check_scorer_at_once(trial: ScorerTrial) -> None:
    """Several questions at once have the answers that they have one after the other."""

    async def both(scorer: Scorer) -> list[list[Score]]:
        parts = (_usual(), _usual()[::-1], _usual()[:2])
        return await asyncio.gather(*(scorer.score(trial.problem, part) for part in parts))

    first, second, third = _answering.asked(trial.make, both)
    alone = trial.scores(_usual())
    same = [_close(first, alone), _close(second, alone[::-1]), _close(third, alone[:2])]
    assert all(same), "three calls at once disturb each other; keep what belongs to a call in local variables"


def check_scorer_usage(trial: ScorerTrial) -> None:
    """Each score says what it cost; a scorer that computes next to nothing declares `light = True`."""
    usages = [score.usage for score in trial.scores(_usual())]
    for usage in usages:
        assert min(usage.model_dump().values()) >= 0, f"usage counts less than nothing: {usage!r}"
    if not trial.light:
        assert all(usage.calls == 1 and usage.prompt_tokens > 0 for usage in usages), (
            f"a score says that it cost {usages[0]!r}; give each Usage(calls=1, prompt_tokens=...), "
            "or declare light = True"
        )


def check_scorer_loop(trial: ScorerTrial) -> None:
    """It never keeps the event loop from others for more than 50 ms."""
    _answering.blocks_no_loop(trial.make, trial.ask(_usual()))


def check_scorer_two_loops(trial: ScorerTrial) -> None:
    """One instance serves several event loops, one after the other."""
    _answering.serves_two_loops(trial.make, trial.ask(_usual()))


def check_scorer_closes(trial: ScorerTrial) -> None:
    """It closes, used or not."""
    _answering.closes(trial.make, trial.ask(_usual()))


_SCORER_CHECKS: tuple[Callable[[ScorerTrial], None], ...] = (
    check_scorer_declaration,
    check_scorer_fingerprint,
    check_scores,
    check_scores_follow,
    check_scores_alone,
    check_scores_again,
    check_scores_by_content,
    check_scorer_odd_texts,
    check_scorer_at_once,
    check_scorer_usage,
    check_scorer_loop,
    check_scorer_two_loops,
    check_scorer_closes,
)


def scorer_checks(make: Callable[[], Scorer], *, problem: Problem | None = None) -> list[Check]:
    """The checks of a scorer, to be run one by one; `problem` and `make` are as in `check_scorer`."""
    one = make()
    traits = (getattr(one, "by_content", True), getattr(one, "light", False))
    trial = ScorerTrial(make, problem or Problem(id="p", prompt="How much is 1+1?"), *traits)
    asyncio.run(one.aclose())
    return bound(_SCORER_CHECKS, str(getattr(one, "fingerprint", type(one).__name__)), trial)


def check_scorer(
    make: Callable[[], Scorer], *, problem: Problem | None = None, expected_failures: Mapping[str, str] | None = None
) -> None:
    """Try everything that a scorer must hold; one `AssertionError` tells all that does not.

    `make` makes one, e.g. `lambda: MyScorer("model", MyScorer.Options())`; every check makes its own and closes it. A
    `problem` is needed where a scorer reads its metadata. `expected_failures` maps the name of a check to the reason
    why it cannot hold.
    """
    run_all(scorer_checks(make, problem=problem), expected_failures)
