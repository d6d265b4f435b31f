"""What every record is: frozen, exact about its fields, with a digest of its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


def digest(*parts: object) -> str:
    """Content hash of JSON-able parts: 32 hex digits, equal across processes and Python versions."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_jsonable)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"cannot hash a {type(value).__name__}; give JSON-able values")


class Record(BaseModel):
    """Base of every record: frozen, no unknown fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class Grown(Record):
    """A record that stores had before some of its fields: `_added` ones are not written where they are `None`.

    So the digests of what early versions wrote stay what they were.
    """

    _added: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _as_early_versions(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        row: dict[str, Any] = written(self)
        return {name: value for name, value in row.items() if value is not None or name not in self._added}
