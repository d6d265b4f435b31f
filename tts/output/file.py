"""A file that is written whole or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tts.output.text import mended
from tts.vocabulary.errors import ConfigError, OutputError

PROBE_BYTES = 1 << 16  # a disk that has not so much left holds no result
_numbers = itertools.count()


def check_file(path: Path) -> None:
    """Raise `ConfigError` where a file could not be written there; called before anything is spent on what it holds."""
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a folder; give the name of a file")
    if _special(path):
        return
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(f"{str(path)!r} is read-only; give another name")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Raise `ConfigError` where nothing could be written into the folder, which need not be there yet."""
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise ConfigError(f"there can be no folder {str(folder)!r}: {str(nearest)!r} is a file; give another name")
    part = _part(nearest / "probe")
    try:
        with part.open("xb") as file:  # permissions tell neither of root, nor of all file systems, nor of space
            file.write(b"\0" * PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"nothing can be written in {str(nearest)!r}: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path of a new file beside the target, which takes the target's place at the end; its folder is made.

    Where something is raised the target stays as it was. Raises `OutputError` for a disk that is full or the like. What
    is no regular file, such as `/dev/stdout`, is written as it is.
    """
    target = path.resolve()  # the file that a link names, not the link
    part = target if _special(target) else _part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if part is not target:
            _keep(part, target)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{str(path)!r} cannot be written: {_reason(error)}; nothing of it was kept") from error
    finally:
        if part is not target:
            with suppress(OSError):
                part.unlink()


def write_whole(path: Path, text: str) -> Path:
    """Write a text as UTF-8, whole or not at all; half surrogate pairs become the replacement character."""
    with whole_file(path) as part:
        part.write_text(mended(text), "utf-8", newline="")
    return path


def _keep(part: Path, target: Path) -> None:
    with part.open("rb") as file:  # what is renamed is on the disk: no crash leaves an empty file under the name
        os.fsync(file.fileno())
    if target.exists():
        part.chmod(target.stat().st_mode & 0o777)
    part.replace(target)


def _part(target: Path) -> Path:
    """A name beside the target with its ending, by which libraries choose a format."""
    return target.with_name(f".tts-{os.getpid()}-{next(_numbers)}{target.suffix}")


def _special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
