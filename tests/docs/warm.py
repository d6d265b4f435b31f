"""Programs and commands as processes of their own that need not import torch and transformers first."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# Each process is a fork of one that has imported these and done nothing else.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tts.cli", "torch", "transformers.models.auto.modeling_auto", "tts_backends.hf"])
_SECONDS = 300.0


class Done(NamedTuple):
    """How a process ended and what it wrote."""

    status: int | None
    out: str
    err: str


def script(file: Path) -> Done:
    """`python -W error FILE` in the file's folder, but for warnings of importing what is imported already."""
    return _run(_script, file.parent, str(file))


def command(folder: Path, arguments: list[str]) -> Done:
    """`tts ARGUMENTS` in a folder."""
    return _run(_command, folder, *arguments)


def _run(work: Callable[..., None], folder: Path, *arguments: str) -> Done:
    with tempfile.TemporaryDirectory() as written:
        out, err = Path(written, "out"), Path(written, "err")
        process = _CONTEXT.Process(target=_inside, args=(work, folder, out, err, arguments))
        process.start()
        process.join(_SECONDS)
        late = process.is_alive()
        if late:
            process.kill()
            process.join()
        words = f"killed after {_SECONDS:g} s" if late else ""
        return Done(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8") + words)


def _inside(work: Callable[..., None], folder: Path, out: Path, err: Path, arguments: tuple[str, ...]) -> None:
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    try:
        work(*arguments)
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing ends without them


def _script(file: str) -> None:
    warnings.simplefilter("error")
    sys.argv = [file]
    runpy.run_path(file, run_name="__main__")


def _command(*arguments: str) -> None:
    from tts.cli import main

    main(list(arguments), prog_name="tts")
