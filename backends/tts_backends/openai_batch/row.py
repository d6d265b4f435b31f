"""One request as a line of a batch, with the line that answers it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple, Self

from tts import Request
from tts_backends.openai.wire import Wire

_PREFIX = "tts-"


class Row(NamedTuple):
    """A line of a file of requests; `id` names the request, whoever asks for it and whenever."""

    id: str
    line: bytes

    @classmethod
    def of(cls, request: Request, index: int, wire: Wire, body: bytes) -> Self:
        """The line of one completion.

        Its name is made of what is asked and not of how it is put: what a service is found to understand may differ
        from one run to the next, and the request is the same.
        """
        asked = [message.row for message in request.messages]
        sampling = request.sampling.model_dump(mode="json", exclude={"seed"})
        named = [wire.model, wire.api, wire.further, asked, sampling, request.seeds[index]]
        mark = hashlib.blake2b(json.dumps(named, sort_keys=True).encode(), digest_size=16).hexdigest()
        head = {"custom_id": f"{_PREFIX}{mark}", "method": "POST", "url": f"/v1{wire.path}"}
        return cls(head["custom_id"], json.dumps(head).encode()[:-1] + b', "body": ' + body + b"}\n")

    @staticmethod
    def id_in(line: bytes) -> str:
        """The name of the request in one of our own lines, read without taking the line apart."""
        return line[:80].split(b'"', 4)[3].decode()


class Answer(NamedTuple):
    """What came of a row: the body of a completion, or `status` and body of a refusal, or why there is neither.

    `final` says that asking once more is not wanted.
    """

    body: dict[str, Any] | None = None
    status: int = 200
    why: str = ""
    final: bool = False

    @property
    def good(self) -> bool:
        """Whether it is the body of a completion."""
        return self.status == 200 and self.body is not None

    @classmethod
    def read(cls, line: bytes) -> tuple[str, Answer] | None:
        """A line of a file of answers, with the name of its request; `None` for one that is damaged.

        Some write the body where the interface has it in a response.
        """
        try:
            found = json.loads(line)
            name, response, error = found["custom_id"], found.get("response"), found.get("error")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(name, str):
            return None
        if not isinstance(response, dict):
            told = error.get("message") or error.get("code") if isinstance(error, dict) else error
            return name, cls(why=str(told or "its line of the answers has none"))
        body = response if "choices" in response else response.get("body")
        status = response.get("status_code")
        status = status if isinstance(status, int) else 200
        if status == 200 and isinstance(body, dict) and not body.get("error") and "choices" in body:
            return name, cls(body)
        if isinstance(body, dict):
            return name, cls(body, status if status != 200 else 500)
        return name, cls(why=f"its line of the answers has no completion (status {status})")
