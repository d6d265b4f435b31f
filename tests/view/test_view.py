"""`tts view` as a process, and its pages in a real browser while a run goes on."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import line

import tts

HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'> \u2028 {{ 7 * 7 }}"


def rows(number: int) -> list[dict[str, str]]:
    return [{"id": f"{HOSTILE}{i}", "problem": f"{HOSTILE} {i}+1?", "answer": str(i + 1)} for i in range(number)]


def says(prompt: str) -> str:
    """A model that says hostile things, and the same to everybody."""
    return f"{HOSTILE} \\boxed{{1}}" if prompt else ""


@contextmanager
def viewed(place: Path, *arguments: str) -> Iterator[str]:
    """Where the process serves."""
    command = [sys.executable, "-m", "tts", "view", str(place), "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        try:
            said = line(program, of="stderr", seconds=120)
            address = re.search(r"at (http://127.0.0.1:\d+)/", said)
            assert address, said
            yield address[1]
            program.send_signal(signal.SIGTERM)
            assert program.wait(60) == 0
        finally:
            program.kill()


def asked(address: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores, a summary, and what is neither."""
    place = tmp_path_factory.mktemp("runs")
    for name, number in (("one", 2), ("two", 3)):
        done = tts.compare(rows(number), strategies=["first", "majority"], k=2, model=says, store=place / f"{name}.db")
        done.save(place / f"{name}.json")
    (place / "two.json").unlink()
    (place / "other.json").write_text("{}")
    (place / "broken.db").write_text("no store")
    return place


def test_it_lists_serves_and_compares_and_changes_nothing(folder: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    with viewed(folder) as address:
        status, listed, headers = asked(f"{address}/")
        assert status == 200
        assert headers["X-Frame-Options"] == "DENY"
        found = dict(re.findall(r'<a href="(/run/\w+)">([^<]+)</a>', listed))
        assert list(found.values()) == ["broken.db", "one.db", "one.json", "two.db"]
        assert "2 problems · 4 completions · first 2, majority 2" in listed
        ids = {name: path for path, name in found.items()}
        state = json.loads(asked(f"{address}{ids['one.db']}/state")[1])
        assert (state["problems"], state["completions"], state["total"]) == (2, 4, 4)
        assert state["spent"]["policy"].startswith("4 calls, ≈")
        assert "not a SQLite file" in json.loads(asked(f"{address}{ids['broken.db']}/state")[1])["error"]
        chosen = "&".join(f"run={ids[name].removeprefix('/run/')}" for name in ("one.db", "one.json"))
        status, compared, _ = asked(f"{address}/compare?{chosen}")
        assert status == 200
        assert "<h2>Accuracy</h2>" in compared
        for path, code, says_ in (
            ("/compare?run=x", 404, "choose two runs or more"),
            ("/run/nowhere", 404, "there is no such run here any more"),
            ("/run/../../etc/passwd", 404, ""),
        ):
            status, told, headers = asked(f"{address}{path}")
            assert (status, says_ in told) == (code, True)
            assert headers["X-Content-Type-Options"] == "nosniff"
        assert asked(f"{address}/", "POST")[0] == 405
        assert asked(f"{address}/", Host="evil.example:80")[0] == 403
        assert asked(f"{address}/", Host=f"localhost:{address.rpartition(':')[2]}")[0] == 200
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_prices_make_a_cost(folder: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\n[policy]\nprompt = 1000\ngenerated = 2000\n')
    with viewed(folder / "one.db", "--prices", str(prices)) as address:
        status, page, _ = asked(f"{address}/")  # one store alone is its page
        assert status == 200
        assert 'id="live"' in page
        state = json.loads(asked(f"{address}{re.search(r'/run/[0-9a-f]+/state', page)[0]}")[1])
        assert re.fullmatch(r"0\.\d{4} EUR", state["cost"])


@pytest.mark.parametrize(
    ("arguments", "told"), [(["none.db"], "none.db"), ([".", "--prices", "none.toml"], "none.toml")]
)
def test_what_cannot_be_seen_is_one_sentence(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tts", "view", *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
