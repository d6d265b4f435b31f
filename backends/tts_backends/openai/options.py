"""What `openai:model[@option=value,...]` takes, with secrets kept apart from it."""

from __future__ import annotations

import json
import os
import re
import ssl
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from tts import ConfigError
from tts_backends.openai.access import Access
from tts_backends.openai.server import Address
from tts_backends.openai.session import Limits

_OPENAI = "https://api.openai.com/v1"
_USUAL = "OPENAI_API_KEY"
_INSTEAD = {
    "model": "it is the reference's name",
    "stream": "by @stream=",
    "stream_options": "by @stream=",
    "max_completion_tokens": "by max_tokens of the sampling",
    **{name: f"by {name} of the sampling" for name in ("temperature", "top_p", "max_tokens", "stop", "logprobs")},
}
_OURS = {*_INSTEAD, "messages", "prompt", "n", "seed"}


class Connection(BaseModel):
    """How servers are reached."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    base_url: str = ""
    """The server's address up to `/v1`; several joined by `+` are a pool."""

    tag: str = ""
    """A word of yours that is part of what samples are stored under, to keep apart models that their servers call the
    same. By default none.
    """

    fingerprint: str = ""
    """The fingerprint to go by, in place of the one made of what the server says of the model: your word that it is the
    model whose samples a store has under it. By default none.
    """

    concurrency: int = Field(64, ge=1)
    """The most completions in flight at each server; fewer where it refuses more. By default 64 (our choice, as for
    other backends).
    """

    rpm: int | None = Field(None, ge=1)
    """Requests that each server may have in a minute. By default what its refusals teach."""

    tpm: int | None = Field(None, ge=1)
    """Tokens of prompts and answers that each server may have in a minute, those of what is in flight by the mean so
    far. By default what its refusals teach.
    """

    key_env: str | None = None
    """The environment variable that the API key is read from. By default OPENAI_API_KEY, and then only for OpenAI's own
    address and for that of OPENAI_BASE_URL: another gets that key where it is named here.
    """

    key_file: Path | None = None
    """A file to read the API key from, in place of the environment."""

    headers: str = ""
    """Further headers that are no secret, as a JSON object or one `Name: value`. By default none."""

    headers_file: Path | None = None
    """A file with further headers, one `Name: value` in a line."""

    ca: Path | None = None
    """A file with the certificates of the authorities to trust (PEM), in place of the system's."""

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

    silence: float = Field(300.0, gt=0)
    """Seconds in which a server sends nothing at all before it is asked for its list of models; one that does not give
    that either, twice, is taken for dead. By default five minutes (our choice: some are deaf while they generate).
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

    def tags(self) -> tuple[str, ...]:
        """The tag as a part of a fingerprint; nothing where there is none, so that samples keep theirs."""
        return (f"tag {self.tag}",) if self.tag else ()

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
        """The timeouts, and what each server may have."""
        return Limits(
            self.connect_timeout,
            self.first_byte_timeout,
            self.timeout,
            self.patience,
            self.silence,
            self.concurrency,
            self.rpm,
            self.tpm,
        )

    def access(self) -> Access:
        """Headers with what is secret in them; raises `ConfigError` where a file cannot be read."""
        headers = self._open_headers()
        if self.headers_file:
            headers |= _headers(_text(self.headers_file, "headers_file"))
        key, withheld = self._key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
            if any("api-version=" in one.query for one in self.addresses()):  # Azure's name for it
                headers.setdefault("api-key", key)
        return Access(headers, withheld, self._tls())

    def _open_headers(self) -> dict[str, str]:
        """Those that stand in the reference, where secrets would be shown."""
        if self.headers.lstrip().startswith("{"):
            found = _object(self.headers, "headers")
            headers = _headers("\n".join(f"{name}: {value}" for name, value in found.items()))
        else:
            headers = _headers(self.headers)
        for name in headers:
            if re.search(r"auth|key|token|secret|cookie|password", name, re.IGNORECASE):
                raise ConfigError(
                    f"@headers= has {name!r}, which looks like a secret, and references are shown; use @headers_file="
                )
        return headers

    def _key(self) -> tuple[str, str]:
        """The API key, or the sentence that says why the one that is there is not sent."""
        if self.key_file:
            key = _text(self.key_file, "key_file")
        elif self.key_env is not None:
            key = os.environ.get(self.key_env, "")
            if not key.strip():
                raise ConfigError(f"@key_env={self.key_env!r}: the environment has no such variable, or an empty one")
        else:
            key = os.environ.get(_USUAL, "")
            if key.strip() and not all(_owns_usual_key(one.base) for one in self.addresses()):
                return "", f"{_USUAL} is not sent there unasked; write @key_env={_USUAL} where it is meant for it"
        key = key.strip()
        if not key.isascii() or any(one.isspace() for one in key):
            where = self.key_file or self.key_env or _USUAL
            raise ConfigError(f"the API key of {str(where)!r} has spaces or letters that keys have not")
        return key, ""

    def _tls(self) -> ssl.SSLContext | None:
        if self.ca is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca.expanduser())
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"@ca={str(self.ca)!r} is no file of certificates: {error}") from error


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

    reasoning_effort: str | None = Field(None, min_length=1)
    """How much a reasoning model is to think, in the service's own words, such as `low` or `high`. By default its own.
    """

    top_k: int | None = Field(None, ge=0)
    """How many of the likeliest tokens are drawn from, where the sampling does not say; 0 is all for most servers. By
    default the server's own, which is not always all.
    """

    min_p: float | None = Field(None, ge=0, le=1)
    """Tokens less likely than this share of the likeliest one's probability are not drawn. By default the server's
    own.
    """

    extra_body: str = ""
    """Further fields of every request, as a JSON object or the path of a file with one. By default none."""

    context_length: int | None = Field(None, ge=1)
    """Tokens of prompt and response together, for servers that do not tell theirs."""

    def further(self) -> dict[str, Any]:
        """What every request says beside prompt and sampling; raises `ConfigError`."""
        text = self.extra_body.strip()
        if text and not text.startswith(("{", "[")):
            text = _text(Path(text), "extra_body")
        body = _object(text, "extra_body") if text else {}
        for name in sorted(_OURS & body.keys()):
            raise ConfigError(f"@extra_body= has {name!r}, which is set otherwise: {_INSTEAD.get(name, 'by the run')}")
        own = {"reasoning_effort": self.reasoning_effort, "top_k": self.top_k, "min_p": self.min_p}
        return body | {name: value for name, value in own.items() if value is not None}


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"@{option}= is not readable as JSON: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"@{option}= holds a JSON {type(found).__name__}; give an object, {{...}}")
    return found


def _owns_usual_key(base: str) -> bool:
    """Whether the usual key is meant for this address: it is OpenAI's, or the environment names both together."""
    parts, named = urlsplit(base), urlsplit(os.environ.get("OPENAI_BASE_URL", ""))
    if parts.netloc == named.netloc:
        return True
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "api.openai.com" or host.endswith(".api.openai.com"))


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
            raise ConfigError("a line of the headers is not 'Name: value'; it is not shown here, it may be secret")
        headers[name.strip()] = value.strip()
    return headers
