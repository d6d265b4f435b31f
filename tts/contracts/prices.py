"""What a million tokens of each role cost."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from tts.registry.instance import build
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.record import Record
from tts.vocabulary.records import Usage

MILLION = 1_000_000


class Price(Record):
    """What a million tokens of one role cost; cached prompt tokens as much as fresh ones where nothing is said.

    `factor` is the share of these prices that is asked for: 0.5 for what came by way of `openai-batch:`, whose prices
    are half of those in a service's table.
    """

    prompt: float = Field(default=0.0, ge=0)
    cached: float | None = Field(default=None, ge=0)
    generated: float = Field(default=0.0, ge=0)
    factor: float = Field(default=1.0, ge=0)

    def of(self, usage: Usage) -> float:
        """The price of some usage."""
        cached = self.prompt if self.cached is None else self.cached
        fresh = usage.prompt_tokens - usage.cached_tokens
        tokens = fresh * self.prompt + usage.cached_tokens * cached + usage.generated_tokens * self.generated
        return self.factor * tokens / MILLION


class Prices(Record):
    """A price for each role that has one; a role without costs nothing."""

    currency: str = "USD"
    policy: Price = Price()
    scorer: Price = Price()
    judge: Price = Price()
    synthesizer: Price = Price()

    @classmethod
    def of_any(cls, given: Prices | str | Path) -> Prices:
        """The prices themselves, or those of a file; raises `ConfigError` as `read` does."""
        return given if isinstance(given, Prices) else cls.read(given)

    @classmethod
    def read(cls, path: str | Path) -> Prices:
        """Prices in a TOML or JSON file: a table for each role, with prices for a million tokens.

        Raises `ConfigError` for a file that is not there, cannot be read, or has other fields.
        """
        try:
            source = Path(path)
        except TypeError:
            raise ConfigError(f"prices={path!r}: give the path of a .toml or .json file, or tts.Prices(...)") from None
        readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
        if source.suffix not in readers or not source.is_file():
            raise ConfigError(f"prices {str(path)!r}: give a .toml or .json file that is there")
        try:
            found = readers[source.suffix](source.read_text("utf-8"))
        except ValueError as error:
            raise ConfigError(f"prices {str(path)!r} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise ConfigError(f"prices {str(path)!r}: give a table for each role, e.g. [policy] with generated = 1.1")
        prices: Prices = build(f"prices {str(path)!r}", cls, found)
        return prices

    def of(self, usage: dict[str, Usage]) -> float:
        """The price of usage by role."""
        return math.fsum(getattr(self, role).of(one) for role, one in usage.items())
