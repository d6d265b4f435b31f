"""The picture of the data flow: no text leaves its box, in whatever font a reader has."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import IN_BROWSER, launched

pytestmark = IN_BROWSER
ASSETS = Path(__file__).parents[2] / "docs/assets"
OUTSIDE = """() => [...document.querySelectorAll("svg text")].filter((text) => {
    const own = text.getBBox(), x = own.x + own.width / 2, y = own.y + own.height / 2;
    const box = [...document.querySelectorAll("svg rect")].map((one) => one.getBBox())
        .find((one) => x > one.x && x < one.x + one.width && y > one.y && y < one.y + one.height);
    return box && (own.x < box.x + 4 || own.x + own.width > box.x + box.width - 4 || own.y < box.y
        || own.y + own.height > box.y + box.height + 2);
}).map((one) => one.textContent)"""


@pytest.mark.parametrize("font", ["DejaVu Sans", "Roboto, sans-serif", "serif"])  # the first is the widest there is
@pytest.mark.parametrize("width", [390, 1400])
def test_every_text_stays_in_its_box(font: str, width: int) -> None:
    style = (ASSETS / "site.css").read_text("utf-8")
    figure = (ASSETS / "flow.svg").read_text("utf-8")
    with launched() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_content(
            f"<!doctype html><style>:root {{ --md-text-font-family: {font}; }} {style}</style><body>{figure}</body>"
        )
        assert page.locator("svg text").count() > 15
        assert page.evaluate(OUTSIDE) == []
