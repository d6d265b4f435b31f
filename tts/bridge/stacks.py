"""Where a thread is: the functions on its stack, in a few words."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import FrameType

_LOOP = "Handle._run"  # of asyncio: what the event loop calls everything with
_CORE = str(Path(__file__).parents[1])


def where(thread: int | None) -> str | None:
    """The function of a plugin or library that a thread is in, and the innermost one where that is another.

    `None` where the thread is not there.
    """
    frame = None if thread is None else sys._current_frames().get(thread)  # noqa: SLF001 - it is documented
    if frame is None:
        return None
    inner, frames = frame, _frames(frame)
    known = [one for one in frames if not _standard(one.f_code.co_filename)]
    if not known:
        return _place(inner)
    outer = next((one for one in reversed(known) if not _ours(one.f_code.co_filename)), known[0])
    last = known[0]
    return _place(outer) if last is outer else f"{_place(outer)}, at {_place(last)}"


def in_foreign_code() -> bool:
    """Whether code that is neither ours nor Python's runs on this thread, in a turn of an event loop."""
    return any(not (_ours(name) or _standard(name)) for name in _names(sys._getframe()))  # noqa: SLF001 - documented


def _names(inner: FrameType) -> list[str]:
    return [frame.f_code.co_filename for frame in _frames(inner)]


def _frames(inner: FrameType) -> list[FrameType]:
    """The frames from the innermost one outwards, as far as the event loop that called them, where one did."""
    found, frame = [], inner
    while frame is not None and frame.f_code.co_qualname != _LOOP:
        found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{frame.f_code.co_qualname} ({'/'.join(path.parts[-2:])}, line {frame.f_lineno})"


def _ours(path: str) -> bool:
    return path.startswith(_CORE)


def _standard(path: str) -> bool:
    library, packages = _library()
    return path.startswith("<") or (path.startswith(library) and not path.startswith(packages))


@cache
def _library() -> tuple[str, str]:
    import sysconfig

    paths = sysconfig.get_paths()
    return paths["stdlib"], paths["purelib"]
