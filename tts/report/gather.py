"""The sections of a report, built-in or not, all found the same way."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from tts.boundary.foreign import Foreign
from tts.boundary.raised import passes, raised
from tts.registry.host import plugins
from tts.report.data import ReportData
from tts.report.section import Section
from tts.vocabulary.errors import PluginWarning, TTSError


def sections(data: ReportData) -> list[Section]:
    """Every section that has something to say, in their order.

    A plugin's section that fails is left out with a warning: the rest of the report is worth more.
    """
    found = []
    for name in plugins().names("report"):
        try:
            build: Callable[[ReportData], object] = plugins().resolve("report", name)
            with Foreign():
                made = build(data)
            if not isinstance(made, Section | None):
                raise TypeError(f"it returned a {type(made).__name__}; a section is a tts.report.Section or None")
        except BaseException as error:  # a section is a plugin and may raise anything
            if passes(error) or isinstance(error, TTSError):
                raise
            _leave_out(name, error)
            continue
        if made is not None:
            found.append(made)
    return sorted(found, key=lambda one: (one.order, one.name))


def _leave_out(name: str, error: BaseException) -> None:
    sentence = f"the report's section {name!r} was left out: {raised(error)}"
    warnings.warn(sentence, PluginWarning, stacklevel=3)
