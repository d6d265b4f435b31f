"""Probing, secrets, headers, proxies, grouping, cancelling, event loops: on a real server in another process."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import soon

pytest.importorskip("aiohttp")

from openai_process import ServerProcess, running
from test_openai_faults import ask, connect, request

import tts
from tts_backends.openai import OpenAIBackend

KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    with running() as server:
        yield server


@pytest.fixture
def server(process: ServerProcess) -> ServerProcess:
    process.behave()
    return process


# --- probing ----------------------------------------------------------------------------------------------------------


def can(server: ServerProcess, **options: Any) -> tuple[bool, bool, bool, bool, bool]:
    dialect = connect(server, **options)._dialect
    return dialect.n, dialect.seed, dialect.logprobs, dialect.usage, dialect.tokenize


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_what_a_server_can_do_is_found_out(server: ServerProcess, api: str) -> None:
    assert can(server, api=api) == (True, True, True, True, True)
    for place, name in enumerate(("n", "seed", "logprobs", "usage", "tokenize")):
        server.behave(**{name: False})
        expected = [True] * 5
        expected[place] = False
        assert list(can(server, api=api)) == expected, name


def test_a_server_that_refuses_a_parameter_is_asked_for_the_others(server: ServerProcess) -> None:
    server.behave(refuses=("logprobs",))
    backend = connect(server)
    assert can(server) == (True, True, False, True, True)
    assert not backend.capabilities.logprobs
    server.behave(refuses=("n", "seed"))
    assert can(server) == (False, False, True, True, True)


def test_the_newer_name_of_max_tokens_is_found(server: ServerProcess) -> None:
    server.behave(limit="max_completion_tokens")
    backend = connect(server)
    (one,) = ask(backend, max_tokens=3)
    assert (one.finish_reason, one.usage.answer_tokens) == ("length", 3)


def test_probing_gets_over_passing_faults_and_a_missing_list_of_models(server: ServerProcess) -> None:
    server.behave(fault="503", times=3, models=None, context=None)
    backend = connect(server, context_length=500)
    assert (backend.capabilities.seed, backend.capabilities.context_length) == (True, 500)


def test_reasoning_becomes_thinking(server: ServerProcess) -> None:
    server.behave(reasoning="one and one")
    backend = connect(server)
    assert backend._dialect.reasoning
    for streamed in (backend, connect(server, stream=True)):
        (one,) = ask(streamed)
        assert one.thinking == "one and one"
        assert one.summary
        assert one.text == f"<think>one and one</think>{one.summary}"


def test_fingerprint_is_of_the_model_not_of_the_address(server: ServerProcess, process: ServerProcess) -> None:
    server.behave(models=("m", "other"))
    with running() as second:
        assert connect(server).fingerprint == connect(second).fingerprint == connect(server, second).fingerprint
    assert connect(server).fingerprint != connect(server, model="other").fingerprint
    assert connect(server).fingerprint != connect(server, api="completions").fingerprint


SLIPS = {  # references that are none, and a word of what to do
    "openai:m@http://127.0.0.1:9/v1": "openai:m@base_url=http://127.0.0.1:8000/v1'",
    "openai:m@https://someone:hunter2@127.0.0.1:9/v1": "write base_url= before it",
    "openai:m@https://someone:hunter2@127.0.0.1:9/v1?a=1": "write base_url= before it",
    "openai:m@retries=0@http://someone:hunter2@127.0.0.1:9/v1": "write base_url= before it",
    "openai:m@base_url=http://someone:hunter2@127.0.0.1:9/v1": "has an address with a user or password",
    "openai:m@base_url=http://someone:hunter2@127.0.0.1:9/v1,retries=0": "give them by @key_env=",
    "openai:http://127.0.0.1:9/v1": "the model's name has an address in it",
    "openai:someone:hunter2@127.0.0.1:9/v1": "the model's name has an @ in it",
    "openai:m@key_env=NONE@base_url=http://127.0.0.1:9/v1": "'@base_url=' stands in the value of 'key_env'",
    "openai:m@stream,retries=0": "'stream' is not option=value",
    "openai:m,retries=0": "the model's name has an option in it",
    "openai:m@key_file=/nowhere/me@corp/key": "key_file='/nowhere/me@corp/key' cannot be read",
    "openai:m@base_url=http://127.0.0.1:9/v1,key_file=/nowhere/me@corp/key": "key_file='/nowhere/me@corp/key' cannot",
}


@pytest.mark.parametrize("role", ["model", "synthesizer", "judge"])
@pytest.mark.parametrize("reference", SLIPS)
def test_an_address_in_a_models_name_goes_nowhere(
    reference: str, role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    text = f"generic:{reference}" if role == "judge" else reference
    strategy = {"model": "first", "synthesizer": "synthesizer", "judge": "knockout"}[role]
    heard: list[tts.Event] = []
    with pytest.raises(tts.ConfigError) as raised:
        tts.run("1+1", strategy=strategy, k=2, listeners=[heard.append], **{"model": "hf:miniature", role: text})
    assert SLIPS[reference] in str(raised.value)
    said = [str(raised.value), *traceback.format_exception(raised.value), *capsys.readouterr(), repr(heard)]
    if "://" in reference:  # without it is a name like others, and may be shown
        assert not [one for one in said if "hunter2" in one]


def test_a_password_in_the_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://someone:hunter2@127.0.0.1:9/v1")
    with pytest.raises(tts.ConfigError, match=r"'http://\*\*\*@127.0.0.1:9/v1' is no address") as raised:
        OpenAIBackend("m", OpenAIBackend.Options())
    assert "hunter2" not in str(raised.value)


def test_a_server_of_ones_own_may_have_names_with_an_at(server: ServerProcess) -> None:
    server.behave(models=("@cf/m", "m@v1"))
    assert connect(server, model="@cf/m").name == "openai:@cf/m"
    assert connect(server, model="m@v1").name == "openai:m@v1"


# --- secrets, headers, proxies ----------------------------------------------------------------------------------------


def test_the_key_is_sent_and_shown_nowhere(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.behave(key=KEY)
    reference = f"openai:m@base_url={server.base},retries=0,key_env=OPENAI_API_KEY"
    samples = tts.sample([tts.Example(problem=tts.Problem(id="p", prompt="1+1"))], k=2, model=reference,
                         store=tmp_path / "s.db")  # fmt: skip
    assert all(one.ok for sampled in samples for one in sampled.candidates)
    backend = connect(server, retries=0, key_env="OPENAI_API_KEY")
    server.behave(key="another")  # the server's refusal repeats our key
    said = []
    for provoke in (lambda: ask(backend), lambda: connect(server, key_env="OPENAI_API_KEY")):
        with pytest.raises(tts.TTSError, match=r"refuses the API key \(HTTP 401\).*\*\*\*") as raised:
            provoke()
        said += [str(raised.value), *traceback.format_exception(raised.value)]
    said += [
        repr(backend),
        repr(backend._pool._access),
        repr(backend._options),
        backend.fingerprint,
        backend.name,
        caplog.text,
    ]
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    assert not [text for text in said if KEY in text]


def test_the_usual_key_goes_only_where_it_is_meant_for(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    sentence = "OPENAI_API_KEY is not sent there unasked; write @key_env=OPENAI_API_KEY"
    server.behave(key=KEY)
    with pytest.raises(tts.ConfigError, match=sentence):
        connect(server)
    assert "Authorization" not in server.stats()["headers"]
    monkeypatch.setenv("OPENAI_BASE_URL", server.base)  # the environment names both together
    assert ask(connect(server))
    assert ask(OpenAIBackend("m", OpenAIBackend.Options()))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid/v1")
    with pytest.raises(tts.ConfigError, match=sentence):
        connect(server)
    with pytest.raises(tts.ConfigError, match="@key_env='NO_SUCH_KEY': the environment has no such variable"):
        connect(server, key_env="NO_SUCH_KEY")
    hosts = {
        "https://api.openai.com/v1": True,
        "https://eu.api.openai.com/v1": True,
        "http://api.openai.com/v1": False,
        "https://api.openai.com.evil.example/v1": False,
        "https://api.openai.com/v1+https://other.example/v1": False,
    }
    for base, sent in hosts.items():
        access = OpenAIBackend.Options(base_url=base).access()
        assert ("Authorization" in access.headers, not access.withheld) == (sent, sent), base


def test_key_and_headers_come_from_files(server: ServerProcess, tmp_path: Path) -> None:
    key, headers = tmp_path / "key", tmp_path / "headers"
    key.write_text(f"{KEY}\n")
    headers.write_text("X-Team: blue\n\napi-key: 123456\n")
    server.behave(key=KEY)
    assert ask(connect(server, key_file=key, headers_file=headers))
    sent = server.stats()["headers"]
    assert (sent["X-Team"], sent["api-key"]) == ("blue", "123456")
    headers.write_text("no colon and secret")
    with pytest.raises(tts.ConfigError, match="not shown here") as raised:
        connect(server, headers_file=headers)
    assert "no colon" not in str(raised.value)
    with pytest.raises(tts.ConfigError, match=r"key_file='.*missing' cannot be read"):
        connect(server, key_file=tmp_path / "missing")


def test_a_proxy_is_asked(server: ServerProcess) -> None:
    proxy = server.base.removesuffix("/v1")
    backend = OpenAIBackend.Options(base_url="http://nowhere.invalid/v1", proxy=proxy)
    assert ask(OpenAIBackend("m", backend))
    assert server.stats()["headers"]["Host"] == "nowhere.invalid"


@pytest.mark.parametrize("base", ["localhost:8000", "http://user:pass@host/v1", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(tts.ConfigError, match="is no address"):
        OpenAIBackend("m", OpenAIBackend.Options(base_url=base))


# --- grouping, cancelling, event loops --------------------------------------------------------------------------------


def test_completions_share_a_request_where_asking_costs_more_than_answering(server: ServerProcess) -> None:
    backend = connect(server)
    ask(backend, n=4)
    assert server.stats()["bodies"][-1].get("n") is None, "seeds need a request each"
    server.behave(seed=False)
    backend = connect(server)
    assert not backend.capabilities.seed

    async def main(seconds: float) -> None:
        link = await backend._pool.link()
        link.took(seconds)
        link.servers[0].in_flight = 10
        assert len([one async for one in backend.generate(request(n=4))]) == 4

    for seconds, asked in ((0.005, 1), (0.5, 4)):
        server.behave(seed=False)
        asyncio.run(main(seconds))
        assert server.stats()["asked"] == asked


async def server_runs(server: ServerProcess, requests: int) -> bool:
    return (await asyncio.to_thread(server.stats))["running"] == requests


def test_cancelling_closes_the_connections(server: ServerProcess) -> None:
    backend = connect(server)
    server.behave(delay=30.0)
    cancelled: list[tts.Usage] = []

    async def main() -> None:
        asked = request(n=3).model_copy(update={"on_cancelled": cancelled.append})
        waiting = asyncio.create_task(anext(backend.generate(asked)))
        await soon(lambda: server_runs(server, 3), waiting)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await soon(lambda: server_runs(server, 0), seconds=10)

    asyncio.run(main())
    assert server.stats()["cancelled"] == 3
    assert [usage.cancelled for usage in cancelled] == [1, 1, 1]


def test_what_a_cancelled_stream_has_written_is_reported(server: ServerProcess) -> None:
    backend = connect(server, stream=True)
    server.behave(delay=0.5)  # five milliseconds between two words after half a second
    cancelled: list[tts.Usage] = []

    async def main() -> None:
        server.behave(delay=20.0)
        asked = request(n=1).model_copy(update={"on_cancelled": cancelled.append})
        collecting = asyncio.create_task(anext(backend.generate(asked)))
        await asyncio.sleep(0.1)
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)

    asyncio.run(main())
    assert [usage.answer_tokens for usage in cancelled] == [0]


def test_one_backend_serves_several_event_loops_and_leaves_nothing_open(server: ServerProcess) -> None:
    backend = connect(server)

    async def both() -> int:
        here = [one async for one in backend.generate(request(n=2))]
        there = await asyncio.to_thread(ask, backend, request(n=2))
        assert sorted(one.text for one in here) == sorted(one.text for one in there)
        return len(backend._pool._opened)

    assert asyncio.run(both()) == 2
    asyncio.run(both())
    assert len([loop for loop in backend._pool._opened if not loop.is_closed()]) == 0
    asyncio.run(backend.aclose())
    with pytest.raises(tts.BackendError, match="closed"):
        ask(backend)


def test_a_script_that_uses_it_ends_without_a_warning(server: ServerProcess) -> None:
    script = (
        f"import tts; print(tts.solve('1+1', strategy='first', model='openai:m@base_url={server.base}', k=2).text);"
        "import asyncio, sys; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", script], capture_output=True, text=True,
                          timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.strip()
