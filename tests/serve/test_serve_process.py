"""`tts serve` as a process: it says where it is, it drains, it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from waiting import line, soon

PROGRAM = Path(__file__).parents[1] / "cli" / "fake_backend.py"
BODY = {"model": "gsr", "messages": [{"role": "user", "content": "1+2"}]}


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and where it serves."""
    command = [sys.executable, str(PROGRAM), "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            said = line(program, of="stderr")
            address = re.search(r"at (http://127.0.0.1:\d+)/v1", said)
            assert address, said
            yield program, address[1]
        finally:
            program.kill()


async def ask(address: str) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/chat/completions", json=BODY) as response,
    ):
        return response.status, await response.json()


def test_it_answers_logs_and_ends_at_sigterm() -> None:
    with started("-m", "fake:7", "-k", "3") as (program, address):
        status, said = asyncio.run(ask(address))
        assert (status, said["choices"][0]["message"]["content"]) == (200, "It is \\boxed{7}.")
        logged = json.loads(line(program))
        assert (logged["status"], logged["path"], logged["candidates"]) == (200, "/v1/chat/completions", 3)
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0


async def answering(session: aiohttp.ClientSession) -> None:
    """Return once a request is being answered."""

    async def inside() -> bool:
        async with session.get("/health") as response:
            return bool((await response.json())["answering"])

    await soon(inside)


def test_sigterm_answers_what_is_under_way_and_takes_no_more() -> None:
    async def main(program: subprocess.Popen[str], address: str) -> list[int]:
        async with aiohttp.ClientSession(address) as session:
            asking = asyncio.create_task(ask(address))
            await answering(session)
            os.kill(program.pid, signal.SIGTERM)

            async def draining() -> bool:
                async with session.get("/ready") as response:
                    return "being stopped" in (await response.text())

            await soon(draining)
            late = (await ask(address))[0]
            return [late, (await asking)[0]]

    with started("-m", "fake:7@seconds=1.0", "-k", "3") as (program, address):
        assert asyncio.run(main(program, address)) == [503, 200]
        assert program.wait(60) == 0


def test_a_second_signal_ends_it() -> None:
    async def main(program: subprocess.Popen[str], address: str) -> None:
        async with aiohttp.ClientSession(address) as session:
            asking = asyncio.create_task(ask(address))
            await answering(session)
            os.kill(program.pid, signal.SIGTERM)
            line(program, of="stderr")
            os.kill(program.pid, signal.SIGTERM)
            with pytest.raises(aiohttp.ClientError):
                await asking

    with started("-m", "fake:7@seconds=600") as (program, address):
        asyncio.run(main(program, address))
        assert program.wait(60) == 0


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with started("-m", "fake:7") as (_, address):
        port = address.rpartition(":")[2]
        command = [sys.executable, str(PROGRAM), "serve", "-m", "fake:7", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: cannot listen at 127.0.0.1:{port}: ")
