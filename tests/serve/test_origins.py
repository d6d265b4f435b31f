"""Pages of other sites cannot use a gateway from a browser unless its recipe names them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend
from serving import Client, gateway, served

Fake = Callable[..., type[FakeBackend]]
BODY = {"model": "m", "messages": [{"role": "user", "content": "1+2"}]}
APP = "https://app.example"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1", "https://{host}", "file://"]
)
def test_a_page_of_another_site_is_refused_before_anything_is_spent(fake: Fake, origin: str) -> None:
    backend = fake()

    async def use(client: Client) -> tuple[int, dict[str, Any], dict[str, str]]:
        host = str(client.session._base_url).removeprefix("http://").rstrip("/")
        sent = origin.replace("{host}", host.replace("127.0.0.1", "rebound.example"))
        return await client.post("/v1/chat/completions", BODY, Origin=sent)

    status, said, headers = served(use)
    assert (status, said["error"]["code"]) == (403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in headers
    assert backend.requests == []


def test_a_name_that_somebody_else_points_here_is_no_page_of_ours(fake: Fake) -> None:
    """A page of a name that resolves to this machine has that name as its origin and as its host."""
    fake()

    async def use(client: Client) -> list[int]:
        port = client.session._base_url.port
        out = []
        for name in (f"rebound.example:{port}", f"localhost:{port}", f"127.0.0.1:{port}"):
            out.append((await client.post("/v1/chat/completions", BODY, Origin=f"http://{name}", Host=name))[0])
        return out

    assert served(use) == [403, 200, 200]


def test_with_keys_a_gateway_may_have_any_name(fake: Fake, tmp_path: Path) -> None:
    fake()
    (tmp_path / "keys").write_text("a-key-of-more-than-sixteen\n", encoding="utf-8")

    async def main() -> int:
        async with gateway(keys=tmp_path / "keys") as client:
            headers = {"Host": "ai.example", "Origin": "https://ai.example"}
            key = {"Authorization": "Bearer a-key-of-more-than-sixteen"}
            return (await client.post("/v1/chat/completions", BODY, **headers, **key))[0]

    assert asyncio.run(main()) == 200


def test_no_header_of_cors_is_sent_unless_asked_for(fake: Fake) -> None:
    fake()

    async def use(client: Client) -> dict[str, str]:
        status, _, headers = await client.post("/v1/chat/completions", BODY)
        assert status == 200
        async with client.session.options("/v1/chat/completions", headers={"Origin": APP}) as response:
            assert response.status == 403
            return {**headers, **response.headers}

    assert not [name for name in served(use) if name.startswith("Access-Control") or name == "Vary"]


@pytest.mark.parametrize("allowed", [APP, "*"])
def test_an_origin_of_the_recipe_may_ask_and_read(fake: Fake, tmp_path: Path, allowed: str) -> None:
    fake()
    (tmp_path / "keys").write_text("a-key-of-more-than-sixteen\n", encoding="utf-8")

    async def main() -> None:
        async with gateway(keys=tmp_path / "keys", cors=(allowed,)) as client:
            asks = {"Origin": APP, "Access-Control-Request-Method": "POST"}
            wanted = {"Access-Control-Request-Headers": "authorization,content-type"}
            async with client.session.options("/v1/chat/completions", headers=asks | wanted) as response:
                assert response.status == 204
                assert response.headers["Access-Control-Allow-Origin"] == APP
                assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
                assert "POST" in response.headers["Access-Control-Allow-Methods"]
            key = {"Authorization": "Bearer a-key-of-more-than-sixteen"}
            status, _, headers = await client.post("/v1/chat/completions", BODY, Origin=APP, **key)
            assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (200, APP, "Origin")
            assert "x-tts-request-id" in headers["Access-Control-Expose-Headers"]
            async with client.session.post(
                "/v1/chat/completions", json={**BODY, "stream": True}, headers={"Origin": APP, **key}
            ) as response:
                assert response.headers["Access-Control-Allow-Origin"] == APP
                await response.read()
            status, _, headers = await client.post("/v1/chat/completions", BODY, Origin=APP)
            assert (status, headers["Access-Control-Allow-Origin"]) == (401, APP)  # so that the page can read why

    asyncio.run(main())
