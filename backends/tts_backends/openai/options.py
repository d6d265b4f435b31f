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
    """How servers are reached."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    base_url: str = ""
    """The server's address up to `/v1`; several joined by `+` are a pool."""

    concurrency: int = Field(64, ge=1)
    """Completions in flight at each server. By default 64 (our choice, as for other backends)."""

    key_env: str = "OPENAI_API_KEY"
    """The environment variable that the API key is read from; by default the usual one."""

    key_file: Path | None = None
    """A file to read the API key from, in place of the environment."""

    headers_file: Path | None = None
    """A file with further headers, one `Name: value` in a line."""

    proxy: str | None = None
    """The proxy's address. By default HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment are followed."""

    retries: int = Field(8, ge=0)
    """How often one completion is asked for again after a failure that may pass. By default 8 (our choice)."""

    connect_timeout: float = Field(10.0, gt=0)
    """Seconds until a connection stands."""

    first_byte_timeout: float | None = Field(None, gt=0)
    """Seconds until a byte comes, and between two bytes. By default no limit: a model may think for long before it
    sends anything.
    """

    timeout: float = Field(3600.0, gt=0)
    """Seconds for a whole request. By default an hour (our choice: long reasoning on a busy server)."""

    patience: float = Field(120.0, ge=0)
    """Seconds that no server at all may be there before problems fail. By default two minutes (our choice: a server
    that starts anew).
    """

    think_open: str = Field("<think>", min_length=1)
    """The marker that opens a think block in the model's text. By default what reasoning models of the Qwen and
    DeepSeek families write.
    """

    think_close: str = Field("</think>", min_length=1)
    """The marker that closes a think block; what follows it is the summary."""

    def addresses(self) -> list[Address]:
        """Where the servers are; raises `ConfigError` for what is no address."""
        written = self.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        bases = re.split(r"\+(?=https?://)", written)
        for base in bases:
            if not re.match(r"https?://[^/\s@]+(/\S*)?$", base):
                shown = re.sub(r"^(.*//)?.*@", r"\1***@", base)
                raise ConfigError(
                    f"base_url={shown!r} is no address; give e.g. 'http://127.0.0.1:8000/v1', several joined by '+', "
                    "and no user or password in it (use @key_env=, @key_file= or @headers_file=)"
                )
        return [Address.of(base, self.proxy) for base in bases]

    def refuse_address(self, model: str) -> None:
        """Raise `ConfigError` for a name that holds an address; the sentence does not repeat it.

        Names with an `@`, a comma, an equals sign or a space are for servers that have them; sent to the default one
        they are a slip.
        """
        default = not (self.base_url or os.environ.get("OPENAI_BASE_URL"))
        slip = re.search(r"[@,=\s]", model)
        if "://" in model or (default and slip):
            what = "an address" if "://" in model else f"an {slip[0]}" if slip and slip[0] == "@" else "an option"
            raise ConfigError(
                f"openai: the model's name has {what} in it, and is not sent "
                "anywhere; write 'openai:NAME@base_url=http://127.0.0.1:8000/v1'"
            )

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
    """What `openai:model[@option=value,...]` takes."""

    base_url: str = ""
    """The server's address up to `/v1`; several joined by `+` are a pool. By default the environment's OPENAI_BASE_URL,
    else OpenAI's own.
    """

    api: Literal["chat", "completions"] = "chat"
    """Which interface: `chat`, or `completions` for base models, whose prompt is then written in paragraphs, `User:
    ...` and `Assistant:`.
    """

    stream: bool = False
    """Ask for tokens as they come: a stall is seen earlier and a cancelled completion's tokens are known, at more CPU.
    Off by default.
    """

    grouping: Literal["auto", "never", "always"] = "auto"
    """Whether the completions of a prompt are asked for in one request. `auto` does so only where nothing is lost by
    it, `always` is for services that bill the prompt with each request and gives up seeds.
    """

    context_length: int | None = Field(None, ge=1)
    """Tokens of prompt and response together, for servers that do not tell theirs."""


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
