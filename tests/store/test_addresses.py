"""Where a store is: what names one, and that no message has its password."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.store.address import check_exists, is_server, is_store

PASSWORDS = [
    "se@cret",
    "se:cret",
    "se/cret",
    "se?cret",
    "se#cret",
    "se cret",
    "s@e:c/r?e#t",
    "@cret",
    "/cret",
    "100%cret",
]


@pytest.mark.parametrize("place", ["postgresql://h/d", "postgres://h/d"])
def test_a_url_names_a_store_on_a_server(place: str) -> None:
    assert is_server(place)
    assert is_store(place)


@pytest.mark.parametrize("place", ["a.db", Path("a.db"), "folder/postgresql.db"])
def test_a_file_that_ends_like_one_names_a_store(place: Any, tmp_path: Path) -> None:
    assert is_store(place)
    assert not is_server(place)
    assert tts.Store.named(place) == str(place)
    assert not tts.Store.exists(tmp_path / place)
    with pytest.raises(tts.ConfigError, match="there is no store"):
        check_exists(tmp_path / place)


@pytest.mark.parametrize("place", [None, 3, "sets.jsonl", "mysql://h/d", ["a.db"]])
def test_nothing_else_does(place: Any) -> None:
    assert not is_store(place)
    assert tts.Store.named(place) is None


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_was_not_escaped_is_never_shown(password: str) -> None:
    pytest.importorskip("psycopg", reason="no psycopg; `pip install 'ttscale[postgres]'`")
    for work in (tts.Store, tts.Store.exists, tts.Store.named):
        try:
            said = str(work(f"postgresql://me:{password}@127.0.0.1:1/d"))  # type: ignore[operator]
        except (tts.ConfigError, tts.StoreError) as error:
            said = f"{error} {error.__cause__}"
        assert "cret" not in said
        assert password not in said


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("psycopg"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(tts.MissingDependencyError, match=r"pip install 'ttscale\[postgres\]'"):
        tts.Store("postgresql://me@127.0.0.1/d")
