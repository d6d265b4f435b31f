"""A name with its options, as it is written in a call."""

from __future__ import annotations

from typing import NamedTuple

from tts.vocabulary.errors import ConfigError


class Reference(NamedTuple):
    """A name with its options, as `NAME@option=value,...` says them."""

    name: str
    options: dict[str, str]


def parse_reference(text: str) -> Reference:
    """The parts of `NAME[@option=value,...]`.

    Raises `ConfigError` where an option has no value.
    """
    name, _, tail = text.partition("@")
    options = {}
    for part in filter(None, tail.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{part!r} in {text!r} is not an option; write {name}@option=value,option=value")
        options[key.strip()] = value.strip()
    return Reference(name, options)
