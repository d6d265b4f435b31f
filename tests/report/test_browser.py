"""The page in a real headless Chromium: `make test-browser` installs what it needs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import IN_BROWSER, PATIENCE, Open, launched, opener, sync_api
from report_sets import HOSTILE

from tts.report import ReportData
from tts.report._browser import Shown

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Any, page_file: Path) -> Iterator[Open]:
    with opener(chromium, page_file) as opened:
        yield opened


def listed(page: Any) -> list[str]:
    return [text.split("\n")[0] for text in page.locator(".row .top").all_inner_texts()]


def test_every_section_and_figure_renders(open_page: Open) -> None:
    page = open_page()
    assert page.title() == "Eight <problems> & more"
    assert page.locator("main > section").count() == 14
    for svg in page.locator(".wide svg").all():
        box = svg.bounding_box()
        assert box["width"] > 500
        assert box["height"] > 100
    assert page.locator(".narrow svg").first.is_hidden()
    assert page.locator("#strategies tbody tr").count() == 6
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_filters_and_search(open_page: Open) -> None:
    page = open_page()
    assert len(listed(page)) == 8
    page.select_option("#show", "rescued")
    page.select_option("#strategy", label="writes")
    assert listed(page) == ["p0", "p1", "p2", "p4", "p5", "p6", "p7"]
    page.select_option("#baseline", label="best candidate")  # only what is written can be right where nobody is
    assert listed(page) == ["p0", "p1", "p2", "p4", "p5", "p6"]
    page.select_option("#strategy", label="best_of_n")
    assert listed(page) == []
    assert page.inner_text("#count") == "0 of 8 problems"
    page.select_option("#show", "harmed")
    page.select_option("#strategy", label="majority")
    page.select_option("#baseline", label="best_of_n")
    assert listed(page) == ["p7"]  # 21 of 1121: a tie, which majority breaks by the first
    page.select_option("#show", "all")
    page.fill("#search", "Problem 5")
    sync_api.expect(page.locator(".row")).to_have_count(1, timeout=PATIENCE)
    assert listed(page) == ["p5"]
    assert page.inner_text("#detail h3") == "p5"


def test_every_problem_has_an_address(open_page: Open, page_file: Path) -> None:
    page = open_page()
    page.get_by_text("p2", exact=True).click()
    assert page.evaluate("location.hash") == "#p=3"
    page.get_by_role("button", name="Group 2").click()
    address = page.locator(".title .link").get_attribute("href")
    assert address == page.evaluate("location.hash") == "#p=3&g=2"
    other = open_page()
    other.goto(f"{page_file.as_uri()}{address}")
    other.reload()
    sync_api.expect(other.locator("#detail h3")).to_have_text("p2", timeout=PATIENCE)
    sync_api.expect(other.locator(".groups [aria-pressed=true]")).to_have_text("Group 2", timeout=PATIENCE)
    sync_api.expect(other.locator("#detail h3")).to_be_in_viewport(timeout=PATIENCE)
    other.evaluate("location.hash = '#p=8'")
    sync_api.expect(other.locator("#detail h3")).to_have_text("p7", timeout=PATIENCE)
    for nowhere in ("#p=0", "#p=9", "#p=1e0", "#p=x"):
        other.evaluate("(hash) => { location.hash = hash; }", nowhere)
        assert other.inner_text("#detail h3") == "p7"


def test_two_texts_stand_side_by_side_with_their_differences_marked(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("p7", exact=True).click()
    page.get_by_role("button", name="Group 2").click()  # 21
    assert page.locator(".pane option:checked").all_inner_texts() == ["Candidate 0 (A)", "Candidate 1 (B)"]
    assert page.locator(".pane .text").all_text_contents() == ["so 2", "so 1"]  # each in a box
    assert page.locator(".pane mark").all_text_contents() == ["2", "1"]
    left, right = (one.bounding_box() for one in page.locator(".pane").all())
    assert left["y"] == right["y"]
    page.locator(".pane select").nth(1).select_option("0")
    assert page.locator(".pane mark").count() == 0
    assert page.inner_text(".pair + .note") == "Both texts are the same."


def edited(a: list[str], b: list[str]) -> int:
    """How many tokens the longest common subsequence leaves, by the textbook's table."""
    rows = [0] * (len(b) + 1)
    for one in a:
        before = 0
        for place, other in enumerate(b, 1):
            before, rows[place] = rows[place], before + 1 if one == other else max(rows[place], rows[place - 1])
    return len(a) + len(b) - 2 * rows[-1]


