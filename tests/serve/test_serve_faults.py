"""What goes wrong with a request is one sentence in OpenAI's form, and the gateway goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from doubles import FakeBackend
from serving import Client, gateway, served, slow
from waiting import soon

import tts
from tts.serve.catalog import Catalog
from tts.serve.recipe import Recipe, read_recipe

Fake = Callable[..., type[FakeBackend]]
HI = [{"role": "user", "content": "1+2"}]
KEY = "a-key-of-more-than-sixteen"


def refused(body: Any, **recipe: Any) -> tuple[int, dict[str, Any]]:
    """What a request is refused with; the gateway still answers the next one."""

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        status, said, headers = await client.post("/v1/chat/completions", body)
        assert headers["x-tts-request-id"]
        assert set(said["error"]) == {"message", "type", "param", "code"}
        assert client.log[-1]["status"] == status
        assert (await client.chat())[0] == 200
        return status, said["error"]

    return served(use, **recipe)


@pytest.mark.parametrize(
    ("change", "param", "sentence"),
    [
        ({"modle": "gsr"}, "modle", "unknown parameter 'modle'; did you mean 'model'?"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages", "the last message of a user is empty"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role", "Input should be 'system'"),
        ({"messages": "x"}, "messages", "valid list"),
        ({"temperature": 3}, "temperature", "temperature=3: Input should be less than or equal to 2"),
        ({"n": 0}, "n", "n=0"),
        ({"logprobs": True}, "logprobs", "has no log-probabilities of its own"),
        ({"frequency_penalty": 1.0}, "frequency_penalty", "no penalties"),
        ({"tts": {"deadlin": 3}}, "tts.deadlin", "Extra inputs are not permitted"),
        ({"tts": {"deadline": -1}}, "tts.deadline", "greater than 0"),
        ({"model": "gsr@k=0"}, "model", "k=0: it is a whole number from 1 on"),
        ({"model": "gsr@outputs=x"}, "model", "outputs"),
        ({"model": "gsr@outputz=2"}, "model", "did you mean 'outputs'"),
        ({"model": "gsr@template=/etc/hostname"}, "model", "template"),
        (
            {"model": "gsr@k=10000"},
            "model",
            "10,000 candidates were asked for (k=10,000, n=1) and this gateway draws",
        ),
        ({"n": 10000}, "n", "40,000 candidates were asked for (k=4, n=10,000)"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(fake: Fake, change: dict[str, Any], param: str, sentence: str) -> None:
    fake()
    status, error = refused({"model": "majority", "messages": HI, **change})
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert sentence in error["message"]


def test_an_unknown_model_is_404_with_the_nearest(fake: Fake) -> None:
    fake()
    status, error = refused({"model": "majorty", "messages": HI})
    assert (status, error["code"]) == (404, "model_not_found")
    assert "did you mean 'majority'" in error["message"]


@pytest.mark.parametrize("name", ["evil.py:Strategy", "os:system", "tts_strategies.gsr:GSR", "../../etc"])
def test_a_model_names_no_code(fake: Fake, name: str) -> None:
    fake()
    assert refused({"model": name, "messages": HI})[0] == 404
    assert refused({"model": "gsr", "messages": HI, "tts": {"strategy": name}})[0] == 404


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"[1]", b"3", b"[" * 100_000])
def test_a_body_that_is_no_object_is_400(fake: Fake, body: bytes) -> None:
    fake()
    status, error = refused(body)
    assert status == 400
    assert error["message"].startswith("the body is")


def test_a_prompt_that_is_too_long_is_told_both_numbers(fake: Fake) -> None:
    fake()
    status, error = refused(
        {"model": "gsr", "messages": [{"role": "user", "content": "x" * 5001}]}, limits={"prompt": 5000}
    )
    assert (status, error["code"]) == (400, "context_length_exceeded")
    assert "5,001 characters and this gateway takes 5,000" in error["message"]

    def full(request: tts.Request) -> None:
        if "long" in request.messages[-1].content:
            raise tts.ContextLengthError(5000, 1000, "m")

    slow(before=full)
    status, error = refused({"model": "gsr", "messages": [{"role": "user", "content": "long"}]})
    assert (status, error["code"]) == (400, "context_length_exceeded")
    assert "5,000 tokens" in error["message"]
    assert "1,000" in error["message"]


def test_a_body_of_100_megabytes_is_refused_without_being_read(fake: Fake) -> None:
    fake()
    sent = 0

    async def flood():
        nonlocal sent
        for _ in range(1600):
            sent += 1
            yield b" " * 65536

    async def use(client: Client) -> tuple[int, Any]:
        async with client.session.post("/v1/chat/completions", data=flood()) as response:
            status, said = response.status, await response.json()
        assert (await client.chat())[0] == 200
        return status, said

    try:
        status, said = served(use)
    except aiohttp.ClientError:  # the connection was closed while it was still being written
        status, said = 413, None
    assert status == 413
    assert said is None or "4,194,304 bytes" in said["error"]["message"]
    assert sent < 1600


def test_headers_of_a_megabyte_are_refused(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.session._base_url.port)
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (1 << 20) + b"\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        assert (await client.chat())[0] == 200
        return line

    assert b" 400 " in served(use)


def test_what_the_operator_has_not_allowed_is_403(fake: Fake) -> None:
    fake()
    for change in ({"model": "gsr@outputs=2"}, {"tts": {"strategy": "gsr"}}, {"tts": {"budget": 5}}):
        status, error = refused({"model": "majority", "messages": HI, **change}, allow=["deadline", "k"])
        assert (status, error["code"]) == (403, "not_allowed")
        assert "(allowed: deadline, k)" in error["message"]


def test_an_allowed_choice_counts(fake: Fake) -> None:
    backend = fake()

    async def use(client: Client) -> list[dict[str, Any]]:
        own = {"k": 2, "strategy": "gsr@outputs=3"}
        return [(await client.chat(tts=own))[1], (await client.chat(model="gsr@k=3", tts={"budget": 3}))[1]]

    said, poor = served(use)
    assert (said["tts"]["strategy"], said["tts"]["k"]) == ("gsr", 2)
    assert [request.n for request in backend.requests[:2]] == [2, 3]
    assert poor["error"]["code"] == "budget_exceeded"


def test_a_deadline_of_ten_milliseconds_is_504(fake: Fake) -> None:
    backend = slow(seconds=5.0, last=5.0)

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        said = await client.chat(model="gsr", tts={"deadline": 0.01})
        await soon(lambda: backend.live == 0)
        return said

    status, said = served(use)
    assert (status, said["error"]["code"]) == (504, "deadline_exceeded")


def test_keys_are_asked_for_and_counted(fake: Fake, tmp_path: Path) -> None:
    fake()
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{KEY} name=alice requests=2\nanother-key-of-sixteen tokens=1\n", encoding="utf-8")

    async def main() -> list[Any]:
        async with gateway(keys=keys) as client:
            body = {"model": "m", "messages": HI}
            out: list[Any] = [(await client.get("/health"))[0]]
            for given in ("", "Bearer wrong-key-wrong-key", f"Basic {KEY}", "Bearer", "Bearer café-café-café-café"):
                out.append((await client.post("/v1/chat/completions", body, Authorization=given))[:2])
            for _ in range(3):
                out.append(await client.post("/v1/chat/completions", body, Authorization=f"Bearer {KEY}"))
            other = {"Authorization": "Bearer another-key-of-sixteen"}
            out.append([(await client.post("/v1/chat/completions", body, **other))[0] for _ in range(2)])
            out.append([line.get("key") for line in client.log])
            assert KEY not in json.dumps(client.log)
            return out

    health, *wrong, first, second, third, others, named = asyncio.run(main())
    assert health == 200
    assert [status for status, _ in wrong] == [401] * 5
    assert all(said["error"]["code"] == "invalid_api_key" for _, said in wrong)
    assert (first[0], second[0], third[0]) == (200, 200, 429)
    assert 1 <= int(third[2]["Retry-After"]) <= 61
    assert others == [200, 429]
    assert named[-3:] == ["alice", "key 3", "key 3"]


@pytest.mark.parametrize("line", ["short", f"{KEY} requests=0", f"{KEY} colour=red", ""])
def test_a_file_of_keys_that_cannot_be_meant_is_refused(tmp_path: Path, line: str) -> None:
    from tts.serve.keys import Keys

    (tmp_path / "keys").write_text(line, encoding="utf-8")
    with pytest.raises(tts.ConfigError) as caught:
        Keys.read(tmp_path / "keys")
    assert KEY not in str(caught.value)


def test_without_keys_only_this_machine_is_served() -> None:
    with pytest.raises(tts.ConfigError, match="can be reached from elsewhere; give keys="):
        read_recipe(None, {"host": "0.0.0.0"})


def test_too_many_requests_wait_and_more_are_429(fake: Fake) -> None:
    backend = slow(seconds=0.3, last=0.3)

    async def use(client: Client) -> list[tuple[int, dict[str, Any], dict[str, str]]]:
        body = {"model": "m", "messages": HI}
        return await asyncio.gather(*(client.post("/v1/chat/completions", body) for _ in range(5)))

    said = served(use, limits={"requests": 1, "queue": 2})
    assert sorted(status for status, _, _ in said) == [200, 200, 200, 429, 429]
    refusals = [(one["error"]["code"], headers["Retry-After"]) for status, one, headers in said if status == 429]
    assert [code for code, _ in refusals] == ["queue_full"] * 2
    assert all(1 <= int(seconds) <= 10 for _, seconds in refusals)
    assert len(backend.requests) == 3


class Stuck(FakeBackend):
    """Never ends what it is asked in one stage: sampling, or refining."""

    stage = "sampling"
    stuck = 0

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        cls = type(self)
        refining = "Candidate Response" in request.messages[-1].content
        if refining == (cls.stage == "refining"):
            cls.stuck += 1
            try:
                await asyncio.sleep(60)
            finally:
                cls.stuck -= 1
        async for one in super().generate(request):
            yield one


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stage", ["sampling", "refining", "waiting"])
def test_a_client_that_leaves_is_cancelled_down_to_the_engine(stream: bool, stage: str) -> None:
    kind = "refining" if stage == "refining" else "sampling"
    backend = type("Here", (Stuck,), {"stage": kind, "script": staticmethod(lambda _request, _index: "\\boxed{1}")})
    tts.plugins().register("backend", "fake", backend)

    async def use(client: Client) -> None:
        door = client.gateway.admission
        bodies = [{"model": "gsr", "messages": [{"role": "user", "content": text}], "stream": stream} for text in "ab"]
        asking = [asyncio.create_task(client.post("/v1/chat/completions", body)) for body in bodies]
        await soon(lambda: backend.stuck + door.waiting == 2)
        assert door.waiting == (stage == "waiting")
        for task in asking:
            task.cancel()
        await soon(lambda: (backend.stuck, door.inside, door.waiting) == (0, 0, 0))
        await soon(lambda: [line["status"] for line in client.log] == [499, 499])

    served(use, limits={"requests": 1 if stage == "waiting" else 64})


def test_a_policy_that_is_down_is_503_and_tried_again(fake: Fake) -> None:
    up = False

    class Down(FakeBackend):
        def __init__(self, model: str, options: Any) -> None:
            if not up:
                raise tts.BackendUnavailable("nobody listens at http://gpu:8000")
            super().__init__(model, options)

    tts.plugins().register("backend", "fake", Down)

    async def use(client: Client) -> list[Any]:
        nonlocal up
        await soon(client.gateway._loading.done)  # type: ignore[union-attr]
        out: list[Any] = [await client.get("/ready"), await client.get("/health"), await client.chat()]
        up = True

        async def ready() -> bool:
            return (await client.get("/ready"))[0] == 200

        await soon(ready)
        return [*out, await client.chat()]

    (ready, why), (health, _), (status, said), (later, _) = served(use)
    assert (ready, health, status, later) == (503, 200, 503, 200)
    assert "nobody listens" in why["error"]["message"]
    assert said["error"]["code"] == "policy_unavailable"


def test_a_policy_that_fails_later_fails_that_request_only(fake: Fake) -> None:
    down = False

    def before(request: tts.Request) -> None:
        if down:
            raise tts.BackendError("the server has burnt down")

    fake(before=before)

    async def use(client: Client) -> list[int]:
        nonlocal down
        out = [(await client.chat())[0]]
        down = True
        status, said = await client.chat()
        assert "the server has burnt down" in said["error"]["message"]
        down = False
        return [*out, status, (await client.chat())[0]]

    assert served(use) == [200, 502, 200]


def test_an_error_of_the_gateway_itself_tells_nothing(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake()
    from tts.serve import chat

    def broken(_: object) -> dict[str, Any]:
        raise RuntimeError("secret")

    monkeypatch.setattr(chat, "completion", broken)

    status, said = served(Client.chat)
    assert (status, said["error"]["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(said)


def test_two_models_of_one_name_are_refused(fake: Fake, tmp_path: Path) -> None:
    fake()
    for models, sentence in [
        ({"m": {"strategy": "gsr"}}, "two models are called 'm'"),
        ({"majority": {"strategy": "gsr"}}, r"\[models.majority\] has the name of a strategy that is another one"),
    ]:
        with pytest.raises(tts.ConfigError, match=sentence):
            Catalog(Recipe(model="fake:m", models=models))
    Catalog(Recipe(model="fake:m", models={"majority": {"strategy": "majority", "k": 9}}))
    (tmp_path / "twice.toml").write_text("[models.a]\nk=1\n[models.a]\nk=2\n", encoding="utf-8")
    with pytest.raises(tts.ConfigError, match="cannot be read as TOML"):
        read_recipe(tmp_path / "twice.toml", {})


def test_the_log_has_no_prompt_unless_asked(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> list[dict[str, Any]]:
        await client.chat("7+8", model="gsr")
        return client.log

    (line,) = served(use)
    assert "7+8" not in json.dumps(line)
    assert (line["status"], line["model"], line["strategy"], line["candidates"]) == (200, "gsr", "gsr", 4)
    (line,) = served(use, log_prompts=True)
    assert line["messages"] == [{"role": "user", "content": "7+8"}]


def test_a_recipe_names_models_with_settings_of_their_own(fake: Fake, tmp_path: Path) -> None:
    backend = fake()
    path = tmp_path / "gateway.toml"
    path.write_text(
        'model = "fake:small"\nk = 3\nkeys = "keys.txt"\n[limits]\ncandidates = 9\n'
        '[models.careful]\nstrategy = "cascade@threshold=0.9"\nk = 5\nmodel = "fake:large"\ndeadline = 20\n'
        "[models.careful.sampling]\ntemperature = 0.1\n",
        encoding="utf-8",
    )
    (tmp_path / "keys.txt").write_text(KEY, encoding="utf-8")
    recipe = read_recipe(path, {"port": 0})
    assert (recipe.keys, recipe.port) == (tmp_path / "keys.txt", 0)

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        return await client.chat(model="careful")

    settings = {name: value for name, value in recipe.model_dump(exclude_unset=True).items() if name != "keys"}
    status, said = served(use, **settings)
    assert status == 200
    assert (said["tts"]["strategy"], said["tts"]["k"]) == ("cascade", 5)
    assert backend.requests[0].sampling.temperature == 0.1
    assert {one.model for one in backend.instances} >= {"large"}
    (tmp_path / "x.toml").write_text('[models.careful]\nstratgy = "gsr"\n', encoding="utf-8")
    with pytest.raises(tts.ConfigError, match=r"has no parameter 'models.careful.stratgy'"):
        read_recipe(tmp_path / "x.toml", {})
