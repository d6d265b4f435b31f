"""A server with OpenAI's interface, in a process of its own, that can misbehave in every way that servers do.

    python openai_server.py [--port 0] [--model hf:miniature]

It prints its port. Without a model it writes at once; with one it serves the model through its backend. What it does
otherwise than it should is set by `POST /control` (a JSON object of the fields of `Behaviour`); `GET /stats` tells what
it was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import json
import os
import random
import re
from collections import Counter
from typing import Any

from aiohttp import web

PAGE = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"


@dataclasses.dataclass
class Behaviour:
    """`fault` meets a share `rate` of the requests, or the first `times` of them; `delay` is in seconds."""

    fault: str = ""
    rate: float = 1.0
    times: int = 10**9
    delay: float = 0.0
    n: bool = True
    seed: bool = True
    logprobs: bool = True
    usage: bool = True
    reasoning: str = ""
    tokenize: bool = True
    models: tuple[str, ...] | None = ("m",)
    context: int | None = 1000
    key: str = ""
    limit: str = "max_tokens"
    refuses: tuple[str, ...] = ()
    retry_after: str = ""
    system_fingerprint: str = ""


class Server:
    def __init__(self, backend: Any = None) -> None:
        self.behaviour, self.backend = Behaviour(), backend
        self.asked = self.answered = self.cancelled = self.running = self.peak = 0
        self.bodies: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.completed: Counter[str] = Counter()  # by prompt and seed
        self.rng = random.Random(0)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_post("/v1/completions", self.complete)
        app.router.add_post("/tokenize", self.tokenize)
        app.router.add_post("/control", self.control)
        app.router.add_get("/stats", self.stats)
        if self.backend is not None:
            app.on_cleanup.append(lambda _: self.backend.aclose())
        return app

    # --- about itself ----------------------------------------------------------------------------------------------

    async def control(self, request: web.Request) -> web.Response:
        self.behaviour = dataclasses.replace(Behaviour(), **await request.json())
        self.asked = self.answered = self.cancelled = self.peak = 0
        self.bodies, self.completed, self.rng = [], Counter(), random.Random(0)
        return web.json_response({})

    async def stats(self, _: web.Request) -> web.Response:
        own = ("asked", "answered", "cancelled", "running", "peak", "headers")
        found = {name: getattr(self, name) for name in own}
        return web.json_response({**found, "bodies": self.bodies[-50:], "completed": dict(self.completed)})

    async def models(self, request: web.Request) -> web.Response:
        if self._locked(request):
            return error(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        if self.behaviour.models is None:
            return error(404, "no such page")
        card = {} if self.behaviour.context is None else {"max_model_len": self.behaviour.context}
        return web.json_response({"data": [{"id": name, "root": name, **card} for name in self.behaviour.models]})

    async def tokenize(self, request: web.Request) -> web.Response:
        if not self.behaviour.tokenize:
            return error(404, "no such page")
        body = await request.json()
        if self.backend is not None:
            (count,) = await self.backend.count_tokens([body["prompt"]])
        else:
            count = len(body["prompt"].split())
        return web.json_response({"count": count})

    def _locked(self, request: web.Request) -> bool:
        self.headers = dict(request.headers)
        key = self.behaviour.key
        return bool(key) and request.headers.get("Authorization") != f"Bearer {key}"

    # --- completions -----------------------------------------------------------------------------------------------

    async def complete(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.asked += 1
        body = json.loads(raw)
        self.bodies.append(body)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await self._answer(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        behaviour = self.behaviour
        if self._locked(request):
            return error(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        if behaviour.models is not None and body["model"] not in behaviour.models:
            return error(404, f"The model `{body['model']}` does not exist.")
        for name in behaviour.refuses:
            if name in body:
                return error(400, f"Unsupported parameter: '{name}'")
        if behaviour.limit == "max_completion_tokens" and "max_tokens" in body:
            return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        fault = self._fault()
        if fault and (response := await self._misbehave(fault, request)) is not None:
            return response
        await asyncio.sleep(behaviour.delay)
        if self.backend is not None:
            answer = await self._generate(body)
        else:
            answer = self._write(body)
        if isinstance(answer, web.Response):
            return answer
        answer |= {"system_fingerprint": behaviour.system_fingerprint} if behaviour.system_fingerprint else {}
        end(answer, fault)
        if not behaviour.usage:
            answer.pop("usage")
        if body.get("stream"):
            return await self._stream(request, answer, broken=fault == "half stream")
        text = json.dumps(answer)
        if fault == "truncated":
            return await self._cut(request, text)
        self._count(body)
        return web.Response(text=text, content_type="application/json")

    def _count(self, body: dict[str, Any]) -> None:
        self.answered += 1
        prompt = body.get("prompt") or body["messages"][-1]["content"]
        self.completed[f"{prompt}/{body.get('seed')}"] += 1

    def _fault(self) -> str:
        behaviour = self.behaviour
        if not behaviour.fault or behaviour.times <= 0 or self.rng.random() >= behaviour.rate:
            return ""
        behaviour.times -= 1
        return self.rng.choice(behaviour.fault.split("|"))

    async def _misbehave(self, fault: str, request: web.Request) -> web.StreamResponse | None:
        if fault.isdigit():
            headers = {"Retry-After": self.behaviour.retry_after} if self.behaviour.retry_after else {}
            return error(int(fault), "something is wrong here", headers)
        if fault == "malformed":
            return web.Response(text='{"choices": [{"index": 0, "mess', content_type="application/json")
        if fault == "strange":
            return web.json_response({"choices": [{"index": 0}]})
        if fault == "filtered":
            said = {"message": "The prompt was filtered.", "code": "content_filter"}
            return web.json_response({"error": said}, status=400)
        if fault == "page":
            return web.Response(text=PAGE, content_type="text/html")
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "disconnect":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "die":
            os._exit(1)
        return None

    async def _cut(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(text)), "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(text[: len(text) // 2].encode())
        assert request.transport is not None
        request.transport.close()
        return response

    async def _stream(self, request: web.Request, answer: dict[str, Any], *, broken: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        choice = answer["choices"][0]
        message = dict(choice["message"]) if "message" in choice else {"content": choice["text"]}
        pieces = [
            (name, piece) for name in ("reasoning_content", "content", "refusal") for piece in words(message.get(name))
        ]
        for name, piece in pieces[: len(pieces) // 2 if broken else None]:
            part = {"delta": {name: piece}} if "message" in choice else {"text": piece}
            told = {"system_fingerprint": answer.get("system_fingerprint")}
            await response.write(event({"choices": [{"index": 0, **part}], **told}))
            await asyncio.sleep(self.behaviour.delay / 100)
        if broken:
            assert request.transport is not None
            request.transport.close()
            return response
        for place, call in enumerate(message.get("tool_calls") or ()):  # the arguments in two pieces, as servers do
            head, tail = call["function"]["arguments"][:7], call["function"]["arguments"][7:]
            named = {**call, "index": place, "function": {**call["function"], "arguments": head}}
            rest = {"index": place, "function": {"arguments": tail}}
            for piece in (named, rest):
                await response.write(event({"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}))
        last = {"index": 0, "delta": {}, "text": "", "finish_reason": choice["finish_reason"]}
        await response.write(event({"choices": [{**last, "logprobs": choice.get("logprobs")}]}))
        if "usage" in answer:
            await response.write(event({"choices": [], "usage": answer["usage"]}))
        await response.write(b"data: [DONE]\n\n")
        self._count(json.loads(await request.read()))
        return response

    def _write(self, body: dict[str, Any]) -> dict[str, Any] | web.Response:
        """What a model might say: eight words that go by prompt and seed."""
        behaviour = self.behaviour
        prompt = body.get("prompt") or "\n".join(str(m.get("content")) for m in body["messages"])
        length, most = len(prompt.split()), body.get("max_tokens") or body.get("max_completion_tokens") or 16
        if behaviour.context is not None and length + most > behaviour.context:
            return error(
                400, f"This model's maximum context length is {behaviour.context} tokens. However, you requested "
                f"{length + most} tokens ({length} in the messages, {most} in the completion)."
            )  # fmt: skip
        number = (body.get("n") or 1) if behaviour.n else 1
        choices, total = [], 0
        for index in range(number):
            seed = f"{body.get('seed')}/{index}" if behaviour.seed and "seed" in body else str(self.rng.random())
            words = hashlib.sha256(f"{prompt}/{seed}".encode()).hexdigest()[:48]
            said = [words[i : i + 6] for i in range(0, 48, 6)][:most]
            total += len(said)
            choice = self._choice(body, index, " ".join(said), "length" if most < 8 else "stop")
            choices.append(formed(choice, body, int(words[:4], 16)))
        usage = {"prompt_tokens": length, "completion_tokens": total, "total_tokens": length + total}
        return {"choices": choices, "usage": {**usage, "prompt_tokens_details": {"cached_tokens": length // 2}}}

    def _choice(self, body: dict[str, Any], index: int, text: str, finish: str) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": index, "finish_reason": finish}
        count = len(text.split())
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text}
            if self.behaviour.reasoning:
                choice["message"]["reasoning_content"] = self.behaviour.reasoning
            if body.get("logprobs") and self.behaviour.logprobs:
                choice["logprobs"] = {"content": [{"token": "x", "logprob": -0.5}] * count}
        else:
            choice["text"] = text
            if body.get("logprobs") is not None and self.behaviour.logprobs:
                choice["logprobs"] = {"token_logprobs": [-0.5] * count}
        return choice

    async def _generate(self, body: dict[str, Any]) -> dict[str, Any] | web.Response:
        """What the real model says, as vLLM would tell it."""
        import tts

        if "messages" in body:
            messages = tuple(tts.Message(role=m["role"], content=m["content"]) for m in body["messages"])
        else:
            messages = (tts.Message(role="user", content=body["prompt"]),)
        n, seed = body.get("n") or 1, body.get("seed")
        seeds = [random.getrandbits(40) if seed is None else seed + index for index in range(n)]
        sampling = tts.Sampling(
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            top_k=body.get("top_k"),
            max_tokens=body.get("max_tokens"),
            stop=tuple(body.get("stop") or ()),
            logprobs=bool(body.get("logprobs")),
        )
        request = tts.Request(messages=messages, n=n, seeds=tuple(seeds), sampling=sampling)
        try:
            done = sorted([one async for one in self.backend.generate(request)], key=lambda one: one.index)
        except tts.ContextLengthError as problem:
            return error(400, f"The input ({problem.prompt_tokens} tokens) is longer than the model's context length "
                         f"({problem.context_length} tokens).")  # fmt: skip
        return {"choices": [told(body, one) for one in done], "usage": spent(done)}


def formed(choice: dict[str, Any], body: dict[str, Any], lot: int) -> dict[str, Any]:
    """A choice in the form that was asked for: three spellings of one value, or, for one lot of four, another value."""
    spelling = lot % 4
    if body.get("tools") and body.get("tool_choice") != "none":
        city = [
            '{"city": "Oslo", "days": 2}',
            '{"days": 2.0, "city": "Oslo"}',
            '{"city":"Oslo","days":2}',
            '{"city": "Rome"}',
        ]
        function = {"name": body["tools"][0]["function"]["name"], "arguments": city[spelling]}
        calls = [{"id": f"call{lot}", "type": "function", "function": function}]
        choice |= {
            "message": {"role": "assistant", "content": None, "tool_calls": calls},
            "finish_reason": "tool_calls",
        }
    elif body.get("response_format"):
        values = [
            '{"sum": 3, "of": [1, 2]}',
            '{"of": [1, 2.0], "sum": 3.0}',
            '{"sum":3,"of":[1,2]}',
            '{"sum": 4, "of": []}',
        ]
        choice |= {"message": {"role": "assistant", "content": values[spelling]}}
    return choice


def told(body: dict[str, Any], one: Any) -> dict[str, Any]:
    """A completion as a choice, its reasoning apart."""
    choice: dict[str, Any] = {"index": one.index, "finish_reason": one.finish_reason}
    if "messages" in body:
        choice["message"] = {"role": "assistant", "content": one.summary, "reasoning_content": one.thinking}
    else:
        choice["text"] = one.text
    if one.logprob is not None:
        choice["logprobs"] = {"content": [{"logprob": one.logprob}], "token_logprobs": [one.logprob]}
    return choice


def spent(done: list[Any]) -> dict[str, Any]:
    generated = sum(one.usage.generated_tokens for one in done)
    return {
        "prompt_tokens": done[0].usage.prompt_tokens,
        "completion_tokens": generated,
        "prompt_tokens_details": {"cached_tokens": done[0].usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": sum(one.usage.thinking_tokens for one in done)},
    }


def end(answer: dict[str, Any], fault: str) -> None:
    """A fault "ends HOW": the first choice ends by this finish_reason, in a refusal, or before any token."""
    choice, how = answer["choices"][0], fault.removeprefix("ends ")
    if how == fault:
        return
    if how == "refusal":
        choice["message"] = {"role": "assistant", "content": None, "refusal": "I can't help with that."}
    elif how == "empty":
        choice["message"] = {"role": "assistant", "content": ""}
        answer["usage"]["completion_tokens"] = 0
    else:
        choice["finish_reason"] = None if how == "null" else how


def words(text: str | None) -> list[str]:
    return re.findall(r"\S+\s*|^\s+", text or "")


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)


async def serve(port: int, server: Server) -> None:
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def loaded(model: str) -> Any:
    """The backend of a reference, where there is one."""
    if not model:
        return None
    import torch

    import tts

    torch.set_num_threads(1)
    plugin, _, name = model.partition(":")
    cls = tts.plugins().resolve("backend", plugin)
    return cls(name, cls.Options())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default="")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, Server(loaded(arguments.model))))


if __name__ == "__main__":
    main()
