"""The server of `openai_server.py` with `/v1/files` and `/v1/batches` as OpenAI documents them, and their faults.

    python openai_batch_server.py --folder FOLDER [--port 0] [--model hf:miniature]

Files and batches are in the folder, so that a server which is started again goes on with them. What it does otherwise
than it should is set by `POST /faults` (a JSON object of the fields of `Faults`); `GET /ran` tells what it was given.
A batch is worked on when it is asked about.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from openai_server import Server, end, error, loaded, serve


@dataclasses.dataclass
class Faults:
    """Numbers say how many requests meet a fault, or how many rows of a batch."""

    seconds: float = 0.0  # until a batch is done
    cut_upload: int = 0  # the connection breaks off while a file comes
    short_upload: int = 0  # half of a file arrives
    made_500: int = 0  # a batch is made, and the answer is 500
    lost_500: int = 0  # none is made, and the answer is 500
    poll_500: int = 0
    unlisted: bool = False  # there is no list of batches
    reverse: bool = False  # answers in another order than requests
    missing: int = 0  # rows without any line, the first ones
    errors: int = 0  # rows in the file of errors, the next ones
    status: str = "completed"  # how a batch ends: expired and cancelled have answered half
    crowded: int = 0  # batches that find no room
    forgets: bool = False  # knows no batch when it is asked about one
    kill: int = 0  # a process that is killed when it asks what `at` says, before or after that is done
    at: str = ""
    after: bool = False


class BatchServer(Server):
    def __init__(self, folder: Path, backend: Any = None) -> None:
        super().__init__(backend)
        self.folder, self.faults = folder, Faults()
        self.uploads = 0
        kept = folder / "batches.json"
        self.batches: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self.killing)
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{file}/content", self.content)
        app.router.add_post("/v1/batches", self.make)
        app.router.add_get("/v1/batches", self.list)
        app.router.add_get("/v1/batches/{batch}", self.tell)
        app.router.add_post("/faults", self.misbehave)
        app.router.add_get("/ran", self.ran)
        return app

    async def misbehave(self, request: web.Request) -> web.Response:
        self.faults = Faults(**await request.json())
        return web.json_response({})

    async def ran(self, _: web.Request) -> web.Response:
        """How often each row was run, by its name, and the batches in the order in which they were made."""
        runs: dict[str, int] = {}
        for batch in self.batches.values():
            for row in self._rows(batch) if batch["status"] != "failed" else ():
                runs[row["custom_id"]] = runs.get(row["custom_id"], 0) + 1
        return web.json_response({"rows": runs, "batches": list(self.batches.values()), "uploads": self.uploads})

    @web.middleware
    async def killing(self, request: web.Request, handler: Any) -> web.StreamResponse:
        faults, asked = self.faults, f"{request.method} {request.path}"
        here = faults.kill and faults.at and asked.startswith(faults.at)
        if here and not faults.after:
            self._kill()
        response: web.StreamResponse = await handler(request)
        if here and faults.after:
            self._kill()
        return response

    def _kill(self) -> None:
        os.kill(self.faults.kill, signal.SIGKILL)
        self.faults.kill = 0
        raise web.HTTPServiceUnavailable

    def _met(self, fault: str) -> bool:
        left = getattr(self.faults, fault)
        setattr(self.faults, fault, max(left - 1, 0))
        return bool(left > 0)

    def _keep(self) -> None:
        new = self.folder / "batches.new"
        new.write_text(json.dumps(self.batches))
        new.replace(self.folder / "batches.json")  # it may be ended in the middle of this, and is started again

    # --- files -----------------------------------------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.Response:
        if self._locked(request):
            return error(401, "Incorrect API key provided.")
        if self._met("cut_upload"):
            await request.content.read(100)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        form = await request.post()
        file, purpose = form["file"], form["purpose"]
        assert isinstance(file, web.FileField)
        assert purpose == "batch"
        content = file.file.read()
        if self._met("short_upload"):
            content = content[: len(content) // 2]
        self.uploads += 1
        name = self._store(content)
        return web.json_response(
            {"id": name, "object": "file", "bytes": len(content), "filename": file.filename, "purpose": purpose}
        )

    def _store(self, content: bytes) -> str:
        name = f"file-{len(list(self.folder.glob('file-*'))):04d}"
        (self.folder / name).write_bytes(content)
        return name

    async def content(self, request: web.Request) -> web.Response:
        path = self.folder / request.match_info["file"]
        return web.Response(body=path.read_bytes()) if path.exists() else error(404, "No such File object")

    # --- batches ---------------------------------------------------------------------------------------------------

    async def make(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self._met("lost_500"):
            return error(500, "The server had an error.")
        if body.get("completion_window") != "24h" or body.get("endpoint") != "/v1/chat/completions":
            return error(400, f"Invalid request: {body}")
        if not (self.folder / body["input_file_id"]).exists():
            return error(400, "No such File object")
        batch = {
            "id": f"batch_{len(self.batches):04d}", "object": "batch", "status": "validating", **body,
            "created_at": int(time.time()), "errors": None, "output_file_id": None, "error_file_id": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }  # fmt: skip
        self.batches[batch["id"]] = batch
        self._keep()
        return error(500, "The server had an error.") if self._met("made_500") else web.json_response(batch)

    async def list(self, request: web.Request) -> web.Response:
        if self.faults.unlisted:
            return error(404, "Not Found")
        newest = list(self.batches.values())[::-1]
        after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
        start = 1 + next((i for i, one in enumerate(newest) if one["id"] == after), -1) if after else 0
        page = newest[start : start + limit]
        return web.json_response({"object": "list", "data": page, "has_more": start + limit < len(newest)})

    async def tell(self, request: web.Request) -> web.Response:
        if self._met("poll_500"):
            return error(500, "The server had an error.")
        batch = self.batches.get(request.match_info["batch"])
        if batch is None or self.faults.forgets:
            return error(404, "No batch found with that id.")
        if batch["status"] in {"validating", "in_progress"}:
            if self._met("crowded"):
                told = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for m."}
                batch |= {"status": "failed", "errors": {"object": "list", "data": [told]}}
            elif time.time() >= batch["created_at"] + self.faults.seconds:
                await self._run(batch)
            else:
                batch["status"] = "in_progress"
            self._keep()
        return web.json_response(batch)

    def _rows(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / batch["input_file_id"]).read_text().splitlines()]

    async def _run(self, batch: dict[str, Any]) -> None:
        faults, rows = self.faults, self._rows(batch)
        names = [row["custom_id"] for row in rows]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 64 for name in names)
        half = faults.status in {"expired", "cancelled"}
        done, failed = [], []
        for place, row in enumerate(rows):
            if half and place >= len(rows) // 2:
                failed.append(self._line(row, None, {"code": f"batch_{faults.status}", "message": "Too late."}))
            elif faults.missing <= place < faults.missing + faults.errors:
                failed.append(self._line(row, error(500, "The server had an error.")))
            elif place >= faults.missing and faults.status != "failed":
                answer = await self._answered(row["body"])
                if not isinstance(answer, web.Response):
                    end(answer, self._fault())
                (failed if isinstance(answer, web.Response) else done).append(self._line(row, answer))
        batch["status"] = faults.status
        counts = {"total": len(rows), "completed": len(done), "failed": len(failed)}
        files = {
            "output_file_id": self._lines(done[::-1] if faults.reverse else done),
            "error_file_id": self._lines(failed),
        }
        batch |= {"request_counts": counts, **files}

    async def _answered(self, body: dict[str, Any]) -> dict[str, Any] | web.Response:
        for name in self.behaviour.refuses:
            if name in body:
                return error(400, f"Unsupported parameter: '{name}'")
        return await self._generate(body) if self.backend else self._write(body)

    def _line(self, row: dict[str, Any], answer: Any, failed: Any = None) -> dict[str, Any]:
        response = None
        if isinstance(answer, web.Response):
            response = {"status_code": answer.status, "request_id": "r", "body": json.loads(answer.text or "")}
        elif answer is not None:
            response = {"status_code": 200, "request_id": "r", "body": answer}
        return {"id": "batch_req_1", "custom_id": row["custom_id"], "response": response, "error": failed}

    def _lines(self, lines: list[dict[str, Any]]) -> str | None:
        return self._store("".join(json.dumps(line) + "\n" for line in lines).encode()) if lines else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default="")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(arguments.port, BatchServer(arguments.folder, loaded(arguments.model))))


if __name__ == "__main__":
    main()
