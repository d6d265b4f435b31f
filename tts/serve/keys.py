"""Who may ask: the keys of a file, each with its limits per minute."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tts.serve.failure import Failure
from tts.vocabulary.errors import ConfigError

_MINUTE = 60.0
_SHORTEST = 16  # characters: shorter ones are guessed
_LIMITS = ("requests", "tokens")


class Key:
    """One client: its name for logs, what it may use in a minute, what it has used."""

    def __init__(self, secret: str, name: str, limits: dict[str, int], clock: Callable[[], float]) -> None:
        self.secret: bytes = secret.encode()
        self.name: str = name
        self._limits, self._clock = limits, clock
        self._used: dict[str, deque[tuple[float, int]]] = {limit: deque() for limit in limits}

    def admit(self) -> None:
        """Count a request; raises `Failure` (429) where a limit of this minute is reached."""
        now = self._clock()
        for name, limit in self._limits.items():
            used = self._used[name]
            while used and used[0][0] <= now - _MINUTE:
                used.popleft()
            if sum(count for _, count in used) >= limit:
                wait = max(1, round(used[0][0] + _MINUTE - now + 0.5))
                message = f"this key may use {limit:,} {name} a minute; try again in {wait} s"
                kind = "rate_limit_error" if name == "requests" else "tokens"
                raise Failure(429, message, kind=kind, code="rate_limit_exceeded", retry_after=wait)
        self.spend("requests", 1)

    def spend(self, what: str, count: int) -> None:
        """Count what was used, where that is limited."""
        if what in self._used:
            self._used[what].append((self._clock(), count))


class Keys:
    """The keys of a file: `SECRET [name=WORD] [requests=N] [tokens=N]` a line, `#` before what is no key."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: Path, clock: Callable[[], float] = time.monotonic) -> Keys:
        """Read them; raises `ConfigError` with the line, never with the key."""
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the keys in {str(path)!r} cannot be read: {error}") from error
        keys = [
            _key(line.split(), f"{path}, line {number}", f"key {number}", clock)
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not keys:
            raise ConfigError(f"there is no key in {str(path)!r}; write one a line")
        return cls(keys)

    def of(self, authorization: str) -> Key:
        """The key of a request; raises `Failure` (401) where there is none, or it is not known.

        All are compared, each in a time that does not hang on where it differs.
        """
        scheme, _, secret = authorization.partition(" ")
        given = secret.strip().encode()
        found = [key for key in self._keys if hmac.compare_digest(key.secret, given)]
        if scheme.lower() != "bearer" or not found:
            what = "is not known here" if given else "is missing"
            message = f"the API key {what}; send it as 'Authorization: Bearer KEY'"
            raise Failure(401, message, code="invalid_api_key")
        return found[0]


def _key(parts: list[str], where: str, name: str, clock: Callable[[], float]) -> Key:
    secret, *settings = parts
    if len(secret) < _SHORTEST:
        raise ConfigError(f"{where}: a key has at least {_SHORTEST} characters")
    limits: dict[str, int] = {}
    for setting in settings:
        field, _, value = setting.partition("=")
        if field == "name" and value:
            name = value
        elif field in _LIMITS and value.isdecimal() and int(value) > 0:
            limits[field] = int(value)
        else:
            raise ConfigError(f"{where}: {setting!r} is none of name=WORD, requests=N, tokens=N")
    return Key(secret, name, limits, clock)
