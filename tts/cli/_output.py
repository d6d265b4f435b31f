"""What goes to stdout or a file for programs: JSON lines, candidate sets."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tts.cli._json_line import write_json
from tts.cli._quiet import tell
from tts.cli._streams import prints_aside
from tts.interop import export
from tts.output.file import check_file
from tts.rows.candidates import row_of
from tts.store.address import is_server, shown_store
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Sampled

if TYPE_CHECKING:
    from tts.eval import Comparison

_PASSWORD = re.compile(r"(\w+://[^\s/@:]*:)[^\s/@]+@")


def check_output(path: Path | None, endings: Sequence[str]) -> None:
    """Refuse a file that could not be written, before anything is spent on what is to go there."""
    if path is None:
        return
    if path.suffix not in endings:
        raise ConfigError(f"-o {path}: the ending must be {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise ConfigError(f"-o {path}: there is no folder {str(path.parent)!r}; make it first")
    check_file(path)
    if path.suffix == ".parquet":
        export.parquet_library()


def write_sets(sets: Iterable[Sampled], path: Path | None) -> int:
    """Write candidate sets to a .jsonl or .parquet file, or as JSON lines to stdout; how many there were."""
    if path is not None:
        return export.write_sets(sets, path)
    count = 0
    for sampled in sets:
        write_json(row_of(sampled))
        count += 1
    return count


def command_line() -> str:
    """The command that runs, to be pasted again; empty where it is called from within a program."""
    ctx = click.get_current_context(silent=True)
    if ctx is None or ctx.info_name is None or Path(sys.argv[0]).stem not in ("tts", "__main__"):
        return ""
    return shlex.join(["tts", *map(_without_password, sys.argv[1:])])


def _without_password(argument: str) -> str:
    """An argument as it may be shown to others: without the password of a store, or of a server's address."""
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    hidden = shown_store(value) if is_server(value) else _PASSWORD.sub(r"\1…@", value)
    return f"{option}{equals}{hidden}"


def save(
    done: Comparison, output: Path | None, report: Path | None, engine: Mapping[str, Any], title: str = ""
) -> None:
    """Save what was asked for, before anything is printed: a pipe may be closed.

    The report has the store and the prices that the engine had.
    """
    done.made = done.made._replace(command=command_line())
    if report is not None:
        from tts.contracts.prices import Prices

        with prints_aside():  # its sections are plugins
            prices = Prices.of_any(engine["prices"]) if "prices" in engine else None
            tell(f"wrote {done.report(report, title=title, store=engine.get('store'), prices=prices)}")
    if output is not None:
        tell(f"saved {done.save(output)}")