def test_what_is_marked_is_the_least_that_differs(open_page: Open) -> None:
    page = open_page()
    drawn = random.Random(3)
    for _ in range(60):
        a, b = ([drawn.choice("abc") for _ in range(drawn.randrange(12))] for _ in range(2))
        ours, theirs = page.evaluate("([a, b]) => shared(a, b)", [a, b])
        kept = [
            [one for one, known in zip(text, marks, strict=True) if known] for text, marks in ((a, ours), (b, theirs))
        ]
        assert kept[0] == kept[1]
        assert ours.count(False) + theirs.count(False) == edited(a, b), (a, b)
    long = [[f"{side}{i}" for i in range(3000)] for side in "ab"]
    assert not any(map(any, page.evaluate("([a, b]) => shared(a, b)", long)))  # given up, all of it is marked


def test_a_problem_is_picked_with_the_keyboard_and_shown_whole(open_page: Open) -> None:
    page = open_page()
    page.focus("#list")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#detail h3") == "p1"
    assert page.locator(".row[aria-selected=true] .top div").inner_text() == "p1"
    assert "Gold answer: 1" in page.inner_text(".gold")
    decision = page.locator(".decision").nth(3)
    assert decision.locator(".class").inner_text() == "new"
    assert "wrote its own" in decision.inner_text()
    assert [one.inner_text() for one in page.locator(".candidate .class").all()] == ["A", "A"]
    page.get_by_role("button", name="Group 2").click()
    assert [one.inner_text() for one in page.locator(".candidate .class").all()] == ["A", "B"]
    folded = page.locator(".candidate").first.locator("details")
    assert [one.inner_text() for one in folded.locator("summary").all()] == ["Response", "Thinking"]
    assert page.locator(".candidate .text").count() == 0
    folded.first.locator("summary").click()
    page.wait_for_selector(".candidate .text")
    assert page.locator(".candidate .text").text_content() == "so 1"  # in a box
    page.get_by_label("mathematics as written").check()
    page.locator(".candidate summary").first.click()
    sync_api.expect(page.locator(".candidate .text")).to_have_text("so \\boxed{1}", timeout=PATIENCE)


