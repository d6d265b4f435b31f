"""The recipe of a gateway: what it serves, to whom, within which limits."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tts.registry.instance import build
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Sampling

Allowed = Literal["k", "strategy", "deadline", "budget"]


class _Table(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Models(_Table):
    """Which models play the roles, how they are sampled; those of the gateway where a name has none of its own."""

    model: str | None = None
    """The policy, as in `--model`. By default the miniature."""

    scorer: str | None = None
    """The reward model, as in `--scorer`. By default none."""

    judge: str | None = None
    """The judge, as in `--judge`. By default none."""

    synthesizer: str | None = None
    """The model that writes from all candidates, as in `--synthesizer`. By default none."""

    sampling: dict[str, Any] = Field(default_factory=dict)
    """Fields of the sampling, such as `temperature`; a request may say otherwise. By default the library's."""

    @field_validator("sampling")
    @classmethod
    def _is_sampling(cls, sampling: dict[str, Any]) -> dict[str, Any]:
        try:
            build("sampling", Sampling, sampling)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return sampling


class Named(Models):
    """One name that is served, `[models.NAME]`."""

    strategy: str = "gsr"
    """The strategy, with parameters as in `gsr@outputs=2`. By default `gsr`."""

    k: int | None = Field(default=None, ge=1)
    """Candidates per request. By default the gateway's."""

    deadline: float | None = Field(default=None, gt=0)
    """Seconds from a request's arrival to its answer. By default the gateway's."""

    quorum: int | None = Field(default=None, ge=1)
    """The fewest candidates to go on with. By default one, at the deadline."""

    grace: float | None = Field(default=None, ge=0)
    """Seconds in which the rest is waited for once the quorum is there. By default it is, until the deadline."""

    budget: int | None = Field(default=None, ge=1)
    """The most tokens that a request may pay for. By default there is no limit."""


class Limits(_Table):
    """What one request may ask for, how many are served at once."""

    requests: int = Field(default=64, ge=1)
    """Requests that are answered at once. By default 64 (our choice: what an engine has in flight)."""

    queue: int = Field(default=256, ge=0)
    """Requests that may wait for that; more are refused with 429. By default 256 (our choice)."""

    body: int = Field(default=4 << 20, ge=1024)
    """The most bytes of a request. By default 4 MiB (our choice: long contexts fit, floods do not)."""

    patience: float = Field(default=60.0, gt=0)
    """Seconds in which a client must have sent its request, and must take each piece of its answer; then the connection
    is closed. By default a minute (our choice).
    """

    prompt: int = Field(default=1_000_000, ge=1)
    """The most characters of all messages together. By default a million (our choice); the model's own limit is kept by
    its backend.
    """

    candidates: int = Field(default=64, ge=1)
    """The most candidates of a request, k times n. By default 64 (our choice)."""


class Recipe(Models):
    """Everything about a gateway, as a TOML file has it."""

    strategy: str = "gsr"
    """The strategy behind the name `default`. By default `gsr`."""

    k: int = Field(default=4, ge=1)
    """Candidates per request. By default four, as in the paper (arXiv 2509.00084)."""

    deadline: float | None = Field(default=None, gt=0)
    """Seconds from a request's arrival to its answer. By default there is no limit."""

    models: dict[str, Named] = Field(default_factory=dict)
    """Names that are served besides the strategies and the policy, each with its own settings."""

    allow: tuple[Allowed, ...] = ("k", "strategy", "deadline", "budget")
    """What a request may choose itself, in its model's name or in `extra_body={"tts": ...}`. By default all of it,
    within the limits.
    """

    limits: Limits = Limits()
    """What a request may ask for."""

    host: str = "127.0.0.1"
    """The address to listen at. By default only this machine; others need `keys`."""

    port: int = Field(default=8400, ge=0, le=65535)
    """The port to listen at; 0 is a free one. By default 8400."""

    keys: Path | None = None
    """A file of keys that clients must have, one a line. By default none, for clients on this machine."""

    cors: tuple[str, ...] = ()
    """Origins of web pages that may ask from a browser, such as `https://app.example`; `*` is any. By default none but
    the gateway's own page.
    """

    store: str | None = None
    """Where completions and results are kept, as in `--store`. By default nowhere."""

    shadow: float = Field(default=0.0, ge=0, le=1)
    """Share of the requests that the plain policy answers while the strategy decides beside it, into the store. By
    default none.
    """

    log_prompts: bool = False
    """Whether the access log has what was asked. By default it has not."""

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.keys is None and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(
                f"host={self.host!r} can be reached from elsewhere; give keys=FILE, or listen at 127.0.0.1"
            )
        if self.shadow and self.store is None:
            raise ValueError(f"shadow={self.shadow:g} decides beside the answer, into a store; give store=, too")
        return self


def read_recipe(path: Path | None, changes: dict[str, Any]) -> Recipe:
    """The recipe of a file with what the command line says otherwise; raises `ConfigError`."""
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            settings = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe {str(path)!r} cannot be read as TOML: {error}") from error
        keys = settings.get("keys")
        if isinstance(keys, str):  # beside the recipe, wherever the command is called
            settings["keys"] = path.parent / keys
    what = "the gateway" if path is None else f"recipe {str(path)!r}"
    return build(what, Recipe, settings | changes)  # type: ignore[no-any-return]
