"""Where a sample came from is kept, and a run says where stored ones came from elsewhere; the address is in no key."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from openai_process import ServerProcess, running

import tts
from tts.cli import main

PROBLEMS = [tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"What is {i} and {i}?")) for i in range(5)]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ServerProcess, ServerProcess]]:
    with running() as one, running() as other:
        yield one, other


def sample(
    store: Path, *servers: ServerProcess, k: int = 2, tag: str = "", problems: int = 4, options: str = ""
) -> int:
    """How many completions were really asked for."""
    bases = "+".join(server.base for server in servers)
    reference = f"openai:m@base_url={bases}{options}{f',tag={tag}' if tag else ''}"
    asked: list[tts.Event] = []
    tts.sample(PROBLEMS[:problems], k=k, model=reference, store=store, listeners=[asked.append])
    return sum(event.kind == "candidate" and not event.stored for event in asked)


def stored(store: Path) -> list[tts.Completion]:
    with tts.Store(store) as opened:
        return [one for found in opened.sets() for one in opened.completions(found.key).values()]


@pytest.mark.parametrize("options", ["", ",stream=true"], ids=["whole", "streamed"])
def test_the_store_has_address_and_system_fingerprint(
    tmp_path: Path, servers: tuple[ServerProcess, ServerProcess], options: str
) -> None:
    servers[0].behave(system_fingerprint="fp_1")
    sample(tmp_path / "s.db", servers[0], options=options)
    assert {(one.server, one.system_fingerprint) for one in stored(tmp_path / "s.db")} == {(servers[0].base, "fp_1")}
    shown = CliRunner().invoke(main, ["store", "show", str(tmp_path / "s.db"), ""])
    assert shown.exit_code != 0  # four sets begin so
    with tts.Store(tmp_path / "s.db") as opened:
        key = next(opened.sets()).key
    shown = CliRunner().invoke(main, ["store", "show", str(tmp_path / "s.db"), key])
    assert f"from {servers[0].base} (system_fingerprint fp_1)" in shown.output


def test_a_key_in_the_address_is_not_kept(tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]) -> None:
    from tts_backends.openai.server import Address

    secret = Address.of(f"{servers[0].base}?api-key=secret#part", None)
    assert secret.origin == servers[0].base


def test_a_run_says_once_how_many_came_from_elsewhere(
    tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]
) -> None:
    one, other = servers
    one.behave()
    other.behave()
    store = tmp_path / "s.db"
    assert sample(store, one, problems=3) == 6
    with pytest.warns(tts.OriginWarning) as seen:
        assert sample(store, other, problems=5) == 4
    (sentence,) = [str(warning.message) for warning in seen if warning.category is tts.OriginWarning]
    assert sentence.startswith("6 of 6 stored samples of openai:m@base_url=")
    assert f"came from {one.base}, this run asks {other.base}; use @tag=… in the reference" in sentence
    with pytest.warns(tts.OriginWarning, match="6 of 10 stored samples of openai:m"):
        assert sample(store, other, problems=5) == 0


def test_nothing_is_said_of_the_same_servers_and_what_was_stored_before_is_believed(
    tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]
) -> None:
    one, other = servers
    for server in servers:
        server.behave()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample(tmp_path / "s.db", one, problems=2) == 4
        assert sample(tmp_path / "s.db", one, other, problems=4) == 4  # one of a pool
    import sqlite3

    with sqlite3.connect(tmp_path / "s.db") as connection:  # as an earlier version has written it
        connection.execute("UPDATE completions SET completion=json_remove(completion, '$.server'), checksum=NULL")
    connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample(tmp_path / "s.db", other, problems=4) == 0


def test_a_tag_keeps_two_servers_apart(tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]) -> None:
    one, other = servers
    for server in servers:
        server.behave()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample(tmp_path / "s.db", one, tag="a") == 8
        assert sample(tmp_path / "s.db", other, tag="b") == 8
        assert sample(tmp_path / "s.db", one, tag="a") == 0
        assert sample(tmp_path / "s.db", other, tag="b") == 0


def test_a_service_that_changed_behind_its_address_is_said(
    tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]
) -> None:
    one, _ = servers
    one.behave(system_fingerprint="fp_1")
    assert sample(tmp_path / "s.db", one, problems=3) == 6
    one.behave(system_fingerprint="fp_2")
    with pytest.warns(
        tts.OriginWarning, match="6 of 6 stored samples of .* fp_1, those of this run have fp_2; use @tag"
    ):
        assert sample(tmp_path / "s.db", one, problems=4) == 2


def test_samples_that_another_process_stores_meanwhile_are_counted_too(
    tmp_path: Path, servers: tuple[ServerProcess, ServerProcess]
) -> None:
    one, other = servers
    for server in servers:
        server.behave(delay=0.2)
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        works = [pool.submit(sample, tmp_path / "s.db", server, options=",concurrency=1") for server in servers]
        asked = [work.result() for work in works]
    assert sum(asked) == 8 and min(asked) > 0
    said = [str(warning.message) for warning in seen if warning.category is tts.OriginWarning]
    assert any(
        f"{asked[1]} of {asked[1]} stored samples" in text and f"came from {other.base}" in text for text in said
    )
    assert any(f"{asked[0]} of {asked[0]} stored samples" in text and f"came from {one.base}" in text for text in said)
