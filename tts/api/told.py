"""What a call tells its listeners of its source, its models, its grades, outside the engine's own events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tts.api.settings import extractor_given
from tts.contracts.strategy import Strategy
from tts.engine.models import model_name
from tts.registry.host import emit
from tts.registry.user_code import Same
from tts.sources.kind import Detected, kind_of
from tts.sources.layout import may_be_rows
from tts.sources.understood import Understood
from tts.vocabulary.events import Event
from tts.vocabulary.records import Role

ROLES: dict[Role, str] = {"policy": "model", "scorer": "scorer", "judge": "judge", "synthesizer": "synthesizer"}


def tell(message: Callable[[], str], engine: Mapping[str, Any]) -> None:
    """A line for whoever listens; where nobody does it is not even made."""
    if listeners := engine.get("listeners", ()):
        emit(Event("understood", message=message()), listeners)


def tell_understood(
    understood: Understood | None,
    strategies: Sequence[Strategy],
    grader: str | Same,
    engine: Mapping[str, Any],
    *,
    sampling: bool,
) -> None:
    """What was made of the source, and what reading it has counted."""
    if understood is None:
        return
    answers = _answers(grader, engine)
    tell(lambda: understood.line(answers, asked(strategies, engine, sampling=sampling)), engine)
    if understood.audit:
        tell(lambda: understood.audit, engine)


def hint_answers(source: Any, columns: Mapping[str, str] | None, engine: Mapping[str, Any]) -> None:
    """Say that answers are compared as mathematics where they look like something else."""
    if not engine.get("listeners") or engine.get("answers") is not None or extractor_given(engine) != "auto":
        return
    if may_be_rows(source) and (found := kind_of(source, columns)) in ("json", "code", "text"):
        tell(lambda: f"{found.why}: with --answers {found} (answers={str(found)!r}) they are read as {found}", engine)


def _answers(grader: str | Same, engine: Mapping[str, Any]) -> str:
    """How answers are found and compared, and by what the kind of them was found out."""
    extractor, kind = extractor_given(engine), engine.get("answers")
    how = name_of(grader) if extractor == "auto" else f"{name_of(grader)}, found by {name_of(extractor)}"
    return f"{how} ({kind.why})" if isinstance(kind, Detected) else how


def name_of(given: object) -> str:
    """What a grader or an extractor is called."""
    return given if isinstance(given, str) else str(getattr(given, "__name__", type(given).__name__))


def asked(strategies: Sequence[Strategy], engine: Mapping[str, Any], *, sampling: bool) -> str:
    """Which models a call asks, in words."""
    needed = [
        (role, argument)
        for role, argument in ROLES.items()
        if (role == "policy" and sampling) or any(getattr(one.required(), role) for one in strategies)
    ]
    told = []
    for role, argument in needed:
        given = engine.get(argument)
        nobody = "the built-in one" if role == "policy" and sampling else "none given"
        name = nobody if given is None else model_name(given)
        told.append(name if role == "policy" else f"{argument} {name}")
    return ", ".join(told) or "none needed"
