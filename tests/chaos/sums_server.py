"""The misbehaving server of the backend's tests, with a model that can add: `python sums_server.py`.

It answers by prompt and seed alone, one time in three by one too much, so two runs that end say the same. `hostile` is
put before an answer. Questions about the server itself are answered as they should be, and not counted: a server that
misbehaves at these is another kind of server from then on, which the backend's own tests look at.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

import openai_server

_Server = openai_server.Server


@dataclasses.dataclass
class Behaviour(openai_server.Behaviour):
    context: int | None = None
    delay: float = 0.02
    hostile: str = ""


class Sums(_Server):
    """Adds the first two numbers of a prompt."""

    def __init__(self, backend: Any = None) -> None:
        super().__init__(backend)
        self.calm = _Server(backend)
        self.calm.behaviour = Behaviour(delay=0.0)

    async def _answer(self, request: Any, body: dict[str, Any]) -> Any:
        if "What is" in json.dumps(body):
            return await super()._answer(request, body)
        self.asked -= 1
        return await self.calm._answer(request, body)

    def _choice(self, body: dict[str, Any], index: int, text: str, finish: str) -> dict[str, Any]:
        prompt = "\n".join(message["content"] for message in body["messages"])
        a, b = re.findall(r"What is (\d+)\+(\d+)\?", prompt)[0]
        number = int(hashlib.sha256(f"{prompt}/{body.get('seed')}/{index}".encode(errors="replace")).hexdigest(), 16)
        said = f"{self.behaviour.hostile}Adding gives \\boxed{{{int(a) + int(b) + (number % 3 == 0)}}}"
        return super()._choice(body, index, said, "stop")

    def _write(self, body: dict[str, Any]) -> Any:
        """Half surrogate pairs are what a real server's JSON makes of them, too; they have no bytes."""
        return super()._write(json.loads(json.dumps(body).encode().replace(b"\\ud83d", b"\\ufffd")))


openai_server.Behaviour = Behaviour  # type: ignore[misc]
openai_server.Server = Sums  # type: ignore[misc]

if __name__ == "__main__":
    asyncio.run(openai_server.serve(0, openai_server.Server()))
