"""Checks that a client of services with OpenAI's interface must pass: one for each scenario of the catalogue."""

from __future__ import annotations

import asyncio
import contextlib
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from tts.contracts.models import Request
from tts.testing._kit import Check, bound, run_all
from tts.testing._scenarios import Scenario, scenarios
from tts.testing._service import PROMPT, Service
from tts.vocabulary.errors import TTSError
from tts.vocabulary.records import Completion, Message

Make = Callable[..., Any]


def client_checks(make: Make) -> list[Check]:
    """The checks of a client, to be run one by one; `make` is that of `check_client`."""
    subject = getattr(make, "__name__", "client")
    return [bound([meets], subject, make, one)[0]._replace(name=one.name) for one in scenarios().values()]


def check_client(make: Make, *, expected_failures: Mapping[str, str] | None = None) -> None:
    """Let a client meet every service of the catalogue; one `AssertionError` tells what it makes wrong.

    `make(address, **options)` is the backend for an address; the options are those of the scenario: `stream`, and
    `first_byte_timeout` in seconds. `expected_failures` maps the name of a scenario to the reason why it fails.
    """
    run_all(client_checks(make), expected_failures)


def meets(make: Make, scenario: Scenario) -> None:
    """One request for the scenario's prompt brings what the scenario says; raises `AssertionError`."""
    with Service(scenario.answer) as service, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd, which is not what is asked here
        address = scenario.address.format(root=service.root)
        try:
            found, error = asyncio.run(_asked(make, address, dict(scenario.options))), ""
        except TTSError as raised:
            found, error = None, str(raised)
        times = [one.at for one in service.of()]
    if found is not None and found.error:
        error = found.error
    where = f"scenario {scenario.name!r} ({scenario.summary})"
    if scenario.error:
        assert error, f"{where}: a completion came, {found!r:.200}; it should be an error"
        assert re.search(scenario.error, error), f"{where}: the error says {error!r}, not {scenario.error!r}"
        assert "\n" not in error, f"{where}: an error is one sentence on one line, not {error!r}"
    else:
        assert found is not None and not error, f"{where}: {error}"  # noqa: PT018 - one thing said twice
        told = (found.text, found.thinking, found.finish_reason)
        wanted = (scenario.text, scenario.thinking, scenario.finish_reason)
        assert told == wanted, f"{where}: text, thinking and ending are {told}, and should be {wanted}"
    assert len(times) <= scenario.requests, f"{where}: asked {len(times)} times, and {scenario.requests} are enough"
    waited = times[1] - times[0] if times[1:] else scenario.waits
    assert waited >= scenario.waits, f"{where}: it waited {waited:.2f} s, and {scenario.waits:g} s were asked for"


async def _asked(make: Make, address: str, options: dict[str, Any]) -> Completion:
    backend = await asyncio.to_thread(make, address, **options)
    request = Request(messages=(Message(role="user", content=PROMPT),))
    try:
        async with contextlib.aclosing(backend.generate(request)) as completions:
            return await anext(completions)
    finally:
        await backend.aclose()
