"""The site in a real headless Chromium, read from the disk: `make test-browser` installs what it needs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import IN_BROWSER, Open, launched, opener, sync_api

pytest.importorskip("material", reason="no mkdocs-material: pip install 'ttscale[docs]'")
pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def open_site(chromium: Any, site: Path) -> Iterator[Open]:
    with opener(chromium, site / "index.html") as opened:
        yield opened


def test_no_page_is_wider_than_the_screen(open_site: Open, site: Path) -> None:
    page = open_site()
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # a server's page; its addresses begin at the server's root
            continue
        page.goto(path.as_uri())
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            with contextlib.suppress(sync_api.TimeoutError):  # a page takes a moment to follow its window
                page.wait_for_function(
                    "width => document.documentElement.scrollWidth <= width", arg=width, timeout=5000
                )
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
            assert page.locator("h1").first.is_visible(), path.name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_read_on_a_phone_in_both_themes(open_site: Open, theme: str) -> None:
    page = open_site(viewport={"width": 390, "height": 900}, color_scheme=theme)
    assert page.locator("svg.flow").count() == 1
    heights = page.locator("svg.flow text").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 10
    box, letters = page.evaluate(
        """() => ['.box', 'text'].map(part => getComputedStyle(document.querySelector(`svg.flow ${part}`)).fill)"""
    )
    bright = [sum(map(float, re.findall(r"[\d.]+", colour)[:3])) for colour in (box, letters)]
    assert (bright[0] > bright[1]) == (theme == "light"), (box, letters)


def test_the_search_works_from_the_disk(open_site: Open) -> None:
    page = open_site()
    page.click("input.md-search__input")
    page.keyboard.type("knockout")
    first = page.locator(".md-search-result__link").first
    first.wait_for()
    first.click()
    page.wait_for_url("**/*.html*")
    assert "knockout" in page.inner_text("main").lower()


def test_the_theme_can_be_switched(open_site: Open) -> None:
    page = open_site()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("label.md-header__button[for='__palette_1']").click()
    page.locator("label.md-header__button[for='__palette_2']").click()
    page.wait_for_function(f"getComputedStyle(document.body).backgroundColor !== {before!r}")
    assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"