def test_what_a_model_wrote_is_inert(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("p2", exact=True).click()
    for summary in page.locator("#detail details > summary").all():
        summary.click()
    sync_api.expect(page.locator("#detail details:not(:has(> :nth-child(2)))")).to_have_count(0, timeout=PATIENCE)
    page.get_by_label("mathematics as written").check()
    for summary in page.locator("#detail details > summary").all():
        summary.click()
    texts = page.locator("#detail .text").evaluate_all("(all) => all.map((one) => one.textContent)")
    assert f"Problem 2: {HOSTILE}" in texts
    assert sum(HOSTILE.strip() in text for text in texts) >= 6
    assert page.evaluate("window.hacked") is None
    assert page.locator("#detail img, #detail script, #detail b").count() == 0


def test_mathematics_is_set_without_a_network_and_is_as_inert(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("p2", exact=True).click()
    assert page.locator(".question math").count() == 2  # $…$ and \\(…\\) of the hostile text
    assert page.locator(".question mfrac").bounding_box()["height"] > 20
    names = page.evaluate(
        "[...new Set([...document.querySelectorAll('#detail math, #detail math *')].map((one) => one.namespaceURI))]"
    )
    assert names == ["http://www.w3.org/1998/Math/MathML"]
    tree = ["script", {}, "window.hacked = 4"]  # what the writer would never let through
    assert page.evaluate(
        "(tree) => { const one = mathml(tree); document.body.append(one); return one.localName }", tree
    )
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("width", [390, 1400])
def test_every_section_is_a_click_away(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 844})
    names = page.locator("main h2").all_inner_texts()
    if width == 390:
        page.click(".menu summary")
    links = page.locator("nav a:visible")
    assert links.all_inner_texts() == names
    for link in links.all():
        box = link.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    links.last.click()
    assert page.evaluate("location.hash") == "#browser"
    assert page.locator(".menu nav").is_hidden()


def test_words_and_figures_share_a_wide_screen(open_page: Open) -> None:
    page = open_page(viewport={"width": 1400, "height": 900})
    words, chart = (page.locator(f"#strategies {one}").bounding_box() for one in (".words", ".chart"))
    assert words["x"] + words["width"] <= chart["x"]
    assert chart["x"] + chart["width"] > 1300
    assert chart["y"] < words["y"] + 40


def test_the_command_is_copied(open_page: Open, data: ReportData, tmp_path: Path) -> None:
    from tts.report.writer import write_data

    command = "tts compare 'a <b>.jsonl' -k 2"
    path = write_data(data._replace(made=data.made._replace(command=command)), tmp_path / "report.html")
    page = open_page(path, permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy")
    sync_api.expect(page.locator("#copy")).to_have_text("copied", timeout=PATIENCE)
    assert page.evaluate("navigator.clipboard.readText()") == command


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "media"), [(360, "screen"), (768, "screen"), (1280, "screen"), (718, "print")])
def test_nothing_is_wider_than_the_page(open_page: Open, width: int, media: str, theme: str) -> None:
    page = open_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    page.get_by_text("p2", exact=True).click()
    page.emulate_media(media=media, color_scheme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = ".narrow" if (width, media) == (360, "screen") else ".wide"
    assert page.locator(f"{drawn} svg").first.is_visible()
    assert page.locator("#list").is_visible() == (media == "screen")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(254, 254, 254)"
    assert light == (theme == "light" or media == "print")


def contrast(page: Any, front: str) -> float:
    """WCAG's ratio of a colour variable on the page's background."""
    return page.evaluate(
        """(name) => {
            const probe = document.createElement("i"); document.body.append(probe);
            const light = (color) => { probe.style.color = color;
                const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((v) => v / 255)
                    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const [a, b] = [light(`var(${name})`), light("var(--paper)")].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05); }""",
        front,
    )  # type: ignore[no-any-return]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_lines_can_be_read_in_both_themes(open_page: Open, theme: str) -> None:
    page = open_page(color_scheme=theme)
    texts = ["--ink", "--muted", "--good", "--bad"]
    assert {name: ratio for name in texts if (ratio := contrast(page, name)) < 4.5} == {}
    lines = [f"--series-{i}" for i in range(8)]
    assert {name: ratio for name in lines if (ratio := contrast(page, name)) < 3} == {}
    page.click("#theme")
    assert contrast(page, "--ink") > 10
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(254, 254, 254)") == (theme == "dark")


@pytest.fixture(scope="module")
def large(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 problems with 16 candidates of 2,000 characters each."""
    from tts.report.writer import write_data

    index, detail = data.shown[1]
    group = detail["groups"][0]
    long = [one | {"text": "A step of a solution. " * 90, "index": i} for i in range(8) for one in group["candidates"]]
    groups = [group | {"candidates": long}]
    index = index | {name: index[name][:1] for name in ("correct", "any", "classes")}
    shown = tuple(Shown(index | {"id": f"q{i}"}, detail | {"groups": groups}) for i in range(500))
    return write_data(data._replace(shown=shown), tmp_path_factory.mktemp("large") / "report.html")


def test_five_hundred_problems_cost_what_is_seen_of_them(open_page: Open, large: Path) -> None:
    """How long that takes depends on what else the machine does, so it is printed only."""
    assert large.stat().st_size > 16_000_000
    page = open_page(large)
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    assert page.locator(".row").count() < 40  # the list is virtual
    print(f"opened {large.stat().st_size / 1e6:.0f} MB in {took:.2f} s")
    started = time.monotonic()
    page.fill("#search", "q499")
    sync_api.expect(page.locator(".row")).to_have_count(1, timeout=PATIENCE)
    print(f"searched it for the first time in {time.monotonic() - started:.2f} s")
    page.fill("#search", "")
    sync_api.expect(page.locator("#count")).to_have_text("500 problems", timeout=PATIENCE)
    page.focus("#list")
    page.keyboard.press("End")
    assert page.inner_text("#detail h3") == "q499"


def test_several_runs_are_a_page_without_candidates_whose_theme_turns(open_page: Open, tmp_path: Path) -> None:
    from tts.eval import Estimate
    from tts.report.runs import RunData, runs_document
    from tts.report.writer import write_document

    def run(name: str, gap: float) -> RunData:
        one = {"gsr": Estimate(gap, gap - 0.02, gap + 0.02, 30, 60)}
        reached = Estimate(0.5, 0.4, 0.6, 30, 60)
        return RunData(name, "a model", 4, 30, 60, "majority", reached, None, {"gsr": reached}, one, {"gsr": 90.0})

    path = write_document(runs_document([run("<b>small", -0.01), run("large", 0.05)]), tmp_path / "runs.html")
    page = open_page(path, viewport={"width": 390, "height": 844})
    assert page.locator("main > section").count() == 5
    assert page.locator("#gaps .narrow svg").is_visible()
    assert page.locator("#gaps tbody th").all_inner_texts() == ["<b>small", "large"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    before = page.evaluate("getComputedStyle(document.documentElement).colorScheme")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") != before
