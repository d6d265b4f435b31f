"""The model names of a gateway: those of its recipe, every strategy with its parameters, the plain policy."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.engine.reference import DEFAULT_MODEL, parse_reference
from tts.engine.roles import KINDS
from tts.registry.host import plugins
from tts.registry.instance import build
from tts.serve.failure import Failure
from tts.serve.recipe import Models, Named, Recipe
from tts.vocabulary.errors import ConfigError, MissingDependencyError, TTSError, did_you_mean
from tts.vocabulary.names import names_from_data
from tts.vocabulary.records import Sampling
from tts.vocabulary.reference import NotAReference, split_reference
from tts.vocabulary.time_limits import TimeLimits

_log = logging.getLogger("tts")
_EARLY = {"decided_early": True}


class RoleNames(NamedTuple):
    """The references of the models behind a name; names of equal ones share an engine."""

    model: str
    scorer: str | None
    judge: str | None
    synthesizer: str | None


class Served(NamedTuple):
    """What answers under one name; `plain` is the policy without any strategy."""

    name: str
    strategy: Strategy
    k: int
    roles: RoleNames
    sampling: Sampling
    limits: TimeLimits
    budget: int | None = None
    plain: bool = False

    def card(self) -> dict[str, Any]:
        """Its line in the list of models."""
        needs = self.strategy.required()
        return {
            "id": self.name,
            "object": "model",
            "created": 0,
            "owned_by": "ttscale",
            "tts": {
                "strategy": None if self.plain else self.strategy.name,
                "k": self.k,
                "needs": [role for role in KINDS if role == "policy" or getattr(needs, role)],
                "deadline": self.limits.deadline,
            },
        }


class Catalog:
    """Finds what a request's model stands for; raises `ConfigError` where the recipe names what cannot be served."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._names: dict[str, Served] = {}
        self._found: dict[str, Served] = {}  # of names with parameters
        self._left_out: dict[str, str] = {}  # strategies that cannot be served here, and why
        own = self._served(_policy_name(_roles(recipe, recipe).model), Named(strategy="first", k=1), plain=True)
        self.plain: Served = own
        self._add(own)
        self._add(self._served("default", Named(strategy=recipe.strategy)))
        for name, named in recipe.models.items():
            self._add(self._served(name, named))
        for name in plugins().names("strategy"):
            if name not in self._names and (served := self._possible(name)) is not None:
                self._add(served)
            elif name in recipe.models and _base(recipe.models[name].strategy) != name:
                raise ConfigError(
                    f"[models.{name}] has the name of a strategy that is another one; call it otherwise, so that "
                    f"{name!r} means {name!r}"
                )

    def names(self) -> list[str]:
        """All of them, those of the recipe first."""
        return list(self._names)

    def cards(self) -> list[dict[str, Any]]:
        """The list of models."""
        return [served.card() for served in self._names.values()]

    def all(self) -> list[Served]:
        """What is behind each name."""
        return list(self._names.values())

    def of(self, name: str) -> Served:
        """What a request's model stands for, with the parameters in its name; raises `Failure` (404, 403, 400)."""
        if name in self._names:
            return self._names[name]
        if name not in self._found:
            base = _base(name)
            if base not in self._names:
                why = self._left_out.get(base)
                sentence = f"no model is called {name!r}{did_you_mean(base, self._names)}"
                if why is not None:
                    sentence = f"{base!r} is not served here: {why}"
                raise Failure(404, sentence, code="model_not_found", param="model")
            self._allow("strategy", f"the parameters in {name!r}", "model")
            found = self._with(self._names[base], name)
            if len(self._found) > 1000:  # names are anybody's
                self._found.clear()
            self._found[name] = found
        return self._found[name]

    def otherwise(self, served: Served, asked: Mapping[str, Any]) -> Served:
        """As a request wants it beside its model; raises `Failure` for what the operator has not allowed."""
        for field in ("k", "strategy", "deadline", "budget"):
            if asked.get(field) is not None:
                self._allow(field, f"tts.{field}", f"tts.{field}")
        if (wanted := asked.get("strategy")) is not None:
            other = self.of(str(wanted))
            k = served.k if served.k > 1 else other.k
            served = other._replace(name=f"{served.name}+{wanted}", k=k, limits=served.limits, budget=served.budget)
        if asked.get("k") is not None:
            served = served._replace(k=asked["k"])
        if (deadline := asked.get("deadline")) is not None:
            shorter = min(deadline, served.limits.deadline or deadline)
            served = served._replace(limits=served.limits.model_copy(update={"deadline": shorter}))
        if (budget := asked.get("budget")) is not None:
            served = served._replace(budget=min(budget, served.budget or budget))
        return served

    def _allow(self, what: str, where: str, param: str) -> None:
        if what not in self._recipe.allow:
            allowed = ", ".join(self._recipe.allow) or "nothing"
            message = f"{where}: a request may not choose the {what} here (allowed: {allowed})"
            raise Failure(403, message, kind="permission_error", code="not_allowed", param=param)

    def _with(self, served: Served, name: str) -> Served:
        """The same with the parameters that a name has after its `@`."""
        try:
            with names_from_data():  # no request names code or files
                parameters = _parameters(name)
                k = parameters.pop("k", served.k)
                if not isinstance(k, int) or k < 1:
                    raise ConfigError(f"{name!r}: k={k!r}: it is a whole number from 1 on")
                return served._replace(name=name, k=k, strategy=strategy_of(served.strategy, **parameters))
        except TTSError as error:
            raise Failure(400, f"model {name!r}: {error}", param="model") from error

    def _possible(self, name: str) -> Served | None:
        """A strategy under its own name, where the gateway has the models that it needs."""
        try:
            served = self._served(name, Named(strategy=name))
        except TTSError as error:  # a plugin that cannot be loaded, two of one name, one that must have parameters
            self._left_out[name] = str(error)
            if not isinstance(error, MissingDependencyError):  # who wants it installs it
                _log.warning("%r is not served: %s", name, error)
            return None
        needs = served.strategy.required()
        for role in ("scorer", "judge", "synthesizer"):
            if getattr(needs, role) and getattr(served.roles, role) is None:
                self._left_out[name] = f"it needs a {role}, and this gateway has none (its operator can give --{role})"
                return None
        return served

    def _served(self, name: str, named: Named, *, plain: bool = False) -> Served:
        recipe = self._recipe
        limits = {"deadline": named.deadline or recipe.deadline, "quorum": named.quorum, "grace": named.grace}
        return Served(
            name,
            _strategy(named.strategy),
            named.k or recipe.k,
            _roles(named, recipe),
            build("sampling", Sampling, {**recipe.sampling, **named.sampling}),
            build(f"[models.{name}]", TimeLimits, limits),
            named.budget,
            plain,
        )

    def _add(self, served: Served) -> None:
        if served.name in self._names:
            raise ConfigError(f"two models are called {served.name!r}: one of them must have another name")
        self._names[served.name] = served


