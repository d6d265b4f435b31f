"""The misbehaving server of the backend's tests, with a model that can add: `python sums_server.py`.

It answers by prompt and seed alone, one time in three by one too much, so two runs that end say the same. `hostile` is
put before an answer.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

import openai_server


@dataclasses.dataclass
class Behaviour(openai_server.Behaviour):
    context: int | None = None
    delay: float = 0.02
    hostile: str = ""


class Sums(openai_server.Server):
    """Adds the last two numbers of a prompt."""

    def _choice(self, body: dict[str, Any], index: int, text: str, finish: str) -> dict[str, Any]:
        prompt = "\n".join(message["content"] for message in body["messages"])
        found = re.search(r"What is (\d+)\+(\d+)\?", prompt)
        a, b = found.groups() if found else ("0", "0")  # a question about the server itself
        number = int(hashlib.sha256(f"{prompt}/{body.get('seed')}/{index}".encode(errors="replace")).hexdigest(), 16)
        said = f"{self.behaviour.hostile}Adding gives \\boxed{{{int(a) + int(b) + (number % 3 == 0)}}}"
        return super()._choice(body, index, said, "stop")


openai_server.Behaviour = Behaviour  # type: ignore[misc]
openai_server.Server = Sums  # type: ignore[misc]

if __name__ == "__main__":
    asyncio.run(openai_server.serve(0, None))
