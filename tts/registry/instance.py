"""Instances of plugin classes, made of a name with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, passes
from tts.registry.host import Kind, plugins
from tts.registry.parameters import Parameters, noted
from tts.vocabulary.errors import ConfigError, TTSError
from tts.vocabulary.refusal import refusal

P = TypeVar("P", bound=Parameters)


def build(kind: str, cls: type[BaseModel], parameters: Mapping[str, Any]) -> Any:
    """An instance of a parameter class.

    What is wrong with the parameters becomes one `ConfigError` sentence; below it stand those that there are, or the
    one that is wrong, with their meaning.
    """
    try:
        with Foreign():
            return cls(**parameters)
    except BaseException as error:
        if isinstance(error, ConfigError) and isinstance(error.__context__, ValidationError):
            error = error.__context__  # of a record that says so itself
        if passes(error) or isinstance(error, TTSError):
            raise
        if not isinstance(error, ValidationError):  # a validator is the author's, and may raise anything
            raise ConfigError(f"{kind} cannot be made: it {did(error)}") from error
        refused = refusal(kind, error, cls.model_fields)
        raise noted(ConfigError(refused.sentence), cls, refused.field) from None  # pydantic's own says no more


def instance(kind: Kind, base: type[P], given: str | P | type[P], parameters: Mapping[str, Any]) -> P:
    """The instance that a name, a class or an instance stands for, with parameters; `base` is what it must be.

    Raises `UnknownPluginError`, or `ConfigError` for anything else that is wrong.
    """
    if isinstance(given, base):
        if not parameters:
            return given
        cls, parameters = type(given), {**given.model_dump(), **parameters}
    else:
        cls = plugins().resolve(kind, given) if isinstance(given, str) else given  # type: ignore[assignment]
    if not (isinstance(cls, type) and issubclass(cls, base)):
        if isinstance(given, type | str):
            raise ConfigError(f"{kind} {given!r} is a {cls!r}; it must be a subclass of tts.{base.__name__}")
        raise ConfigError(f"{given!r} is no {kind}; give a name, an instance or a subclass of tts.{base.__name__}")
    if not isinstance(getattr(cls, "name", None), str):
        raise ConfigError(f"{kind} class {cls.__name__} has no name; give it `name: ClassVar[str] = ...`")
    return build(f"{kind} {cls.name!r}", cls, parameters)  # type: ignore[no-any-return]
