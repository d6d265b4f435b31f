"""The texts of a corpus: one file, or all that are in a folder, as words, a little at a time."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from tts.vocabulary.errors import ConfigError

TEXT, ROWS = (".txt", ".md", ".tex", ".rst", ".html", ".py"), (".jsonl", ".ndjson")
_WORD = re.compile(r"\w+")
_LONGEST = 10_000  # characters of a word; what has no end is no word
_CHUNK = 1 << 20  # characters that are read at once, for a file may be one line


class Document(NamedTuple):
    """One text of a corpus: a file of text, or the texts of one row."""

    where: str
    words: Iterator[str]


def words_of(text: str) -> list[str]:
    """Words without case and punctuation, which is how overlaps are looked for."""
    return _WORD.findall(text.casefold())


def corpus_files(place: str | Path) -> list[Path]:
    """The files of a corpus that are read; raises `ConfigError` where there are none."""
    root = Path(place)
    if not root.exists():
        raise ConfigError(f"there is no corpus {str(place)!r}; give a file, or a folder of text or .jsonl")
    found = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    known = [path for path in found if _ending(path) in (*TEXT, *ROWS) or path == root]
    if not known:
        endings = ", ".join((*TEXT, *ROWS))
        raise ConfigError(f"corpus {str(place)!r} has no file that is read; the endings are {endings}, also with .gz")
    return known


def documents(files: list[Path]) -> Iterator[Document]:
    """The texts of the files in turn; nothing is held but the words at hand, of rows one row."""
    for path in files:
        with _opened(path) as file:
            if _ending(path) in ROWS:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield Document(f"{path.name}:{number}", iter(words_of(" \n ".join(_texts(line)))))
            else:
                yield Document(path.name, _words(file))


def _ending(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _opened(path: Path) -> IO[str]:
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8", errors="replace")
        return path.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _words(file: IO[str]) -> Iterator[str]:
    held = ""
    while chunk := file.read(_CHUNK):
        text = held + chunk
        end = len(text)
        while end and (text[end - 1].isalnum() or text[end - 1] == "_"):  # a word that may go on
            end -= 1
        if not end and len(text) > _LONGEST:
            end = len(text)
        held = text[end:]
        yield from words_of(text[:end])
    yield from words_of(held)


def _texts(line: str) -> list[str]:
    """Every text in a row, whatever it is called; a line that is no JSON is a text itself."""
    try:
        return list(_strings(json.loads(line)))
    except ValueError:
        return [line]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
