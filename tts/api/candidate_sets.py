"""The candidate sets in a source, whatever it is, read before anything is spent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tts.api.samples import Samples
from tts.api.settings import Settings, extractor_given
from tts.contracts.grader import extractor as extractor_of
from tts.sources.layout import layout_of
from tts.sources.reading import OnError, Reading
from tts.sources.understood import Understood, understood_sets
from tts.store.address import check_exists, is_store
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Sampled
from tts.vocabulary.thinking import CLOSE, OPEN


class Found(NamedTuple):
    """The candidate sets of a source, `None` where it holds problems, and what was made of rows."""

    sets: Iterable[Sampled] | None
    understood: Understood | None = None


def candidate_sets(
    source: Any,
    columns: Any,
    limit: int | None,
    on_error: OnError,
    engine: Settings,
    think: tuple[str, str] | None = None,
) -> Found:
    """The candidate sets in a source; `think` are the tags where they are known.

    Those of rows are all read here: what is wrong with one of them is known before a model is loaded.
    """
    if isinstance(source, Samples):
        engine.setdefault("sampling", source.sampling)
        return Found(source.sampled[:limit])
    if is_store(source) and not re.search(r"\s", str(source)):  # a text that ends in .db is a problem
        check_exists(source)
        return Found(stored_sets(source, limit, engine))
    layout = layout_of(source, columns)
    if layout.kind == "problems":
        return Found(None)
    extract = extractor_of(extractor_given(engine))
    reading = Reading(columns, limit, on_error)
    sets = list(reading.sets(source, think or (OPEN, CLOSE), extract))
    return Found(sets, understood_sets(source, layout, reading, sets))


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
