"""Clients that go away, in whatever stage, and clients that are slow: nothing goes on for them, nobody else waits."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from doubles import FakeBackend, FirstJudge, LengthScorer
from serving import Client, served
from waiting import soon

import tts

Fake = Callable[..., type[FakeBackend]]
LARGE = "\\boxed{3}" + "x" * (12 << 20)  # more than sockets keep


class Stuck(FakeBackend):
    """A policy that never ends one stage: sampling, or writing from candidates."""

    capabilities = tts.Capabilities(seed=True, concurrency=64, streams=True)
    stage = "sampling"
    stuck = 0

    @classmethod
    async def hang(cls) -> None:
        cls.stuck += 1
        try:
            await asyncio.Event().wait()
        finally:
            cls.stuck -= 1

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        cls = type(self)
        writing = "Candidate Response" in request.messages[-1].content
        if cls.stage == "telling" and writing and request.on_text is not None:
            request.on_text(0, "It is ")
            await cls.hang()
        if writing == (cls.stage == "refining") and cls.stage in ("sampling", "refining"):
            await cls.hang()
        async for one in super().generate(request):
            yield one


def stuck(stage: str) -> type[Stuck]:
    script = staticmethod(lambda request, index: f"\\boxed{{{index}}}")
    made = type("Here", (Stuck,), {"stage": stage, "script": script})

    class Scorer(LengthScorer):
        async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
            await made.hang()
            return []

    class Judge(FirstJudge):
        async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
            await made.hang()
            return tts.Verdict(winner="a")

    for kind, cls in (("backend", made), ("scorer", Scorer), ("judge", Judge)):
        tts.plugins().register(kind, "fake", cls)
    return made


STAGES = {"sampling": "gsr", "refining": "gsr", "scoring": "best_of_n", "judging": "knockout"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_leaves_ends_what_is_done_for_it(stage: str, stream: bool) -> None:
    backend = stuck(stage)

    async def use(client: Client) -> dict[str, Any]:
        body = {"model": STAGES[stage], "messages": [{"role": "user", "content": "1+2"}], "stream": stream}
        asking = asyncio.create_task(client.post("/v1/chat/completions", body))
        await soon(lambda: backend.stuck, asking)
        asking.cancel()
        await soon(lambda: (backend.stuck, client.gateway.admission.inside, client.app.open) == (0, 0, 0))
        await soon(lambda: client.log)
        return client.log[0]

    assert served(use, scorer="fake:s", judge="fake:j")["status"] == 499


def test_a_client_that_leaves_in_the_middle_of_an_answer_ends_it() -> None:
    backend = stuck("telling")

    async def use(client: Client) -> dict[str, Any]:
        await client.chat(model="m")  # now it is known how the policy marks its thinking
        body = {"model": "gsr", "messages": [{"role": "user", "content": "1+2"}], "stream": True}
        async with client.session.post("/v1/chat/completions", json=body) as response:
            line = await response.content.readline()
            assert json.loads(line.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "It is "
        await soon(lambda: (backend.stuck, client.gateway.admission.inside, client.app.open) == (0, 0, 0))
        await soon(lambda: len(client.log) == 2)
        return client.log[1]

    assert served(use)["status"] == 499


@pytest.fixture
def large(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy whose answer to 9+9 is more than sockets keep; to look for the result in it would take seconds."""
    monkeypatch.setattr("tts.engine.engine.extractor_of", lambda _: lambda text: "3")
    fake(script=lambda request, index: LARGE if "9+9" in request.messages[-1].content else "\\boxed{3}")


async def begun(client: Client, body: bytes, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request of which only so much is sent, by a client that reads nothing by itself."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", client.session._base_url.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


def test_a_client_that_leaves_while_it_sends_is_noticed(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> dict[str, Any]:
        _, writer = await begun(client, b'{"model": ', 1000)
        await soon(lambda: client.app.open)
        writer.close()
        await soon(lambda: client.log)
        return client.log[0]

    assert served(use)["status"] in (400, 499)


def test_a_request_that_never_comes_to_its_end_is_408(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> tuple[bytes, int]:
        reader, writer = await begun(client, b'{"model": ', 1000)
        line = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        return line, (await client.chat())[0]

    assert served(use, limits={"patience": 0.2}) == (b"HTTP/1.1 408 Request Timeout\r\n", 200)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_takes_nothing_is_closed_and_keeps_nobody_waiting(large: None, stream: bool) -> None:

    async def use(client: Client) -> tuple[dict[str, Any], int]:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "9+9"}], "stream": stream}).encode()
        _, writer = await begun(client, body, len(body))
        await soon(lambda: client.log)
        (line,) = client.log
        writer.close()
        assert (client.app.open, client.gateway.admission.inside) == (0, 0)
        return line, (await client.get("/health"))[0]

    line, health = served(use, limits={"patience": 0.5, "requests": 1})
    assert (line["status"], health) == (499, 200)


@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_reader_gets_all_of_it_and_others_are_answered_meanwhile(large: None, stream: bool) -> None:

    async def use(client: Client) -> int:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "9+9"}], "stream": stream}).encode()
        reader, writer = await begun(client, body, len(body))
        await reader.readline()  # it has begun, and is not taken
        assert (await client.chat(model="m"))[0] == 200  # with room for one request only
        assert client.app.open == 1
        client.app.draining = True
        idle = asyncio.create_task(client.app.idle())
        await asyncio.sleep(0)
        assert not idle.done()  # what is under way is seen out
        taken = 0
        while taken < len(LARGE):
            taken += len(await reader.read(1 << 20))
        await asyncio.wait_for(idle, 30)
        writer.close()
        return client.log[-1]["status"]

    assert served(use, limits={"requests": 1}) == 200
