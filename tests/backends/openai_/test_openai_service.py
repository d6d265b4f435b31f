"""What is sent, dropped, found out and warned of, met at services that answer as a function says."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

import tts
from tts.testing import Asked, Reply, Service, plain_reply, scenarios
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import pool as openai_pool
from tts_backends.openai import probe as openai_probe
from tts_backends.openai.repeats import Repeats

PROMPT = "How much is 1 + 1?"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_probe, "_LIST_SECONDS", 1.0)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def connect(*bases: str, **options: Any) -> OpenAIBackend:
    return OpenAIBackend("m", OpenAIBackend.Options(base_url="+".join(bases), **options))


def request(text: str = PROMPT, n: int = 1, **sampling: Any) -> tts.Request:
    message = tts.Message(role="user", content=text)
    return tts.Request(messages=(message,), n=n, seeds=tuple(range(n)), sampling=tts.Sampling(**sampling))


def ask(backend: OpenAIBackend, asked: tts.Request | None = None) -> list[tts.Completion]:
    async def main() -> list[tts.Completion]:
        return sorted([one async for one in backend.generate(asked or request())], key=lambda one: one.index)

    return asyncio.run(main())


def said(content: str, prompt: int = 12, tokens: int = 9, status: int = 200, **further: Any) -> Reply:
    choices = [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}]
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens}
    return Reply((json.dumps({"choices": choices, "usage": usage, **further}).encode(),), status)


def refused(message: str, status: int = 400) -> Reply:
    return Reply((json.dumps({"error": {"message": message}}).encode(),), status)


@contextmanager
def told() -> Iterator[list[str]]:
    """The warnings of the block, as they come."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found: list[str] = []
        yield found
        found += [str(one.message) for one in caught]


