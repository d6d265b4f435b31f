"""A model that says that its files have changed is loaded anew at the next call."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from doubles import FakeBackend, sums

import tts


class OnDisk(FakeBackend):
    """Its fingerprint is the version of its file; it is what it was when it was loaded."""

    version: ClassVar[int] = 1
    failure: ClassVar[Exception | None] = None

    def __init__(self, model: str, options: object) -> None:
        super().__init__(model, options)
        self.fingerprint = f"version {self.version}"

    def outdated(self) -> bool:
        if self.failure is not None:
            raise self.failure
        return self.fingerprint != f"version {self.version}"


@pytest.fixture
def disk() -> type[OnDisk]:
    cls = type("Fake", (OnDisk,), {})
    tts.plugins().register("backend", "fake", cls)
    return cls


def test_the_verbs_load_it_anew_and_close_the_old_one(disk: type[OnDisk]) -> None:
    def policy() -> str:
        return tts.sample(sums(1), k=1, model="fake:m")[0].policy

    assert [policy(), policy()] == ["version 1"] * 2
    disk.version = 2
    assert [policy(), policy()] == ["version 2"] * 2
    assert [one.closed for one in disk.instances] == [True, False]


def test_a_call_that_is_under_way_ends_with_what_it_has(disk: type[OnDisk]) -> None:
    disk.delay = staticmethod(lambda request, _: 0.3 if "0+1" in request.messages[-1].content else 0.0)

    async def main() -> tuple[str, str]:
        slow = asyncio.create_task(asyncio.to_thread(tts.sample, sums(1), k=1, model="fake:m"))
        while not disk.requests:
            await asyncio.sleep(0.01)
        disk.version = 2
        quick = await asyncio.to_thread(tts.sample, sums(1, start=1), k=1, model="fake:m")
        assert not disk.instances[0].closed
        return (await slow)[0].policy, quick[0].policy

    assert asyncio.run(main()) == ("version 1", "version 2")


def test_an_engine_loads_it_anew_for_its_next_run(disk: type[OnDisk]) -> None:
    async def main() -> list[str]:
        found = []
        async with tts.Engine(model="fake:m") as engine:
            for version in (1, 2, 2):
                disk.version = version
                found += [sampled.candidates.policy async for sampled in engine.sample(sums(1), 1)]
        return found

    assert asyncio.run(main()) == ["version 1", "version 2", "version 2"]
    assert len(disk.instances) == 2


def test_one_that_cannot_tell_is_an_error_that_names_it(disk: type[OnDisk]) -> None:
    tts.sample(sums(1), k=1, model="fake:m")
    disk.failure = RuntimeError("no idea")
    with pytest.raises(tts.BackendError, match=r"outdated\(\) of .*Fake raised RuntimeError: no idea"):
        tts.sample(sums(1), k=1, model="fake:m")
    disk.failure = None
    assert len(tts.sample(sums(1), k=1, model="fake:m")) == 1
