"""The view in a real headless Chromium: a run is watched from before its first decision to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import IN_BROWSER, PATIENCE, launched, sync_api
from doubles import FakeBackend
from test_view import HOSTILE, rows, says, viewed
from waiting import joined, until

import tts

pytestmark = IN_BROWSER


class Waits(FakeBackend):
    """A model that says nothing before it may."""

    def __init__(self, model: str, options: Any) -> None:
        super().__init__(model, options)
        self.go = threading.Event()

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        await asyncio.to_thread(self.go.wait, PATIENCE / 1000)
        async for one in super().generate(request):
            yield one

    @staticmethod
    def script(request: tts.Request, index: int) -> str:
        return says(f"{request} {index}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


def test_a_run_is_watched_while_it_goes_on(chromium: Any, tmp_path: Path) -> None:
    """Hostile texts in problems, answers and ids stay texts; the page asks nobody but the view."""
    model = Waits("m", None)

    def run() -> None:
        tts.compare(rows(2), strategies=["first", "majority"], k=2, model=model, store=tmp_path / "run.db")

    wrong: list[str] = []
    tts.compare(rows(1), strategies=["first", "majority"], k=2, model=says, store=tmp_path / "old.db")
    with viewed(tmp_path) as address:
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda one: wrong.append(one.url) if not one.url.startswith((address, "data:")) else None)
        going = threading.Thread(target=run)
        going.start()
        try:

            def listed() -> bool:
                page.goto(address)
                return bool(page.get_by_text("going on").count())

            until(listed, going, seconds=PATIENCE / 1000)
            page.click("text=run.db")
            assert page.inner_text("#summary h2") == "Nothing to report yet"
            now = page.locator("#now")
            sync_api.expect(now).to_contain_text("A run is going on: process", timeout=PATIENCE)
            sync_api.expect(now).to_contain_text("4 completions under way", timeout=PATIENCE)
            page.evaluate("window.before = true")
            page.click("#live summary")
        finally:
            model.go.set()
        # The first decisions make the page load again, by itself.
        sync_api.expect(page.locator("#summary h2")).to_have_text("Summary", timeout=PATIENCE)
        joined(going, PATIENCE / 1000)
        assert page.evaluate("window.before") is None
        sync_api.expect(page.locator("#counts")).to_contain_text("majority 2 decisions", timeout=PATIENCE)
        sync_api.expect(page.locator("#now")).to_have_text("No run is going on.", timeout=PATIENCE)
        assert page.locator("#newest tr").count() > 1
        assert page.locator("#newest td").first.text_content().startswith(HOSTILE)
        assert page.locator("#newest script, #newest img, #detail script, #detail img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.click("text=All runs")
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_role("button", name="Compare the chosen runs").click()
        assert page.locator("#accuracy tbody th").all_inner_texts() == ["old", "run"]
        assert page.evaluate("window.hacked") is None
    page.close()
    assert wrong == [], wrong


def test_a_page_whose_view_has_ended_says_so(chromium: Any, tmp_path: Path) -> None:
    tts.compare(rows(1), strategies=["first"], k=1, model=says, store=tmp_path / "run.db")
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    with viewed(tmp_path / "run.db") as address:
        page.goto(address)
        sync_api.expect(page.locator("#now")).to_have_text("No run is going on.", timeout=PATIENCE)
    sync_api.expect(page.locator("#now")).to_contain_text("does not answer any more", timeout=PATIENCE)
    assert page.locator("#strategies").count() == 1  # what it had is there
    page.close()
