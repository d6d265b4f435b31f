"""Which servers the samples of a run came from, those of the store beside those that were asked."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tts.engine.models import Loaded
from tts.store.store import Store
from tts.vocabulary.errors import OriginWarning
from tts.vocabulary.records import Completion

_REFUSED = "its server refused it when stored samples were drawn"
_NAMED = 3  # addresses in a sentence


class _Origin(NamedTuple):
    server: str | None
    system_fingerprint: str | None


class Origins:
    """Counts what a run takes from the store and from servers; warns once of what came from elsewhere."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._stored: dict[str, Counter[_Origin]] = {}
        self._fresh: dict[str, set[_Origin]] = {}
        self._without: dict[str, Counter[str]] = {}
        self._told: set[str] = set()  # models of which it was said
        self._met: set[str] = set()  # fingerprints

    def took(self, model: Loaded, completion: Completion) -> None:
        """A stored completion is used."""
        if hasattr(model.model, "servers"):
            self._models[model.reference] = model.model
            counted = self._stored.setdefault(model.reference, Counter())
            counted[_Origin(completion.server, completion.system_fingerprint)] += 1
            if completion.dropped:
                self._without.setdefault(model.reference, Counter()).update(completion.dropped)

    def meet(self, model: Loaded, store: Store | None) -> None:
        """Say where a store has completions of this model under another fingerprint only, once for each."""
        asked = getattr(model.model, "asked_as", None)
        if store is None or asked is None or model.fingerprint in self._met:
            return
        self._met.add(model.fingerprint)
        servers = getattr(model.model, "servers", ())
        for other, count in store.namesakes(model.fingerprint, asked, servers).items():
            warnings.warn(
                f"the store has {count:,} completion{'' if count == 1 else 's'} of {asked} under another fingerprint "
                f"({other}) and none under this one: its server says something else of it than then; if it is the same "
                f"model, write @fingerprint={other} in the reference to go on with them",
                OriginWarning,
                stacklevel=2,
            )

    @property
    def dropped(self) -> dict[str, dict[str, str]]:
        """By model, what stored samples of this run were drawn without."""
        return {name: dict.fromkeys(sorted(found), _REFUSED) for name, found in self._without.items()}

    def came(self, model: Loaded, completion: Completion) -> None:
        """A server has answered."""
        if completion.server is not None:
            self._fresh.setdefault(model.reference, set()).add(
                _Origin(completion.server, completion.system_fingerprint)
            )

    def warn(self) -> None:
        """Say what was used of elsewhere, and begin to count anew."""
        stored, fresh = self._stored, self._fresh
        self._stored, self._fresh = {}, {}
        for name, counted in stored.items():
            for sentence in _sentences(name, counted, fresh.get(name, set()), tuple(self._models[name].servers)):
                warnings.warn(sentence, OriginWarning, stacklevel=2)
        for name, lacking in self._without.items():
            if name not in self._told:
                self._told.add(name)
                warnings.warn(_undrawn(name, lacking), OriginWarning, stacklevel=2)


def _sentences(name: str, stored: Counter[_Origin], fresh: set[_Origin], asked: Sequence[str]) -> Iterator[str]:
    elsewhere = [one for one in stored if one.server is not None and one.server not in asked]
    total = stored.total()
    if elsewhere:
        count, servers = sum(stored[one] for one in elsewhere), {str(one.server) for one in elsewhere}
        yield (
            f"{count} of {total} stored samples of {name} came from {_listed(servers)}, this run asks "
            f"{_listed(asked)}; use @tag=… in the reference to keep them apart"
        )
    now = {one.system_fingerprint for one in fresh} - {None}
    other = [
        one for one in stored if now and one not in elsewhere and one.system_fingerprint not in {None, *now}
    ]  # a service that has been changed behind its address
    if other:
        count, before = sum(stored[one] for one in other), {str(one.system_fingerprint) for one in other}
        yield (
            f"{count} of {total} stored samples of {name} came under the system_fingerprint {_listed(before)}, those "
            f"of this run have {_listed(map(str, now))}; use @tag=… in the reference to keep them apart"
        )


def _undrawn(name: str, lacking: Counter[str]) -> str:
    told = ", ".join(f"{count:,} without {parameter}" for parameter, count in sorted(lacking.items()))
    return (
        f"stored samples of {name} were drawn otherwise than asked, since its server refused a parameter: {told}; the "
        "server's own setting held"
    )


def _listed(names: Any) -> str:
    shown = sorted(set(names))
    return ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")