def quiet(connecting: Callable[[], OpenAIBackend]) -> OpenAIBackend:
    with told():
        return connecting()


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_options_of_the_reference_are_sent_with_every_request_and_are_part_of_the_model(tmp_path: Path) -> None:
    more = tmp_path / "more.json"
    more.write_text('{"provider": {"order": ["a"]}}')
    with Service() as service:
        options = {"top_k": 7, "min_p": 0.1, "reasoning_effort": "low", "extra_body": str(more)}
        backend = connect(service.base, headers='{"X-Team": "blue"}', **options)
        ask(backend)
        sent = service.of()[-1]
        assert {name: sent.body[name] for name in ("top_k", "min_p", "reasoning_effort")} == {
            "top_k": 7, "min_p": 0.1, "reasoning_effort": "low",
        }  # fmt: skip
        assert (sent.body["provider"], sent.headers["x-team"]) == ({"order": ["a"]}, "blue")
        ask(backend, request(top_k=3))
        assert service.of()[-1].body["top_k"] == 3, "the sampling says it"
        plainly, named = connect(service.base), connect(service.base, headers="X-Team: red")
        assert plainly.fingerprint == named.fingerprint != backend.fingerprint
        more = 'extra_body={"a": [1, 2], "b": "x@y=1,"}'
        found = tts.find_model("backend", f"openai:m@base_url={service.base},{more},retries=0")
        assert found.options.further() == {"a": [1, 2], "b": "x@y=1,"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"extra_body": '{"temperature": 1}'}, "has 'temperature', which is set otherwise: by temperature of"),
        ({"extra_body": '{"messages": []}'}, "has 'messages', which is set otherwise: by the run"),
        ({"extra_body": "{"}, "@extra_body= is not readable as JSON"),
        ({"extra_body": "[1]"}, "@extra_body= holds a JSON list; give an object"),
        ({"extra_body": "missing.json"}, "@extra_body='missing.json' cannot be read"),
        ({"headers": "Authorization: Bearer x"}, "looks like a secret, and references are shown"),
        ({"headers": '{"a": 1'}, "@headers= is not readable as JSON"),
        ({"ca": "missing.pem"}, "@ca='missing.pem' is no file of certificates"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_one_sentence(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as raised:
        connect("http://127.0.0.1:9/v1", **options)
    assert sentence in str(raised.value)


def test_azure_gets_its_key_under_its_own_name_and_its_version_with_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_KEY", "0123456789")
    with Service(scenarios()["query"].answer) as service:
        base = f"{service.root}/openai/deployments/d/chat/completions?api-version=2024-10-21"
        assert ask(connect(base, key_env="AZURE_KEY"))
        assert {one.headers["api-key"] for one in service.asked} == {"0123456789"}
        assert all(one.path.endswith("?api-version=2024-10-21") for one in service.asked)


def test_a_seed_is_never_sent_with_several_completions() -> None:
    with Service() as service:
        backend = connect(service.base, grouping="always")
        assert len(ask(backend, request("Other?", n=3))) == 3
        (sent,) = service.of("Other?")
        assert (sent.body["n"], "seed" in sent.body) == (3, False)


def test_a_certificate_of_an_own_authority_is_trusted_where_its_file_is_given(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(certificate, key)
    with Service(tls=shown) as service:
        assert ask(connect(service.base, ca=certificate))
        with pytest.raises(tts.ConfigError, match=r"certificate that is not trusted .*by @ca="):
            connect(service.base)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_a_refused_parameter_is_dropped_once_with_one_warning(name: str) -> None:
    with Service(scenarios()[f"no-{name}"].answer) as service, told() as warned:
        backend = connect(service.base)
        assert len(ask(backend, request("A?", n=4))) == len(ask(backend, request("B?", n=4))) == 4
        assert all(name not in one.body for one in service.of("B?"))
        assert list(backend.dropped) == [name]
    assert [one for one in warned if f"{name} is refused, and left out from now on" in one] == warned
    assert len(warned) == 1


def test_what_probing_finds_refused_is_said_like_what_is_refused_later() -> None:
    def answer(asked: Asked) -> Reply:
        return (
            refused("`temperature` is deprecated for this model") if "temperature" in asked.body else plain_reply(asked)
        )

    with Service(answer) as service, told() as warned:
        assert list(connect(service.base).dropped) == ["temperature"]
    assert ["temperature is refused, and left out from now on" in one for one in warned] == [True]


def test_another_name_for_the_limit_is_no_loss_and_no_warning() -> None:
    with Service(scenarios()["no-max_tokens"].answer) as service, told() as warned:
        backend = connect(service.base)
        ask(backend, request(max_tokens=50))
        assert service.of()[-1].body["max_completion_tokens"] == 50
        assert (backend.dropped, service.of()[0].body.get("max_tokens")) == ({}, None)
    assert not warned


def test_what_the_run_cannot_be_without_is_an_error_where_it_is_refused() -> None:
    refuse: set[str] = set()

    def answer(asked: Asked) -> Reply:
        wrong = next((name for name in refuse if name in asked.body), None)
        return plain_reply(asked) if wrong is None else refused(f"Unsupported parameter: '{wrong}'")

    with Service(answer) as service:
        backend = connect(service.base)
        refuse.add("logprobs")
        with pytest.raises(tts.BackendError, match="this run needs log-probabilities"):
            ask(backend, request(logprobs=True))
        assert ask(backend)
        refuse.add("seed")
        with pytest.raises(tts.BackendError, match="this run needs seeds, which it followed"):
            ask(backend)


def test_a_value_out_of_range_is_no_parameter_to_drop() -> None:
    def answer(asked: Asked) -> Reply:
        return refused("temperature must be at most 1") if asked.body.get("temperature", 0) > 1 else plain_reply(asked)

    with Service(answer) as service, pytest.raises(tts.BackendError, match="temperature must be at most 1"):
        ask(connect(service.base), request(temperature=1.5))


def test_what_was_dropped_is_in_the_provenance_of_results() -> None:
    with Service(scenarios()["no-top_p"].answer) as service, told():
        result = tts.solve(PROMPT, strategy="first", k=1, model=f"openai:m@base_url={service.base}")
        assert list(result.provenance.dropped) == ["policy"]
        assert "'top_p' is not supported" in result.provenance.dropped["policy"]["top_p"]
    with Service() as service:
        result = tts.solve(PROMPT, strategy="first", k=1, model=f"openai:m@base_url={service.base}")
        assert result.provenance.dropped == {}


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "lost"), [("500-for-logprobs", "logprobs"), ("500-for-n", "n")])
def test_a_failing_probe_is_about_one_thing(name: str, lost: str) -> None:
    with Service(scenarios()[name].answer) as service:
        dialect = connect(service.base)._dialect
        found = {one: getattr(dialect, one) for one in ("n", "logprobs", "seed")}
        assert [one for one, there in found.items() if not there] == [lost]


def test_a_rate_limit_during_the_probe_of_seeds_says_nothing_of_seeds() -> None:
    with Service(scenarios()["429-for-seeds"].answer) as service, told() as warned:
        assert connect(service.base).capabilities.seed
    assert not warned


def test_a_rate_limit_that_lasts_is_no_reason_not_to_begin() -> None:
    def answer(asked: Asked) -> Reply:
        return plain_reply(asked) if asked.prompt in {"", PROMPT} else refused("Slow down", 429)

    with Service(answer) as service, told() as warned:
        backend = connect(service.base)
        assert not backend.capabilities.seed
        assert ask(backend)
    assert "is rate-limited, so it could not be found out" in warned[0]


def test_probes_end_after_their_time_with_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openai_probe.probe, "__defaults__", (1.0,))

    def answer(asked: Asked) -> Reply:
        return Reply((30.0,)) if "letters" in asked.prompt else plain_reply(asked)

    with Service(answer) as service, told() as warned, caplog.at_level(logging.WARNING, "tts"):
        backend = connect(service.base)
        assert ask(backend), "a plain request is answered"
    assert "has not said anything for 1 s" in warned[0]
    assert f"waiting for {service.base} to say anything, up to 1 s" in caplog.text


