"""Which models a store has samples of."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tts.store.codec import decode_completion
from tts.vocabulary.records import Sampling

Rows = Callable[..., list[tuple[Any, ...]]]


def policies(rows: Rows) -> list[tuple[str, str]]:
    """The different (policy fingerprint, sampling as JSON) of first candidates, as `Store.policies` has them."""
    found: dict[tuple[str, Sampling | None], list[tuple[str, str]]] = {}
    for model, text in rows("SELECT DISTINCT model, sampling FROM draws WHERE role='sample' ORDER BY model, sampling"):
        sampling = Sampling.model_validate_json(text).model_copy(update={"logprobs": False}) if text else None
        found.setdefault((model, sampling), []).append((model, text))
    return [one for same in found.values() for one in (same if _overlap(rows, same) else same[:1])]


def _overlap(rows: Rows, same: list[tuple[str, str]]) -> bool:
    """Whether a problem has first candidates under two of these."""
    return len(same) > 1 and bool(
        rows(
            "SELECT 1 FROM draws WHERE role='sample' AND model=? AND sampling IN (?, ?)"
            " GROUP BY problem, messages HAVING count(*) > 1 LIMIT 1",
            same[0][0], same[0][1], same[1][1],
        )
    )  # fmt: skip


def namesakes(rows: Rows, fingerprint: str, name: str, servers: Collection[str] = ()) -> dict[str, int]:
    """How many completions a model of this name has under other fingerprints; none where it has some under its own.

    Early completions have no name: those of these servers count.
    """
    known = {model for (model,) in rows("SELECT DISTINCT model FROM draws")}
    if fingerprint in known:
        return {}
    found = {}
    for other in sorted(known):
        own = "FROM completions JOIN draws ON draws.key=completions.draw WHERE draws.model=?"
        first = rows(f"SELECT completion {own} LIMIT 1", other)
        one = decode_completion(first[0][0], 0) if first else None
        if one is not None and (one.model == name or (one.model is None and one.server in servers)):
            found[other] = rows(f"SELECT count(*) {own}", other)[0][0]
    return found
