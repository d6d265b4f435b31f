"""The built site: it has every page and every documented name, its links lead somewhere, and it fetches nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import tts
import tts.testing

pytest.importorskip("mkdocs", reason="no mkdocs: pip install 'ttscale[docs]'")
pytest.importorskip("material", reason="no mkdocs-material: pip install 'ttscale[docs]'")
ROOT = Path(__file__).parents[2]
FETCHES = {"object": "data", "use": "href"} | dict.fromkeys(("script", "img", "iframe", "source", "video"), "src")
ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """What a page fetches, where it links, and what can be linked in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.fetched, self.links = path, list[str](), list[str]()
        self.anchors = {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.add(found.get("id", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") not in {"canonical", "prev", "next"}:
            self.fetched.append(found["href"])
        if tag in FETCHES:
            self.fetched.append(found.get(FETCHES[tag], ""))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_built(site: Path, pages: dict[Path, Page]) -> None:
    sources = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(sources) > 30
    assert {site / path.with_suffix(".html") for path in sources} <= set(pages)


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert [(page.path.name, one) for page in pages.values() for one in page.fetched if ELSEWHERE.match(one)] == []
    for sheet in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import\s)[\"']?((?:[a-z]+:)?//[^)\"']*)", sheet.read_text("utf-8"))
        assert found == [], sheet.name


def test_links_lead_to_pages_and_anchors_that_are_there(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = unquote(link).partition("#")
            place = (path.parent / target).resolve() if target else path
            if ELSEWHERE.match(link) or link.startswith("mailto:") or path.name == "404.html":
                continue
            if not place.exists() or (place in pages and anchor not in pages[place].anchors):
                lost.append(f"{path.name}: {link}")
    assert lost == []


def test_public_names_can_be_linked(site: Path, pages: dict[Path, Page]) -> None:
    for page, module in (("api", tts), ("testing", tts.testing)):
        anchors = pages[site / "reference" / f"{page}.html"].anchors
        assert [name for name in module.__all__ if f"{module.__name__}.{name}" not in anchors] == []
    assert {"tts.Usage.generated_tokens", "tts.Engine.run"} <= pages[site / "reference" / "api.html"].anchors


def test_every_command_has_its_place(site: Path, pages: dict[Path, Page]) -> None:
    anchors = pages[site / "cli.html"].anchors
    assert {f"tts-{one.entry.name}" for one in tts.plugins().all("command")} <= anchors
    assert "tts-train-hybrid" in anchors


def test_no_page_names_the_machine_that_built_it(site: Path) -> None:
    written = [path for path in site.rglob("*") if path.suffix in {".html", ".json", ".xml", ".js"}]
    assert [path.name for path in written if str(ROOT) in path.read_text("utf-8")] == []