def test_one_sick_server_of_a_pool_is_left_out_until_it_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_probe, "_PAUSES", (0.01,) * 4)

    def sick(asked: Asked) -> Reply:
        return plain_reply(asked) if asked.path.endswith("/models") else refused("CUDA error", 500)

    with ExitStack() as stack:
        well, ill = stack.enter_context(Service()), stack.enter_context(Service(sick))
        warned = stack.enter_context(told())
        for bases in ((well.base, ill.base), (ill.base, well.base)):
            assert len(ask(connect(*bases), request(n=3))) == 3
    assert len([one for one in warned if f"{ill.base} is left out until it is well" in one]) == 2


def test_a_cache_is_noticed_at_the_start_and_during_the_run() -> None:
    with Service(scenarios()["cache"].answer) as service, told() as warned:
        assert not connect(service.base).capabilities.seed
    assert "a cache answers in the model's place" in warned[0]
    same = "What was said before comes again, whatever the seed may be."

    def caching(asked: Asked) -> Reply:
        return said(same) if asked.prompt == PROMPT else plain_reply(asked)

    with Service(caching) as service, told() as warned:
        backend = connect(service.base)
        ask(backend, request(n=4, temperature=0.0))
        ask(backend, request(n=4))
        ask(backend, request(n=4))
    assert len(warned) == 1
    assert "completions of one prompt are the same to the letter" in warned[0]


def test_equal_texts_by_chance_are_no_cache() -> None:
    repeats, long = Repeats(), "x" * 50
    assert not any(repeats.note("4", "4") for _ in range(50)), "short ones are often equal"
    assert not any(repeats.note(long, other) for other in [long, "y", long, "y", long, "y"] * 9)
    assert [Repeats().note(long, long)] == [False]


