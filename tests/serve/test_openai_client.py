"""OpenAI's own client, unmodified, wherever it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from doubles import FakeBackend
from serving import gateway

openai = pytest.importorskip("openai", reason="no openai package; the lock of the tests brings it")
pytestmark = pytest.mark.clients
Fake = Callable[..., type[FakeBackend]]
HI: list[Any] = [{"role": "user", "content": "1+2"}]


@asynccontextmanager
async def client(**recipe: Any) -> AsyncIterator[Any]:
    async with gateway(**recipe) as one:
        base = f"{str(one.session._base_url).rstrip('/')}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as made:
            yield made


def test_chat_streams_and_responses(fake: Fake) -> None:
    fake()

    async def main() -> None:
        async with client() as asks:
            assert {"gsr", "majority", "m"} < {model.id async for model in asks.models.list()}
            said = await asks.chat.completions.create(model="gsr", messages=HI, extra_body={"tts": {"k": 3}})
            assert said.choices[0].message.content == "So it is \\boxed{3}"
            assert said.tts["k"] == 3
            stream = await asks.chat.completions.create(
                model="gsr", messages=HI, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
            assert "".join(text) == "So it is \\boxed{3}"
            assert chunks[-1].usage.total_tokens > 0
            answer = await asks.responses.create(
                model="gsr", input="1+2", instructions="Be brief.", max_output_tokens=9
            )
            assert (answer.output_text, answer.status) == ("So it is \\boxed{3}", "completed")
            async with asks.responses.stream(model="gsr", input=HI) as events:
                kinds = [event.type async for event in events]
                assert (await events.get_final_response()).output_text == "So it is \\boxed{3}"
            assert kinds[0] == "response.created"
            assert kinds[-1] == "response.completed"

    asyncio.run(main())


def test_errors_are_the_clients_own_classes(fake: Fake) -> None:
    fake()

    async def main() -> None:
        async with client() as asks:
            with pytest.raises(openai.NotFoundError, match="did you mean") as caught:
                await asks.chat.completions.create(model="gsrr", messages=HI)
            assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
            with pytest.raises(openai.BadRequestError, match="has no log-probabilities"):
                await asks.chat.completions.create(model="gsr", messages=HI, logprobs=True)

    asyncio.run(main())
