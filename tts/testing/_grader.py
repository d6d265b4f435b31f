"""What every grader must hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tts.contracts.grader import Grader
from tts.testing import _answering
from tts.testing._identity import literal_is_refused
from tts.testing._kit import Check, bound, run_all
from tts.testing._sets import MARKERS, ODD

Pairs = Sequence[tuple[str, str]]
_ODD_ANSWERS = ("", "  ", *ODD, *MARKERS, "9" * 5_000, "(" * 2_000, "\\frac{", "2^" * 200, "nan", "inf", "-0", "1e999")


class GraderTrial(NamedTuple):
    """A way to make a grader, with pairs of a gold answer and an answer that are equal, and that are not."""

    make: Callable[[], Grader]
    same: Pairs
    different: Pairs

    @property
    def pairs(self) -> list[tuple[str, str | None]]:
        """All pairs, and every gold answer without an answer."""
        golds: list[tuple[str, str | None]] = [(gold, None) for gold, _ in self.same]
        return [*self.same, *self.different, *golds]

    def grades(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """What a fresh one says."""
        return _answering.asked(self.make, self.ask(pairs))

    def one_by_one(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """What a fresh one says of each pair, asked for that pair alone."""

        async def ask(grader: Grader) -> list[bool]:
            return [(await grader.grade([pair]))[0] for pair in pairs]

        return _answering.asked(self.make, ask)

    def ask(self, pairs: Sequence[tuple[str, str | None]]) -> Callable[[Grader], Awaitable[list[bool]]]:
        """The question, for one that is there."""

        async def ask(grader: Grader) -> list[bool]:
            return await grader.grade(pairs)

        return ask


def check_grader_fingerprint(trial: GraderTrial) -> None:
    """It has no fingerprint that stays when its code changes."""
    one = trial.make()
    asyncio.run(one.aclose())
    literal_is_refused(one, "grader")


def check_grades(trial: GraderTrial) -> None:
    """One `bool` per pair, in a list or tuple; none for none."""
    for pairs in (trial.pairs, trial.pairs[:1], []):
        grades: Any = trial.grades(pairs)
        assert isinstance(grades, list | tuple), f"grade() returned a {type(grades).__name__}; it must return a list"
        assert len(grades) == len(pairs), f"{len(pairs)} pairs got {len(grades)} grades; give one for each"
        wrong = next((one for one in grades if not isinstance(one, bool)), None)
        assert wrong is None, f"grade() returned {wrong!r:.60}; each must be True or False"


def check_equal_answers(trial: GraderTrial) -> None:
    """What is equal is right, what is not is wrong."""
    for pairs, expected in ((trial.same, True), (trial.different, False)):
        for pair, grade in zip(pairs, trial.grades(pairs), strict=True):
            assert grade is expected, f"gold {pair[0]!r}, answer {pair[1]!r}: graded {grade}, not {expected}"


def check_no_answer(trial: GraderTrial) -> None:
    """No answer, and an empty one, is wrong."""
    pairs = [(gold, answer) for gold, _ in trial.same for answer in (None, "")]
    for (gold, answer), grade in zip(pairs, trial.one_by_one(pairs), strict=True):
        assert grade is False, f"gold {gold!r}, answer {answer!r}: graded {grade}; no answer is wrong"


def check_grades_follow(trial: GraderTrial) -> None:
    """A grade belongs to its pair: order and company of the pairs do not count."""
    ahead, back = trial.grades(trial.pairs), trial.grades(trial.pairs[::-1])
    assert ahead == back[::-1], f"grades {ahead}; asked in reverse {back}; return them in the order of the pairs"
    alone = trial.one_by_one(trial.pairs)
    assert ahead == alone, f"together {ahead}, one by one {alone}; grade each pair for itself"


def check_grades_again(trial: GraderTrial) -> None:
    """The same question has the same answer, also to the same instance."""

    async def twice(grader: Grader) -> tuple[list[bool], list[bool]]:
        return await grader.grade(trial.pairs), await grader.grade(trial.pairs)

    once, again = _answering.asked(trial.make, twice)
    assert once == again, f"asked twice it said {once}, then {again}; remember nothing of earlier pairs"


def check_odd_answers(trial: GraderTrial) -> None:
    """Whatever an answer is, it is graded; most come from a model."""
    gold = trial.same[0][0]

    async def ask(grader: Grader) -> None:
        for answer in _ODD_ANSWERS:
            try:
                await grader.grade([(gold, answer)])
            except Exception as error:
                raise AssertionError(
                    f"answer {answer[:40]!r}: it raised {type(error).__name__}: {error}; what cannot be read is wrong"
                ) from error

    _answering.asked(trial.make, ask)


def check_grades_at_once(trial: GraderTrial) -> None:
    """Several questions at once have the answers that they have one after the other."""

    async def both(grader: Grader) -> list[list[bool]]:
        return await asyncio.gather(*(grader.grade(part) for part in (trial.pairs, trial.pairs[::-1])))

    first, second = _answering.asked(trial.make, both)
    assert first == second[::-1] == trial.grades(trial.pairs), (
        "two calls at once disturb each other; keep what belongs to a call in local variables"
    )


def check_grader_loop(trial: GraderTrial) -> None:
    """It never keeps the event loop from others for more than 50 ms."""
    _answering.blocks_no_loop(trial.make, trial.ask(trial.pairs))


def check_grader_two_loops(trial: GraderTrial) -> None:
    """One instance serves several event loops, one after the other."""
    _answering.serves_two_loops(trial.make, trial.ask(trial.pairs))


def check_grader_closes(trial: GraderTrial) -> None:
    """It closes, used or not."""
    _answering.closes(trial.make, trial.ask(trial.pairs))


_GRADER_CHECKS: tuple[Callable[[GraderTrial], None], ...] = (
    check_grader_fingerprint,
    check_grades,
    check_equal_answers,
    check_no_answer,
    check_grades_follow,
    check_grades_again,
    check_odd_answers,
    check_grades_at_once,
    check_grader_loop,
    check_grader_two_loops,
    check_grader_closes,
)


def grader_checks(make: Callable[[], Grader], *, same: Pairs, different: Pairs) -> list[Check]:
    """The checks of a grader, to be run one by one; the arguments are those of `check_grader`."""
    trial = GraderTrial(make, same, different)
    return bound(_GRADER_CHECKS, getattr(make, "__name__", "grader"), trial)


def check_grader(
    make: Callable[[], Grader],
    *,
    same: Pairs,
    different: Pairs,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Try everything that a grader must hold; one `AssertionError` tells all that does not.

    `make` is the class. `same` has pairs of a gold answer and an answer that are equal, e.g. `[("1/2", "0.5")]`, and
    `different` pairs that are not; at least one each. `expected_failures` maps the name of a check to the reason why it
    cannot hold.
    """
    run_all(grader_checks(make, same=same, different=different), expected_failures)