def test_how_llama_cpp_draws_by_itself_is_said_once() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/props":
            settings = {"n_ctx": 4096, "params": {"top_k": 40, "min_p": 0.05, "repeat_penalty": 1.0, "top_p": 0.95}}
            return Reply((json.dumps({"default_generation_settings": settings}).encode(),))
        if asked.path == "/tokenize":
            return Reply((b'{"tokens": [1, 2]}',))
        if asked.path.endswith("/models"):
            return Reply((b'{"data": [{"id": "m", "meta": {"n_ctx": 8192, "n_vocab": 5}}]}',))
        return plain_reply(asked)

    with Service(answer) as service, told() as warned:
        backend = connect(service.base)
        assert backend.capabilities.context_length == 4096
    assert "draws with top_k=40, min_p=0.05 where a request says nothing of it" in warned[0]
    with Service(answer) as service, told() as warned:
        connect(service.base, top_k=0, min_p=0.0)
    assert not warned


def test_the_context_of_llama_cpp_is_read_and_is_no_part_of_the_model() -> None:
    prints = set()
    for length in (4096, 8192):
        card = {"data": [{"id": "m", "meta": {"n_ctx": length, "n_vocab": 5}}]}

        def answer(asked: Asked, card: Any = card) -> Reply:
            return Reply((json.dumps(card).encode(),)) if asked.path.endswith("/models") else plain_reply(asked)

        with Service(answer) as service:
            backend = connect(service.base)
            assert backend.capabilities.context_length == length
            prints.add(backend.fingerprint)
    assert len(prints) == 1


def test_a_list_of_models_that_fails_once_does_not_change_the_model() -> None:
    failing = [False]

    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/models"):
            return plain_reply(asked)
        if failing and failing.pop():
            return refused("Oops", 500)
        return Reply((b'{"data": [{"id": "m", "root": "org/m"}]}',))

    with Service(answer) as service:
        first = connect(service.base).fingerprint
        failing.append(True)
        assert connect(service.base).fingerprint == first
        failing += [True] * 3
        with told() as warned:
            assert connect(service.base).fingerprint != first
    assert "the list of models at" in warned[0]


def test_a_list_of_models_is_asked_for_again_when_the_server_wants_it() -> None:
    first: list[float] = []

    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/models"):
            return plain_reply(asked)
        first.append(time.monotonic())
        if time.monotonic() < first[0] + 0.7:
            return refused("Slow down", 429)._replace(headers={"Retry-After": "0.75"})
        return Reply((b'{"data": [{"id": "m", "root": "org/m"}]}',))

    with Service(answer) as service, told() as warned:
        backend = connect(service.base)
        assert json.loads(backend._dialect.identity)[0] == "org/m"
    assert (len(first), warned) == (2, [])


# --- contexts ---------------------------------------------------------------------------------------------------------


def test_each_refusal_is_about_what_that_request_had_asked_for() -> None:
    """Of four completions that are refused side by side none is told that its prompt is too long."""

    def answer(asked: Asked) -> Reply | Any:
        if asked.prompt != PROMPT:
            return plain_reply(asked)

        async def later() -> Reply:
            await asyncio.sleep(0.5)  # all four are there before the first one is refused
            most = asked.body.get("max_tokens") or 32768
            words = (
                f"This model's maximum context length is 2048 tokens. However, you requested {most + 2000} tokens "
                f"(2000 in the messages, {most} in the completion)."
            )
            return refused(words) if most > 48 else said("ok then")

        return later()

    with Service(answer) as service:
        backend = connect(service.base)
        found = ask(backend, request(n=4, max_tokens=1000))
        assert [one.text for one in found] == ["ok then"] * 4
        assert sorted(one.body["max_tokens"] for one in service.of()) == [48] * 4 + [1000] * 4


