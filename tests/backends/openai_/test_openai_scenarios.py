"""The catalogue of what services do, met by our client, over real connections."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiohttp")

from tts.testing import Check, client_checks, parametrize
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import pool as openai_pool
from tts_backends.openai import probe as openai_probe


def connect(address: str, **options: Any) -> OpenAIBackend:
    return OpenAIBackend("m", OpenAIBackend.Options(base_url=address, **options))


@parametrize(client_checks(connect))
def test_what_services_do_is_read_or_said(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_pool, "_BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(openai_probe, "_LIST_SECONDS", 1.0)
    check()
