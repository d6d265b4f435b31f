"""Take the pictures of the page again: `python docs/screenshot.py`, with Chromium and playwright.

The run is of the built-in model on its task; the pictures are of the top of its page, and of one problem with two
candidates side by side.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import tts

ASSETS = Path(__file__).parent / "assets"
WIDTH, HEIGHT, TALL = 1400, 860, 1080


def main() -> None:
    """Run, write the page, take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        store = Path(folder) / "run.db"
        table = tts.compare("task:sums@size=24", strategies=["first", "majority", "gsr"], k=4, store=store)
        command = "tts compare task:sums@size=24 -s first,majority,gsr -k 4 --store run.db --report report.html"
        table.made = table.made._replace(command=command)
        table.report(page, store=store)
        differs = next(
            place for place, row in enumerate(table.rows, 1) if len({one.answer for one in row.outcome.candidates}) > 1
        )
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            shown.goto(page.as_uri())
            shown.screenshot(path=ASSETS / "page.png")
            shown.evaluate("(hash) => { location.hash = hash; }", f"#p={differs}")
            shown.locator(".pair").wait_for()
            shown.set_viewport_size({"width": WIDTH, "height": TALL})
            shown.locator(".title").evaluate("(one) => one.scrollIntoView()")
            shown.screenshot(path=ASSETS / "problem.png")
            browser.close()
        shrink(ASSETS / "page.png", ASSETS / "problem.png")


def shrink(*paths: Path) -> None:
    """Few colours are enough for a page of text, and a quarter of the bytes."""
    from PIL import Image

    for path in paths:
        Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
