"""The candidate sets in a source, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tts.api.samples import Samples
from tts.api.settings import Settings, extractor_given
from tts.contracts.grader import extractor as extractor_of
from tts.sources.reading import OnError, holds_candidates, read_candidate_sets
from tts.store.address import is_store, store_exists
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import CandidateSet, Sampled
from tts.vocabulary.thinking import CLOSE, OPEN


def candidate_sets(
    source: Any,
    columns: Any,
    limit: int | None,
    on_error: OnError,
    engine: Settings,
    think: tuple[str, str] | None = None,
) -> Iterable[Sampled] | None:
    """The candidate sets in a source, or `None` where it holds problems; `think` are the tags where they are known."""
    if isinstance(source, Samples):
        engine.setdefault("sampling", source.sampling)
        return source.sampled[:limit]
    if is_store(source) and store_exists(source):
        return stored_sets(source, limit, engine)
    holds = (
        isinstance(source, (list, tuple)) and source and all(isinstance(one, (CandidateSet, Sampled)) for one in source)
    )
    if holds or (isinstance(source, (str, Path)) and holds_candidates(source, columns)):
        extract = extractor_of(extractor_given(engine))
        tags = think or (OPEN, CLOSE)
        return read_candidate_sets(source, columns=columns, limit=limit, on_error=on_error, think=tags, extract=extract)
    return None


def stored_sets(place: str | Path, limit: int | None, engine: Settings) -> Iterator[Sampled]:
    """The candidate sets of a store that is there, in key order; raises `ConfigError` for those of several models."""
    extract = extractor_of(extractor_given(engine))
    with Store(place, read_only=True) as store:
        if len(policies := store.policies()) > 1:
            raise ConfigError(
                f"{store.name!r} holds candidates of {len(policies)} different models or samplings, which one table "
                "must not mix; compare the problems with store= and model=, or export the store and choose"
            )
        for count, found in enumerate(store.sets()):
            if limit is not None and count >= limit:
                return
            yield Sampled(store.load(found, extract), found.answer)
