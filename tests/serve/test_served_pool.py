"""The gateway before a pool of servers of which one dies: nobody notices."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from serving import Client, served

from tts.testing import Service


def test_one_of_three_servers_dies_and_every_request_is_answered() -> None:
    with ExitStack() as stack:
        one, two = (stack.enter_context(Service()) for _ in range(2))
        dying = Service()
        dying.__enter__()
        told = {"asked": 0}

        async def use(client: Client) -> list[tuple[int, dict[str, Any]]]:
            async def ask(number: int) -> tuple[int, dict[str, Any]]:
                if number == 20:
                    told["asked"] = len(dying.asked)
                    await asyncio.to_thread(dying.__exit__)
                return await client.chat(f"Question {number}?", "majority@decided_early=false")

            first = await asyncio.gather(*map(ask, range(20)))
            return [*first, *await asyncio.gather(*map(ask, range(20, 60)))]

        base = "+".join(service.base for service in (one, two, dying))
        answers = served(use, model=f"openai:m@base_url={base}", k=3)
        assert [status for status, _ in answers] == [200] * 60
        assert told["asked"] > 0, "the one that dies has not been asked before"
        assert min(len(one.asked), len(two.asked)) > 20
        for _, said in answers:
            assert all("error" not in candidate for candidate in said["tts"]["choices"][0]["candidates"])


def test_a_server_that_dies_for_good_is_a_status_and_its_return_an_answer() -> None:
    dying = Service()
    dying.__enter__()

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        assert (await client.chat("Question?", "m"))[0] == 200
        await asyncio.to_thread(dying.__exit__)
        answer = await client.chat("Another?", "m", tts={"deadline": 2.0})
        assert (await client.get("/health"))[0] == 200
        return answer

    status, said = served(use, model=f"openai:m@base_url={dying.base},retries=0")
    assert status in (502, 503, 504), said
    assert said["error"]["message"]
