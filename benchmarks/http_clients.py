"""Clients over HTTP beside each other: what they cost, and what they make of servers that hang, break off or refuse.

    python benchmarks/http_clients.py [--requests 3000] [--rounds 3]

Wants aiohttp, pyqwest, pyreqwest; one that is not installed is left out, and that is said. A server in a process of its
own answers at once; each client has a process of its own, warmed up first; rounds are interleaved. CPU seconds are
those of the client's process with all its threads. All send POST requests, 64 in flight, read the body, parse it.

What a client of models must do: close the connection of a request that is cancelled, by which a server notices and
stops to generate; tell a server that nobody reached from one that broke off; hand on what is streamed when it comes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Protocol

IN_FLIGHT = 64
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "1+1 " * 200}]}).encode()
ANSWER = json.dumps({"choices": [{"message": {"content": "two " * 150}}], "usage": {"prompt_tokens": 5}}).encode()
WATCH = 2.0  # seconds in which a server must see that a connection is closed


class Client(Protocol):
    """One connection pool."""

    def __init__(self, base: str, read_timeout: float | None = None) -> None: ...
    async def post(self, path: str) -> bytes: ...
    def stream(self, path: str) -> AsyncIterator[bytes]: ...
    async def close(self) -> None: ...


class Aiohttp:
    def __init__(self, base: str, read_timeout: float | None = None) -> None:
        import aiohttp

        self.base = base
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=read_timeout)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)

    async def post(self, path: str) -> bytes:
        async with self.session.post(self.base + path, data=BODY) as response:
            return await response.read()

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        async with self.session.post(self.base + path, data=BODY) as response:
            async for chunk in response.content.iter_any():
                yield chunk

    async def close(self) -> None:
        await self.session.close()


class Pyqwest:
    def __init__(self, base: str, read_timeout: float | None = None) -> None:
        import pyqwest

        self.base = base
        self.transport = pyqwest.HTTPTransport(
            connect_timeout=5.0, read_timeout=read_timeout, pool_max_idle_per_host=IN_FLIGHT, enable_otel=False
        )
        self.client = pyqwest.Client(self.transport)

    async def post(self, path: str) -> bytes:
        return bytes((await self.client.post(self.base + path, content=BODY)).content)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        async with self.client.stream("POST", self.base + path, content=BODY) as response:
            async for chunk in response.content:
                yield bytes(chunk)

    async def close(self) -> None:
        await self.transport.aclose()


class Pyreqwest:
    def __init__(self, base: str, read_timeout: float | None = None) -> None:
        from pyreqwest.client import ClientBuilder

        self.base = base
        builder = ClientBuilder().max_connections(None).connect_timeout(timedelta(seconds=5))
        self.client = (builder.read_timeout(timedelta(seconds=read_timeout)) if read_timeout else builder).build()

    async def post(self, path: str) -> bytes:
        response = await self.client.post(self.base + path).body_bytes(BODY).build().send()
        return bytes(await response.bytes())

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        request = self.client.post(self.base + path).body_bytes(BODY).streamed_read_buffer_limit(0).build_streamed()
        async with request as response:
            while (chunk := await response.body_reader.read_chunk()) is not None:
                yield bytes(chunk)

    async def close(self) -> None:
        await self.client.close()


CLIENTS: dict[str, type[Client]] = {"aiohttp": Aiohttp, "pyqwest": Pyqwest, "pyreqwest": Pyreqwest}


# --- the server ------------------------------------------------------------------------------------------------------


class Server:
    """Answers by path; `closed` has how long after it began to wait each connection was closed."""

    def __init__(self) -> None:
        self.closed: dict[str, float] = {}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self.exchange(reader, writer):
                pass
        writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        path = head[0].split(" ")[1]
        await reader.readexactly(next(int(one.split(":")[1]) for one in head if one.startswith("content-length")))
        if path in {"/hang", "/half"}:
            if path == "/half":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            began = time.monotonic()
            if not await reader.read(1):
                self.closed[path] = time.monotonic() - began
            return False
        if path == "/drop":
            return False
        if path == "/stream":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                writer.write(b"5\r\nhello\r\n")
                await writer.drain()
                await asyncio.sleep(0.2)
            writer.write(b"0\r\n\r\n")
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        return True


def serve(ready: Connection) -> None:
    async def main() -> None:
        server = await asyncio.start_server(Server().connected, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


# --- what is measured ------------------------------------------------------------------------------------------------


def cost(name: str, base: str, requests: int, result: Connection) -> None:
    async def main() -> None:
        client = CLIENTS[name](base)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one() -> None:
            async with slots:
                assert "choices" in json.loads(await client.post("/ok"))

        await asyncio.gather(*(one() for _ in range(500)))
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(one() for _ in range(requests)))
        after = resource.getrusage(resource.RUSAGE_SELF)
        result.send(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        await client.close()

    asyncio.run(main())


async def conduct(name: str) -> dict[str, str]:
    """What a client makes of each behaviour, in words."""
    own = Server()
    server = await asyncio.start_server(own.connected, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client, said = CLIENTS[name](base), {}
    for path, what in (("/hang", "a request without an answer"), ("/half", "a stream")):
        task = asyncio.create_task(client.post(path) if path == "/hang" else _drained(client, path))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(WATCH)
        said[f"cancelled: {what}"] = "closed" if path in own.closed else f"open {WATCH:g} s later"
    began, times = time.monotonic(), []
    async for _ in client.stream("/stream"):
        times.append(time.monotonic() - began)
    said["chunks that come at 0, 0.2 and 0.4 s"] = ", ".join(f"{one:.1f}" for one in times)
    said["a connection that breaks off before the answer"] = await _error(client, "/drop")
    await client.close()
    for what, address, limit in (("nobody there", "http://127.0.0.1:1", None), ("silence", base, 0.3)):
        other = CLIENTS[name](address, limit)
        said[what] = await _error(other, "/hang")
        await other.close()
    return said


async def _drained(client: Client, path: str) -> None:
    async for _ in client.stream(path):
        pass


async def _error(client: Client, path: str) -> str:
    try:
        await client.post(path)
    except Exception as error:
        return type(error).__name__
    return "no error"


def in_process(name: str, base: str, requests: int) -> float:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=cost, args=(name, base, requests, there))
    process.start()
    found: float = here.recv()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    names = [name for name in CLIENTS if find_spec(name)]
    for name in sorted(CLIENTS.keys() - set(names)):
        print(f"{name} is not installed and is left out")
    for name in names:
        print(f"\n{name}")
        for what, found in asyncio.run(conduct(name)).items():
            print(f"  {what}: {found}")
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{here.recv()}"
    costs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            costs[name].append(1000 * in_process(name, base, arguments.requests) / arguments.requests)
    print("\nCPU seconds per 1,000 requests: median (all)")
    for name, found in costs.items():
        print(f"  {name}: {statistics.median(found):.3f} ({', '.join(f'{one:.3f}' for one in found)})")
    server.terminate()


if __name__ == "__main__":
    main()