def _roles(named: Models, recipe: Recipe) -> RoleNames:
    found = [getattr(named, role) or getattr(recipe, role) for role in RoleNames._fields]
    return RoleNames(found[0] or DEFAULT_MODEL, *found[1:])


def _policy_name(reference: str) -> str:
    """What the policy is called: the name that its server or its folder has."""
    return parse_reference(reference).model.rstrip("/").rpartition("/")[2] or "policy"


def _base(name: str) -> str:
    try:
        return split_reference(name).name
    except NotAReference:
        return name


def _parameters(name: str) -> dict[str, Any]:
    """What stands after the `@` of a name, as values of JSON where it is JSON."""
    try:
        options = split_reference(name).options
    except NotAReference as error:
        raise ConfigError(f"{name!r}: {error}") from error
    return {key: _value(text) for key, text in options}


def _value(text: str) -> Any:
    if text == "none":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _strategy(text: str) -> Strategy:
    """The strategy that a recipe names; votes stop once they are decided, unless it says otherwise."""
    name, parameters = _base(text), _parameters(text)
    made = strategy_of(name, **parameters)
    if "decided_early" in type(made).model_fields and "decided_early" not in parameters:
        return _early(made)
    if made.name == "cascade" and "cheap" not in parameters:
        return strategy_of(made, cheap={"name": "majority", **_EARLY})
    return made


def _early(made: Strategy) -> Strategy:
    try:
        return strategy_of(made, **_EARLY)
    except ConfigError:  # weights that no missing vote has
        return made
