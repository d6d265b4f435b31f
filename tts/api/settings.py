"""What every verb takes beside its own arguments: the arguments of `tts.Engine`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, cast

from tts.answers.forms import form_of
from tts.api.profiles import expanded
from tts.contracts.grader import Extract
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.models import Backend, Judge, Scorer
from tts.contracts.prices import Prices
from tts.contracts.task import Task
from tts.engine.engine import Engine
from tts.engine.functions import JudgeFunction, ModelFunction, ScorerFunction, of_function
from tts.engine.reference import ModelKind
from tts.registry.instance import build
from tts.registry.user_code import Same
from tts.sources.kind import kind_of
from tts.sources.reading import OnError
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError, did_you_mean
from tts.vocabulary.events import Event
from tts.vocabulary.records import Result, Sampling

KINDS: dict[str, ModelKind] = {"model": "backend", "synthesizer": "backend", "scorer": "scorer", "judge": "judge"}
"""The arguments that are models, with their kind."""

Verb = TypeVar("Verb", bound=Callable[..., Any])


class Settings(TypedDict, total=False):
    """The arguments of `tts.Engine`, as all verbs take them; `progress` is theirs alone."""

    model: str | Backend | ModelFunction | None
    """The policy: `backend:model[@option=value,...]`, a function, or a model of your own."""

    scorer: str | Scorer | ScorerFunction | None
    """The reward model."""

    judge: str | Judge | JudgeFunction | None
    """The pairwise judge."""

    synthesizer: str | Backend | ModelFunction | None
    """The model that writes from all candidates."""

    store: Store | str | Path | None
    """Where what is sampled is kept, and found again."""

    sampling: Sampling | Mapping[str, Any] | None
    """How completions are drawn."""

    seed: int | None
    """The run's seed."""

    concurrency: int | None
    """How many completions a model works on at once."""

    timeout: float | None
    """Seconds after which a strategy that has nothing in flight is stopped."""

    request_timeout: float | Literal["auto"] | None
    """Seconds of silence after which what is asked of a model ends."""

    deadline: float | None
    """Seconds in which each problem is answered."""

    quorum: int | None
    """How many candidates are enough to go on with."""

    grace: float | None
    """Seconds for which the other candidates are waited for then."""

    budget: int | None
    """The most tokens that may be spent."""

    problem_budget: int | None
    """The most tokens that may be spent on one problem."""

    max_cost: float | None
    """The most money that may be spent, by the prices."""

    prices: Prices | str | Path | None
    """What a million tokens cost, by role: prices, or a .toml or .json file of them."""

    extractor: str | Extract
    """What finds the final answer in a response: a name, `FILE.py:function`, or a function."""

    answers: str | None
    """What kind of answers there are, one word for prompt, extractor, equality and grader: math, choice, json, code,
    text, or auto, which finds it out from the data and says what it found. By default mathematics.
    """

    direct_template: str | None
    """The Jinja file of the prompt that asks for a solution."""

    system: str | None
    """A system prompt for the policy."""

    executor: str | None
    """What runs the models: "ray", or this process."""

    listeners: Sequence[Callable[[Event], None]]
    """What hears every event."""

    progress: bool | None
    """Whether progress is shown on stderr. By default where that is a terminal, and in a notebook."""


class ComparisonSettings(Settings, total=False):
    """What `tts.compare` takes beside its candidates, for who passes it on."""

    order_trials: int
    """How many other orders of their candidates strategies that mind it decide on."""

    limit: int | None
    """How many problems are read."""

    on_error: OnError
    """What becomes of a row that cannot be read."""

    on_result: Callable[[Result], None] | None
    """What hears each result."""

    grader: str | Same | None
    """What compares answers with the gold answers: a name, `FILE.py:function`, or a function."""

    think: tuple[str, str] | None
    """The tags around the thinking in a file of candidates."""


def spelled_out(verb: Verb) -> Verb:
    """The verb, whose signature names each of the settings, for `help` and consoles that ask at run time."""
    signature = inspect.signature(verb)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    taken = {one.name for one in own}
    asked = [one for name, one in inspect.signature(Engine).parameters.items() if name not in {"models", *taken}]
    progress = inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="bool | None")
    verb.__signature__ = signature.replace(parameters=[*own, *asked, progress])  # type: ignore[attr-defined]  # inspect's
    return verb


def checked(settings: Settings) -> dict[str, Any]:
    """The settings as a mapping of one's own; raises `ConfigError` for one that there is not, or that is wrong."""
    known = set(Settings.__annotations__)
    given: dict[str, Any] = dict(settings)
    for name, value in given.items():
        if name in Sampling.model_fields and name not in known:
            raise ConfigError(f"{name}= belongs to the sampling: pass sampling=tts.Sampling({name}={value!r})")
        if name in ("strategy", "strategies"):
            raise ConfigError(
                f"no {name}= is taken here: tts.solve and tts.run take strategy=, others strategies=[...]"
            )
        if name not in known:
            raise ConfigError(f"there is no argument {name!r}{did_you_mean(name, known)}")
    given = expanded(given, frozenset(known))
    for role, kind in KINDS.items():
        if given.get(role) is not None:
            given[role] = of_function(kind, given[role])
    extractor_of(given.get("extractor", "auto"))
    sampling = given.get("sampling")
    if isinstance(sampling, Mapping):
        given["sampling"] = build("sampling", Sampling, sampling)
    elif not isinstance(sampling, Sampling | None):
        raise ConfigError(f"sampling={sampling!r}: give a tts.Sampling or a mapping of its fields")
    return given


def settle_names(settings: Settings) -> None:
    """Replace every `@name` of a model by what it stands for, in the settings themselves."""
    cast("dict[str, Any]", settings).update(expanded(settings, frozenset(Settings.__annotations__)))


def settle_answers(settings: Settings, source: Any, columns: Mapping[str, str] | None) -> None:
    """Replace `answers="auto"` by the kind that the source asks for; a task knows its own."""
    if settings.get("answers") == "auto":
        settings["answers"] = None if is_task(source) else kind_of(source, columns)


def is_task(source: Any) -> bool:
    """A task, by name or as an object; the built-in one where nothing is named."""
    return source is None or isinstance(source, Task) or (isinstance(source, str) and source.startswith("task:"))


def extractor_given(settings: Mapping[str, Any]) -> str | Extract:
    """What finds the answers: as it was given, else as the kind of answers wants it."""
    given = settings.get("extractor")
    return form_of(settings.get("answers") or "math").extractor if given in (None, "auto") else given


def grader_given(settings: Mapping[str, Any], grader: str | Same | None, task: str | None) -> str | Same:
    """What grades: as it was given, else as the kind of answers wants it, else as the task does."""
    asked = settings.get("answers")
    return grader or (task or "math" if asked in (None, "auto") else form_of(asked).grader)
