"""What every strategy must hold: what it declares, what it decides on odd candidates, that the seed alone counts.

How it behaves meanwhile is in `_conduct`.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from tts.contracts.strategy import Needs, Strategy
from tts.testing import _conduct, _imitation
from tts.testing._identity import literal_is_refused
from tts.testing._kit import Check, bound, pickled, run_all
from tts.testing._models import InstantModel
from tts.testing._sets import SETS, candidate_set, tied_sets
from tts.testing._trial import decided, decision_on, sampled
from tts.vocabulary.records import Decision, Result

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_PAPER = re.compile(r"arXiv|doi|no paper|\b(?:19|20)\d\d\b", re.IGNORECASE)


def check_name(strategy: Strategy) -> None:
    """It has a name that a command line can take."""
    name = getattr(type(strategy), "name", None)
    assert isinstance(name, str), "the class has no name; give it `name: ClassVar[str] = ...`"
    assert _NAME.fullmatch(name), f"name={name!r}: lower-case letters, digits, '_', '.' and '-' only"


def check_fingerprint(strategy: Strategy) -> None:
    """It has no fingerprint that stays when its code changes."""
    literal_is_refused(strategy, "strategy")


def check_json(strategy: Strategy) -> None:
    """Its parameters survive JSON."""
    try:
        again = type(strategy).model_validate_json(strategy.model_dump_json())
    except ValidationError as error:
        raise AssertionError(f"its own parameters, written as JSON, cannot be read back: {error}") from error
    assert dict(again) == dict(strategy), f"as JSON and back, {strategy!r} is {again!r}; give fields JSON types"


def check_frozen(strategy: Strategy) -> None:
    """Nothing can change its parameters."""
    assert strategy.model_config.get("frozen"), "its parameters can be changed; leave model_config alone"
    assert strategy.model_config.get("extra") != "ignore", "a misspelt parameter would be ignored; leave model_config"
    for field, value in strategy:
        assert not isinstance(value, list | dict | set), (
            f"parameter {field!r} is a {type(value).__name__}, which anybody can change; "
            "make it a tuple or a frozen model"
        )


def check_pickle(strategy: Strategy) -> None:
    """It can be sent to another process."""
    again = pickled(strategy)
    assert dict(again) == dict(strategy), f"pickled and read back, {strategy!r} is {again!r}"


def check_docstring(strategy: Strategy) -> None:
    """It says in one line what it does, and names its paper or says that there is none."""
    doc = inspect.cleandoc(type(strategy).__doc__ or "")
    summary = doc.split("\n\n")[0]
    assert summary.count("\n") == 0 < len(summary), f"the docstring begins {summary!r}; it must begin with one line"
    module = inspect.getmodule(type(strategy))
    where = f"{doc}\n{module.__doc__ if module else ''}"
    assert _PAPER.search(where), "class and module docstring name no paper (arXiv, doi, year) and do not say 'No paper'"


def check_answers(strategy: Strategy) -> None:
    """It decides where answers differ, tie, or are not there at all."""
    for name in ("different answers", "tied votes", "no answers", "no summaries", "long texts"):
        decision_on(strategy, name)


def check_chosen(strategy: Strategy) -> None:
    """The candidate that it chose exists and did not fail, and the decision's text is that candidate's."""
    for name in ("different answers", "tied votes", "some without text", "equal candidates"):
        result, decision = decision_on(strategy, name)
        _chosen_is_usable(name, result, decision)


def _chosen_is_usable(name: str, result: Result, decision: Decision) -> None:
    if decision.chosen is None:
        return
    chosen = next(one for one in result.candidates if one.index == decision.chosen)
    assert chosen.ok, f"{name}: it chose candidate {chosen.index}, which failed or is empty; look at candidates.usable"
    assert decision.text == chosen.text, (
        f"{name}: chosen is {chosen.index} and text is not its text; give its whole text, or leave chosen out"
    )


def check_confidence(strategy: Strategy) -> None:
    """If it declares `tells_confidence`, some decision has one."""
    if strategy.tells_confidence:
        told = [decision_on(strategy, name)[1].confidence for name in SETS]
        assert any(one is not None for one in told), "it declares tells_confidence, and no decision has a confidence"


def check_one_candidate(strategy: Strategy) -> None:
    """It decides with k = 1."""
    decision_on(strategy, "one candidate")


def check_duplicates(strategy: Strategy) -> None:
    """It decides where all candidates are equal."""
    decision_on(strategy, "equal candidates")


def check_failed_candidates(strategy: Strategy) -> None:
    """Candidates that failed or are empty do not keep it from deciding, and are not chosen."""
    decision_on(strategy, "some without text")
    found = candidate_set(("", "so \\boxed{1}", "", "so \\boxed{2}"), errors=("out of memory", None, "timed out"))
    _chosen_is_usable("some failed", *decision_on(strategy, "some failed", found))


def check_no_candidates(strategy: Strategy) -> None:
    """Where nothing can be used it raises `NoCandidatesError`."""
    empty, failed = candidate_set(("", "  ")), candidate_set(("", ""), errors=("out of memory",) * 2)
    for result in decided(strategy, [empty, failed]):
        error = result.error or "a decision"
        assert error.startswith("NoCandidatesError"), (
            f"no usable candidate: it must let tts.NoCandidatesError through, or raise it; here came {error}"
        )


def check_many(strategy: Strategy) -> None:
    """It decides on 64 candidates."""
    decision_on(strategy, "64 candidates")


def check_unicode(strategy: Strategy) -> None:
    """It decides where candidates are written in any characters there are."""
    decision_on(strategy, "odd characters")


def check_markers(strategy: Strategy) -> None:
    """A candidate that imitates markers of a prompt, a template or a verdict does not keep it from deciding."""
    decision_on(strategy, "imitated markers")


def check_stored(strategy: Strategy) -> None:
    """It decides on stored candidates with the models alone that it needs; no policy, if it does not need one."""
    for name in ("different answers", "tied votes"):
        (result,) = decided(strategy, [candidate_set(SETS[name])], needs=_roles(strategy))
        assert result.error is None, f"{name}, with no model but those declared: {result.error}"


def _roles(strategy: Strategy) -> Needs:
    return strategy.needs | strategy.required()


@contextmanager
def _global_random(seed: int) -> Iterator[None]:
    """Python's own generator in a state of its own; a strategy has no business with it."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def check_seed(strategy: Strategy) -> None:
    """One seed gives one decision."""
    for found in ([candidate_set(SETS["tied votes"])], tied_sets()):
        with _global_random(1):
            once = decided(strategy, found)
        with _global_random(2):
            again = decided(strategy, found)
        for one, other in zip(once, again, strict=True):
            assert one.decision == other.decision, (
                f"under one seed it decided {one.decision!r:.200}, then {other.decision!r:.200}; draw from ctx.rng only"
            )


