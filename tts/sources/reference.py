"""A name with its options, as it is written in a call."""

from __future__ import annotations

from typing import NamedTuple

from tts.vocabulary.errors import ConfigError
from tts.vocabulary.reference import NotAReference, split_reference


class Reference(NamedTuple):
    """A name with its options, as `NAME@option=value,...` says them."""

    name: str
    options: dict[str, str]


def parse_reference(text: str) -> Reference:
    """The parts of `NAME[@option=value,...]`.

    Raises `ConfigError` where an option has no value.
    """
    try:
        name, options = split_reference(text)
    except NotAReference as error:
        raise ConfigError(f"{text!r}: {error}") from None
    if "@" in name:
        name, _, wrong = name.partition("@")
        raise ConfigError(f"{wrong!r} in {text!r} is not an option; write {name}@option=value,option=value")
    return Reference(name, dict(options))