def test_a_limit_on_new_tokens_alone_is_kept() -> None:
    def answer(asked: Asked) -> Reply:
        if (asked.body.get("max_tokens") or 0) > 500:
            return refused("max_tokens is too large: 4000. This model supports at most 500 completion tokens.")
        return plain_reply(asked)

    with Service(answer) as service:
        assert ask(connect(service.base), request(max_tokens=4000))
        assert [one.body["max_tokens"] for one in service.of()] == [4000, 500]


def test_a_prompt_that_is_cut_without_a_word_is_an_error() -> None:
    long = "word " * 2400  # about 3,000 tokens by its bytes
    with Service(lambda asked: said("x", prompt=256) if asked.prompt == long else plain_reply(asked)) as service:
        (one,) = ask(connect(service.base), request(long))
        assert (one.finish_reason, one.text, one.usage.prompt_tokens) == ("error", "", 256)
        assert "has read 256 tokens of a prompt of about 3,000: it cuts what is longer" in (one.error or "")
    with Service(lambda asked: said("x", prompt=2401) if asked.prompt == long else plain_reply(asked)) as service:
        assert ask(connect(service.base), request(long))[0].whole


def test_a_stream_without_endings_is_whole_unless_its_tokens_were_used_up() -> None:
    def answer(asked: Asked) -> Reply:
        tokens = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
        lines = [{"choices": [{"index": 0, "delta": {"content": "so"}}]}, tokens]
        body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in lines) + b"data: [DONE]\n\n"
        return (
            Reply((body,), headers={"Content-Type": "text/event-stream"})
            if asked.body.get("stream")
            else plain_reply(asked)
        )

    with Service(answer) as service, told() as warned:
        backend = connect(service.base, stream=True)
        endings = [ask(backend, request(max_tokens=most))[0].finish_reason for most in (5, 6)]
    assert endings == ["length", "stop"]
    assert len(warned) == 1
    assert "ends its streams without a finish_reason" in warned[0]


# --- what stands around an answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [201, 203])
def test_an_answer_is_one_whatever_status_of_success_it_has(status: int) -> None:
    def answer(asked: Asked) -> Reply:
        reply = plain_reply(asked)
        return reply._replace(status=status) if asked.body else reply

    with Service(answer) as service:
        for stream in (False, True):
            assert ask(connect(service.base, stream=stream))[0].text


@pytest.mark.parametrize("body", [b"\x1f\x8bnothing", b"[" * 100_000])
def test_a_damaged_body_is_asked_for_again(body: bytes) -> None:
    damaged: list[bytes] = []

    def answer(asked: Asked) -> Reply:
        if not damaged:
            return plain_reply(asked)
        packed = damaged.pop()[:1] == b"\x1f"
        return Reply((body,), headers={"Content-Encoding": "gzip"} if packed else {})

    with Service(answer) as service:
        backend = connect(service.base)
        damaged.append(body)
        assert ask(backend)[0].text
        assert not damaged


def test_a_key_or_an_address_that_the_environment_changes_is_used_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(asked: Asked) -> Reply:
        return plain_reply(asked) if asked.headers.get("authorization") == "Bearer new" else refused("wrong key", 401)

    with Service() as other, Service(answer) as service:
        monkeypatch.setenv("KEY", "old")
        reference = f"openai:m@base_url={service.base},key_env=KEY"
        with pytest.raises(tts.ConfigError, match="refuses the API key"):
            tts.solve(PROMPT, strategy="first", k=1, model=reference)
        monkeypatch.setenv("KEY", "new")
        assert tts.solve(PROMPT, strategy="first", k=1, model=reference).error is None
        monkeypatch.setenv("KEY", "wrong")
        with pytest.raises(tts.ConfigError, match="refuses the API key"):
            tts.solve(PROMPT, strategy="first", k=1, model=reference)
        for place in (other, service):
            monkeypatch.setenv("OPENAI_BASE_URL", place.base)
            monkeypatch.setenv("OPENAI_API_KEY", "new")
            assert tts.solve(PROMPT, strategy="first", k=1, model="openai:m").error is None
            assert any(PROMPT in one.prompt for one in list(place.asked))
