"""Names that data gives: they stand for what is registered or what we ship, never for code or files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tts.vocabulary.errors import ConfigError

_from_data: ContextVar[bool] = ContextVar("names_from_data", default=False)


@contextmanager
def names_from_data() -> Iterator[None]:
    """Within it, a name that would import code or read a file is a `ConfigError`.

    Whoever resolves what a store, a checkpoint or another file of somebody else's says does it within this.
    """
    token = _from_data.set(True)
    try:
        yield
    finally:
        _from_data.reset(token)


def refuse_from_data(reference: str) -> None:
    """Raise `ConfigError` where the reference comes from data; called by what imports code or reads a file by name."""
    if _from_data.get():
        raise ConfigError(
            f"{reference!r} comes from data, where a name stands for a registered plugin or a template of ours; what "
            "is in files is used only where you name it yourself"
        )