def check_arrival(strategy: Strategy) -> None:
    """The order in which candidates arrive does not count."""
    ahead, backwards = (sampled(strategy, InstantModel(order)) for order in ("", "backwards"))
    for one, other in zip(ahead, backwards, strict=True):
        assert one.decision == other.decision, (
            f"candidates that arrive the other way round change {one.decision!r:.200} to {other.decision!r:.200}; "
            "go by candidate.index, or take all of ctx.candidates()"
        )


def check_order(strategy: Strategy) -> None:
    """Its answer does not depend on the order of its candidates, or it declares `order_invariant = False`."""
    if strategy.order_invariant:
        for name in ("different answers", "tied votes"):
            answers = answers_by_order(strategy, SETS[name])
            assert len(set(answers)) == 1, (
                f"{name}: other orders give {sorted(map(str, set(answers)))}; sort by text before a seeded draw, "
                "or declare order_invariant: ClassVar[bool] = False"
            )


_STRATEGY_CHECKS: tuple[Callable[[Strategy], None], ...] = (
    check_name,
    check_fingerprint,
    check_json,
    check_frozen,
    check_pickle,
    check_docstring,
    check_answers,
    check_chosen,
    check_confidence,
    check_one_candidate,
    check_duplicates,
    check_failed_candidates,
    check_no_candidates,
    check_many,
    check_unicode,
    check_markers,
    _imitation.check_headings,
    _imitation.check_control_tokens,
    check_stored,
    check_seed,
    check_arrival,
    check_order,
    *_conduct.CHECKS,
)


def strategy_checks(strategy: Strategy) -> list[Check]:
    """The checks of a strategy with these parameters, to be run one by one."""
    return bound(_STRATEGY_CHECKS, str(getattr(strategy, "name", type(strategy).__name__)), strategy)


def check_strategy(strategy: Strategy, *, expected_failures: Mapping[str, str] | None = None) -> None:
    """Try everything that a strategy must hold; one `AssertionError` tells all that does not.

    `expected_failures` maps the name of a check to the reason why it cannot hold.
    """
    run_all(strategy_checks(strategy), expected_failures)


def answers_by_order(strategy: Strategy, texts: Sequence[str], orders: int = 12) -> list[str | None]:
    """What the strategy answers when the candidates come in this order and in some others."""
    draw = random.Random(0)
    permutations: list[Any] = [tuple(texts), *(tuple(draw.sample(texts, len(texts))) for _ in range(orders))]
    return [one.error or one.answer for one in decided(strategy, [candidate_set(texts) for texts in permutations])]
