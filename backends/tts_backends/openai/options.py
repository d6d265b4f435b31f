"""What `openai:model[@option=value,...]` takes, with secrets kept apart from it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tts import ConfigError
from tts_backends.openai.server import Address
from tts_backends.openai.session import Limits

_OPENAI = "https://api.openai.com/v1"


class Connection(BaseModel):
    """How servers are reached; several addresses in `base_url` are joined by `+` and form a pool.

    `concurrency` is the number of completions in flight at each server. The key is read from the environment variable
    `key_env` or the file `key_file`, further headers from the lines `Name: value` of `headers_file`.
    `retries` bounds how often a completion is asked for again. Timeouts are in seconds: `first_byte_timeout` also
    between two bytes, `timeout` for a whole request, `patience` for how long no server at all may be there.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    base_url: str = ""
    concurrency: int = Field(64, ge=1)
    key_env: str = "OPENAI_API_KEY"
    key_file: Path | None = None
    headers_file: Path | None = None
    proxy: str | None = None
    retries: int = Field(8, ge=0)
    connect_timeout: float = Field(10.0, gt=0)
    first_byte_timeout: float | None = Field(None, gt=0)
    timeout: float = Field(3600.0, gt=0)
    patience: float = Field(120.0, ge=0)
    think_open: str = Field("<think>", min_length=1)
    think_close: str = Field("</think>", min_length=1)

    def addresses(self) -> list[Address]:
        """Where the servers are; raises `ConfigError` for what is no address."""
        written = self.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        bases = re.split(r"\+(?=https?://)", written)
        for base in bases:
            if not re.match(r"https?://[^/\s@]+(/\S*)?$", base):
                raise ConfigError(
                    f"base_url={base!r} is no address; give e.g. 'http://127.0.0.1:8000/v1', several joined by '+', "
                    "and no user or password in it (use @key_env=, @key_file= or @headers_file=)"
                )
        return [Address.of(base, self.proxy) for base in bases]

    def limits(self) -> Limits:
        """The timeouts."""
        return Limits(self.connect_timeout, self.first_byte_timeout, self.timeout, self.patience)

    def access(self) -> Access:
        """Headers with what is secret in them; raises `ConfigError` where a file cannot be read."""
        headers = _headers(_text(self.headers_file, "headers_file")) if self.headers_file else {}
        key = _text(self.key_file, "key_file") if self.key_file else os.environ.get(self.key_env, "")
        key = key.strip()
        if not key.isascii() or any(one.isspace() for one in key):
            raise ConfigError(
                f"the API key of {str(self.key_file or self.key_env)!r} has spaces or letters that keys have not"
            )
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return Access(headers)


class Options(Connection):
    """Options of a reference `openai:`; `base_url` is by default the environment's OPENAI_BASE_URL, else OpenAI's own.

    `stream` asks for tokens as they come. `grouping` says when several completions are asked for in one request.
    `context_length` is for servers that do not tell theirs.
    """

    api: Literal["chat", "completions"] = "chat"
    stream: bool = False
    grouping: Literal["auto", "never", "always"] = "auto"
    context_length: int | None = Field(None, ge=1)


class Access(NamedTuple):
    """The headers that let us in; it does not show them."""

    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Access({', '.join(self.headers)})"

    @property
    def secrets(self) -> list[str]:
        """Every value, and the key within its header, longest first."""
        values = {part for value in self.headers.values() for part in (value, value.removeprefix("Bearer "))}
        return sorted((value for value in values if len(value) > 3), key=len, reverse=True)


def _text(path: Path, option: str) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"@{option}={str(path)!r} cannot be read: {type(error).__name__}") from error


def _headers(text: str) -> dict[str, str]:
    headers = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name.strip(), re.ASCII):
            raise ConfigError("a line of the headers_file is not 'Name: value'; it is not shown here, it may be secret")
        headers[name.strip()] = value.strip()
    return headers
