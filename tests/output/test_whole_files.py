from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.output.file import check_file, check_folder, whole_file, write_whole


def no_space(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    assert write_whole(path, "one\n") == path
    with whole_file(path) as part:
        part.write_text("two")
        assert path.read_text() == "one\n"
        assert part.suffix == ".json"
        assert part.parent == path.parent
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("x"), KeyboardInterrupt()]
)
def test_whatever_happens_the_old_file_stays(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    kind: Any = tts.OutputError if isinstance(error, OSError) else type(error)

    def write() -> None:
        with whole_file(path) as part:
            part.write_text("half of the ne")
            raise error

    with pytest.raises(kind) as raised:
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    if kind is tts.OutputError:
        assert str(raised.value).startswith(f"{str(path)!r} cannot be written: No space left")


def test_links_modes_and_what_is_no_file(tmp_path: Path) -> None:
    there, link = tmp_path / "there.txt", tmp_path / "link.txt"
    there.write_text("old")
    there.chmod(0o640)
    link.symlink_to(there)
    write_whole(link, "new")
    assert link.is_symlink()
    assert there.read_text() == "new"
    assert there.stat().st_mode & 0o777 == 0o640
    write_whole(Path(os.devnull), "into nothing")
    assert not Path(os.devnull).is_file()


def test_half_a_surrogate_pair_does_not_empty_the_file(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a.txt", "paid \ud83d for").read_text("utf-8") == "paid \ufffd for"


def test_what_cannot_be_written_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for path, why in ((tmp_path, "is a folder"), (tmp_path / "file" / "a.json", "is a file")):
        with pytest.raises(tts.ConfigError, match=why):
            check_file(path)
    check_file(Path(os.devnull))
    check_file(tmp_path / "a.json")
    check_folder(tmp_path / "none" / "yet")
    monkeypatch.setattr(io, "open", no_space)
    monkeypatch.setattr(Path, "open", no_space)
    for check in (check_file, check_folder):
        with pytest.raises(tts.ConfigError, match=r"nothing can be written in .*: No space left on device"):
            check(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_or_file_that_may_not_be_written(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "a.json").write_text("")
    (locked / "a.json").chmod(0o400)
    with pytest.raises(tts.ConfigError, match="is read-only"):
        check_file(locked / "a.json")
    locked.chmod(0o500)
    with pytest.raises(tts.ConfigError, match="Permission denied"):
        check_file(locked / "b.json")
