"""SGLang's native interface over the hf backend, on a thread of this process."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from aiohttp import web
from waiting import joined

from tts import Message, Request, Sampling
from tts_backends.checkpoints.chat import Prompt
from tts_backends.hf import HFBackend
from tts_backends.hf.decode import Job

ABOUT: dict[str, Any] = {
    "served_model_name": "miniature", "model_path": "/models/small", "tokenizer_path": "/models/small",
    "dtype": "float32", "weight_version": "default", "max_req_input_len": 2042, "max_running_requests": 32,
    "dp_size": 2, "enable_priority_scheduling": True, "schedule_low_priority_values_first": True,
    "enable_deterministic_inference": True, "disable_radix_cache": False,
}  # fmt: skip


class NativeServer:
    """Serves the miniature; `answers` are (status, body) that the next requests get instead of a completion."""

    def __init__(self) -> None:
        self.model = HFBackend("miniature", HFBackend.Options(dtype="float32"))
        self.answers: list[tuple[int, str]] = []
        self.asked: list[dict[str, Any]] = []
        self.whole = False  # whether each event of a stream has all tokens so far
        self.loses = 0  # events of streams that are left out
        self._jobs: dict[str, Job] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> int:
        return len(self.model._batcher._live)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        joined(self._thread)
        self._loop.close()
        asyncio.run(self.model.aclose())

    async def _start(self) -> int:
        app = web.Application()
        app.add_routes(
            [
                web.get("/get_server_info", self._about),
                web.get("/v1/models", self._models),
                web.post("/generate", self._generate),
                web.post("/classify", self._classify),
                web.post("/abort_request", self._abort),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _about(self, _: web.Request) -> web.Response:
        return web.json_response(ABOUT)

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "miniature", "max_model_len": 2048}]})

    async def _classify(self, request: web.Request) -> web.Response:
        ids = (await request.json())["input_ids"]
        return web.json_response({"embedding": [sum(ids) / 100], "meta_info": {"prompt_tokens": len(ids)}})

    async def _abort(self, request: web.Request) -> web.Response:
        job = self._jobs.get((await request.json())["rid"])
        if job is not None:
            job.cancelled = True
        return web.Response()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.answers:
            status, text = self.answers.pop(0)
            return web.Response(status=status, text=text)
        wanted = body["sampling_params"]
        if wanted["max_new_tokens"] == 0:
            return web.json_response(_said([], "length", 0))
        job = Job(_request(wanted, body), Prompt(body["input_ids"], False), wanted["max_new_tokens"])
        self._jobs[body["rid"]] = job
        if body.get("stream"):
            return await self._stream(request, body, job)
        self.model._batcher.submit(job)
        return web.json_response(await self._done(body, job))

    async def _stream(self, request: web.Request, body: dict[str, Any], job: Job) -> web.StreamResponse:
        """Events with all tokens, or those since the last event, before which the first has the prompt's end."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        steps: asyncio.Queue[int | None] = asyncio.Queue()
        job.heard = lambda row: steps.put_nowait(len(row.tokens))
        self.model._batcher.submit(job)
        over = asyncio.create_task(job.done.wait())
        over.add_done_callback(lambda _: steps.put_nowait(None))
        sent, (row,) = 0, job.rows
        while (count := await steps.get()) is not None:
            if self.loses and count > 1:
                self.loses, sent = self.loses - 1, count
                continue
            ids = body["input_ids"][-5:] + row.tokens[:count] if self.whole or not sent else row.tokens[sent:count]
            await response.write(_event({"output_ids": ids, "meta_info": _meta(None, 0, count)}))
            sent = count
        said = await self._done(body, job)
        if sent and not self.whole:
            said["output_ids"] = row.tokens[sent:]
        await response.write(_event(said) + b"data: [DONE]\n\n")
        return response

    async def _done(self, body: dict[str, Any], job: Job) -> dict[str, Any]:
        """What is said once a job is over."""
        await job.done.wait()
        del self._jobs[body["rid"]]
        (row,) = job.rows
        if job.cancelled and not row.finished:
            return _said(row.tokens, "abort", 0)
        said = _said(row.tokens, row.finish_reason, len(body["input_ids"]) - 1)
        said["output_ids"] = body["input_ids"][-5:] + row.tokens  # as SGLang 0.5 has it
        if row.text is not None:
            said["meta_info"]["finish_reason"]["matched"] = "a stop string"
        if body["return_logprob"]:
            said["meta_info"]["output_token_logprobs"] = [[row.logprob, 0, None]]
        return said


def _request(wanted: dict[str, Any], body: dict[str, Any]) -> Request:
    sampling = Sampling(
        temperature=wanted["temperature"],
        top_p=wanted["top_p"],
        top_k=None if wanted["top_k"] == -1 else wanted["top_k"],
        stop=tuple(wanted["stop"]),
        logprobs=body["return_logprob"],
    )
    messages = (Message(role="user", content="as tokens"),)
    return Request(messages=messages, seeds=(wanted["sampling_seed"],), sampling=sampling)


def _said(tokens: list[int], reason: str, cached: int) -> dict[str, Any]:
    return {"output_ids": tokens, "meta_info": _meta({"type": reason}, cached, len(tokens))}


def _meta(reason: dict[str, Any] | None, cached: int, count: int) -> dict[str, Any]:
    return {"finish_reason": reason, "cached_tokens": cached, "completion_tokens": count}


def _event(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"
