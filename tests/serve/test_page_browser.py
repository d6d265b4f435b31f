"""The page at `/` in a real headless Chromium: somebody asks by its form and reads what was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chromium import IN_BROWSER, PATIENCE, launched, sync_api
from doubles import FakeBackend
from serving import running

pytestmark = IN_BROWSER
Fake = Callable[..., type[FakeBackend]]
KEY = "a-key-of-more-than-sixteen"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@contextmanager
def page_at(browser: Any, address: str) -> Iterator[tuple[Any, list[str], list[str]]]:
    """The page, what it has asked for, what the browser complained of."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page, asked, wrong = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(f"{request.method} {request.url.removeprefix(address)}"))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    yield page, asked, wrong
    context.close()


def ask(page: Any, model: str, prompt: str, key: str = "") -> str:
    page.get_by_label("Model").select_option(model)
    page.get_by_label("Prompt").fill(prompt)
    if key:
        page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Ask").click()
    sync_api.expect(page.get_by_role("button", name="Ask")).to_be_enabled()
    return str(page.locator("#answer").inner_text())


def test_the_form_asks_and_shows_the_answer_with_its_candidates(fake: Fake, chromium: Any) -> None:
    fake()
    with running(k=3) as address, page_at(chromium, address) as (page, asked, wrong):
        assert ask(page, "gsr", "1+2") == "So it is \\boxed{3}"
        told = page.locator("#told").inner_text()
        assert '"strategy": "gsr"' in told
        assert told.count('"finish_reason"') == 3
        assert ask(page, "m", "3+4").startswith("So it is \\boxed{")
        assert asked == ["GET /", *["POST /v1/chat/completions"] * 2]  # no icon, no other file, no other place
        assert wrong == []


def test_it_says_what_is_running(fake: Fake, chromium: Any) -> None:
    fake()
    named = {"careful": {"strategy": "majority", "k": 9, "deadline": 20}}
    with running(models=named) as address, page_at(chromium, address) as (page, _, wrong):
        row = page.get_by_role("row").filter(has_text="careful")
        assert row.inner_text().split("\t") == ["careful", "majority", "9", "policy", "20 s"]
        assert "in front of m" in page.inner_text("body")
        assert page.locator("#load").inner_text() == "0 requests are being answered, 0 wait."
        assert wrong == []


def test_errors_are_shown_and_markup_is_text(fake: Fake, chromium: Any, tmp_path: Path) -> None:
    fake(script=lambda request, index: "<img src=x onerror=alert(1)> \\boxed{1}")
    (tmp_path / "keys").write_text(KEY, encoding="utf-8")
    with running(keys=tmp_path / "keys") as address, page_at(chromium, address) as (page, asked, _):
        assert "the API key is missing" in ask(page, "m", "1+2")
        assert ask(page, "m", "1+2", KEY) == "<img src=x onerror=alert(1)> \\boxed{1}"
        assert page.locator("img").count() == 0
        assert len(asked) == 3


def test_the_policy_of_the_page_lets_nothing_else_run(fake: Fake, chromium: Any) -> None:
    fake()
    with running() as address, page_at(chromium, address) as (page, _, wrong):
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "document.title = 'taken over'";
                document.body.append(script);
                const image = document.createElement("img");
                image.src = "https://elsewhere.example/x.png";
                document.body.append(image);
            }"""
        )
        sync_api.expect(page).to_have_title("tts serve")
        assert len(wrong) == 2
        assert all("Content Security Policy" in text for text in wrong)
