"""Which model plays which role: checked before the first token is spent, then loaded, each model once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tts.bridge.threads import in_thread
from tts.contracts.strategy import Strategy
from tts.engine.functions import of_function
from tts.engine.models import Loaded, ModelPool, live_code, live_model, model_name
from tts.engine.reference import DEFAULT_MODEL, ModelKey, ModelKind, placed
from tts.engine.work import Work
from tts.vocabulary.errors import MissingCapabilityError, MissingRoleError
from tts.vocabulary.events import Event
from tts.vocabulary.records import Role, Usage

KINDS: dict[Role, ModelKind] = {
    "policy": "backend",
    "scorer": "scorer",
    "judge": "judge",
    "synthesizer": "backend",
}


class Roles:
    """The models of an engine by role; `loaded` has those that were needed so far.

    A reference names a model to load, on the executor where there is one; any other object is a model of the user's.
    """

    def __init__(
        self,
        references: Mapping[Role, object],
        models: ModelPool,
        concurrency: int | None,
        emit: Callable[[Event], None],
        executor: str | None = None,
    ) -> None:
        self.references: dict[Role, object] = {
            role: of_function(KINDS[role], given) for role, given in references.items()
        }
        self.loaded: dict[Role, Loaded] = {}
        self.built_in: bool = references["policy"] is None  # what is sampled is sampled from the default
        self._models, self._concurrency, self._emit = models, concurrency, emit
        self._executor = executor
        self._lock = asyncio.Lock()

    async def load(self, strategies: Sequence[Strategy], *, sampling: bool) -> None:
        """Load what sampling and the strategies need, and a policy that is named.

        Raises `MissingRoleError`, `MissingCapabilityError` or another `ConfigError` before anything is generated.
        """
        if sampling and self.references["policy"] is None:
            self.references["policy"] = DEFAULT_MODEL
        needed: set[Role] = set() if self.references["policy"] is None else {"policy"}
        for strategy in strategies:
            wants = {role for role in KINDS if getattr(strategy.required(), role)}
            for role in wants:
                if self.references[role] is None:
                    raise MissingRoleError(missing_role(strategy.name, role))
            needed |= wants
        for role in needed:
            await self._check(role)
        async with self._lock:
            await self._forget_outdated(needed)
            for role in sorted(needed - set(self.loaded)):
                name = model_name(self.references[role])
                self._emit(Event("loading", message=name))
                self.loaded[role] = await self._share(role)
                self._emit(Event("loaded", message=name))

    async def _forget_outdated(self, needed: set[Role]) -> None:
        """Whose files have changed since an earlier call is loaded anew; what is under way ends with what it has."""
        there = needed & self.loaded.keys()
        keys = {role: key for role in there if (key := self._key(role)) is not None}
        for role in there - keys.keys():
            if self.loaded[role].code != live_code(self.loaded[role].model):
                del self.loaded[role]
        if keys:
            old = await self._models.drop_outdated(set(keys.values()))
            for role, key in keys.items():
                if key in old:
                    del self.loaded[role]

    def _key(self, role: Role) -> ModelKey | None:
        given, kind = self.references[role], KINDS[role]
        return self._models.check(kind, placed(kind, given, self._executor)) if isinstance(given, str) else None

    async def _check(self, role: Role) -> None:
        given = self.references[role]
        if not isinstance(given, str):
            live_model(KINDS[role], given, None)
        elif role not in self.loaded:  # importing a plugin takes seconds where it brings torch: not on the loop
            await in_thread(f"the plugin of {given!r} to be imported", lambda: self._key(role), idle=True)

    async def _share(self, role: Role) -> Loaded:
        given, kind = self.references[role], KINDS[role]
        if isinstance(given, str):
            loaded = await self._models.get(kind, placed(kind, given, self._executor), self._concurrency)
        else:
            loaded = live_model(kind, given, self._concurrency)
        for same in self.loaded.values():
            if same.model is loaded.model:
                return loaded._replace(limiter=same.limiter)  # two roles of one model share its limiter, too
        return loaded

    def dropped(self, stored: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        """By role, what of the sampling its model leaves out by now, or left out of `stored` samples, and why."""
        found = {
            role: {**stored.get(one.reference, {}), **(getattr(one.model, "dropped", None) or {})}
            for role, one in self.loaded.items()
        }
        return {role: dropped for role, dropped in found.items() if dropped}

    def take_aside(self) -> dict[Role, Usage]:
        """By role, what its model has spent beside requests since this was last asked."""
        asides = {role: getattr(one.model, "take_aside", None) for role, one in self.loaded.items()}
        return {role: take() for role, take in asides.items() if take is not None}

    def wanting_logprobs(self, strategies: Iterable[Strategy]) -> str | None:
        """Which strategy or scorer needs log-probabilities, where one does."""
        strategies, scorer = list(strategies), self.loaded.get("scorer")
        if one := next((one for one in strategies if one.required().logprobs), None):
            return f"strategy {one.name!r}"
        if scorer and getattr(scorer.model, "logprobs", False) and any(one.required().scorer for one in strategies):
            return f"scorer {scorer.reference!r}"
        return None

    def check_first(self, works: Iterable[Work], strategies: Sequence[Strategy]) -> Iterator[Work]:
        """The works; raises `ConfigError` where the first lacks what a strategy or the scorer reads in stored sets.

        That one does says that the call is wrong; for a later one it is a failed result.
        """
        for number, work in enumerate(works):
            if number == 0 and work.error is None:
                self._check_stored(work, strategies)
            yield work

    def _check_stored(self, work: Work, strategies: Sequence[Strategy]) -> None:
        who, scorer = self.wanting_logprobs(strategies), self.loaded.get("scorer")
        stored = [candidate for candidate in work.fixed if candidate.ok]
        if who and stored and all(candidate.logprob is None for candidate in stored):
            raise MissingCapabilityError(
                f"{who} needs log-probabilities and the stored candidates have none; sample them with "
                "Sampling(logprobs=True), or leave it out"
            )
        if scorer and hasattr(scorer.model, "check") and any(one.required().scorer for one in strategies):
            scorer.model.check(work.problem, work.fixed)

    def check_logprobs(self, who: str) -> None:
        """Raise `MissingCapabilityError` where the policy gives no log-probabilities, which `who` needs."""
        policy = self.loaded.get("policy")
        if policy is not None and not policy.model.capabilities.logprobs:
            raise MissingCapabilityError(
                f"{who} needs log-probabilities and {policy.reference!r} gives none; "
                "pass a model= (on the command line --model) that does"
            )


def missing_role(strategy: str, role: str) -> str:
    """The sentence for a model that was not given."""
    argument = "model" if role == "policy" else role
    reference = {"judge": "format:backend:model", "scorer": "scorer:model"}.get(role, "backend:model")
    return f"strategy {strategy!r} needs a {role}: pass {argument}='{reference}' (on the command line --{argument})"
