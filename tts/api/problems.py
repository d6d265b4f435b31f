"""The problems in a source that are to be answered, read before anything is spent where they are at hand."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import chain
from typing import Any, NamedTuple

from tts.contracts.task import Task
from tts.engine.built_in import needs_model, only_sums
from tts.sources.guess import offer
from tts.sources.layout import may_be_rows, named, refuse_candidates
from tts.sources.opening import Opened, is_file, rows_of
from tts.sources.reading import OnError, Reading, read_examples
from tts.sources.understood import Understood, counted, understood_examples
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Example, Problem

_log = logging.getLogger("tts")


class Found(NamedTuple):
    """The problems of a source, and what was made of rows."""

    examples: Iterable[Example]
    understood: Understood | None = None


def problems_of(
    source: Any, columns: Mapping[str, str] | None, limit: int | None, on_error: OnError, model: object
) -> Found:
    """The problems of a source with their gold answers, for a model to answer.

    Raises `ConfigError` where no model is named and the problems are none that the built-in one knows, or in a file of
    the user's: a toy has no answer to them.
    """
    if isinstance(source, Task):
        if model is None and source.name != "sums":
            raise ConfigError(needs_model(f"it is to answer the problems of {source.name!r}"))
        return Found(read_examples(source, columns=columns, limit=limit, on_error=on_error))
    if isinstance(source, Iterator):
        source = Opened(refuse_candidates(rows_of(source), columns), "an iterator")
    if not _at_hand(source):
        examples = read_examples(source, columns=columns, limit=limit, on_error=on_error)
        return Found(examples if model is not None else _begun(only_sums(examples)))
    reading = Reading(columns, limit, on_error)
    read = list(reading.examples(source))
    if model is None:
        _check_known(source, columns, read)
    elif len({one.problem.digest for one in read}) < len(read):
        _warn(source, columns, read)
    return Found(read, understood_examples(source, reading, read))


def _at_hand(source: Any) -> bool:
    """A file, or a collection in memory, which can be read more than once."""
    return may_be_rows(source) and (is_file(source) or (isinstance(source, Sized) and not isinstance(source, str)))


def _begun(examples: Iterator[Example]) -> Iterator[Example]:
    first = next(examples, None)
    return examples if first is None else chain([first], examples)


def _check_known(source: Any, columns: Mapping[str, str] | None, read: Sequence[Example]) -> None:
    if is_file(source):
        raise ConfigError(needs_model(f"it is to answer {named(source)}{offered(source, columns)}"))
    try:
        for _ in only_sums(read):
            pass
    except ConfigError as error:
        raise ConfigError(f"{error}{offered(source, columns)}") from None
    several = len({one.problem.digest for one in read})
    if several < len(read) and (text := offered(source, columns)):
        raise ConfigError(
            needs_model(f"{counted(len(read), 'row')} of {named(source)} are of {counted(several, 'problem')}{text}")
        )


def offered(source: Any, columns: Mapping[str, str] | None) -> str:
    """The end of a sentence: which column may hold candidates."""
    if not may_be_rows(source) or isinstance(source, Opened):
        return ""
    return offer(rows_of(source), columns or {})


def _warn(source: Any, columns: Mapping[str, str] | None, read: Sequence[Example]) -> None:
    several = len({one.problem.digest for one in read})
    if text := offered(source, columns):
        _log.warning("%s: %d rows are of %d problems%s", named(source), len(read), several, text)


def asked_again(found: Iterable[Any], source: Any) -> list[Example]:
    """The problems of candidate sets, which are to be sampled anew, with a warning that says so."""
    _log.warning("%s holds candidates, which are not used: others are sampled", named(source))
    examples = []
    for candidates, answer in found:
        problem: Problem = candidates.problem
        own = {name: value for name, value in problem.metadata.items() if name != "recorded"}
        examples.append(Example(problem=problem.model_copy(update={"metadata": own}), answer=answer))
    return examples
