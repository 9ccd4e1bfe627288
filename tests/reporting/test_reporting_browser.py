"""The page in a real browser: drawn, silent, offline, and readable on a phone, in the dark, and on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_flow, a_provenance, all_exhibits, all_metrics, the_paper

from gliocast.reporting.page import build_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SHEET = {"width": 672, "height": 1000}  # what A4 leaves between the margins
PATIENCE_MS = 180_000  # a busy machine draws thirty figures slowly
OWN = ("file:", "data:", "blob:")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(
        build_report(all_metrics(), a_flow(), a_provenance(), all_exhibits(), the_paper()), encoding="utf-8"
    )
    return path


class Visit:
    """One opened page, and everything that it said or asked for."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn=true]")

    def ask(self, question: str) -> Any:
        return self.page.evaluate(question)


def test_every_figure_is_drawn_in_silence_and_without_a_network(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, viewport=DESK)
    places = visit.ask("document.querySelectorAll('.plot').length")
    assert places > 10
    assert (
        visit.ask("[...document.querySelectorAll('.plot')].filter(at => at.querySelector('.main-svg')).length")
        == places
    )
    assert visit.said == []
    assert [url for url in visit.asked if not url.startswith(OWN)] == []


def test_a_request_to_a_network_is_refused_by_the_page_itself(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, viewport=DESK)
    refused = "fetch('https://example.org').then(() => 'answered', () => 'refused')"
    assert visit.ask(refused) == "refused"
    assert any("Content Security Policy" in line for line in visit.said)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen(browser: Any, report: Path, size: dict[str, int]) -> None:
    visit = Visit(browser, report, viewport=size, is_mobile=size is PHONE)
    visit.ask("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert visit.ask("document.documentElement.scrollWidth") <= size["width"]
    right = "[...document.querySelectorAll('.plot .main-svg')].map(at => at.getBoundingClientRect().right)"
    assert max(visit.ask(right)) <= size["width"] + 1


def test_every_table_is_whole_on_a_desk(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, viewport=DESK)
    visit.ask("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    cut = "[...document.querySelectorAll('.table')].filter(table => table.scrollWidth > table.clientWidth)"
    assert visit.ask(f"{cut}.map(table => table.ariaLabel)") == []


def test_contents_are_folded_on_a_phone_and_open_on_a_desk(browser: Any, report: Path) -> None:
    is_open = "document.querySelector('nav details').open"
    assert Visit(browser, report, viewport=PHONE).ask(is_open) is False
    assert Visit(browser, report, viewport=DESK).ask(is_open) is True


def test_the_buttons_of_a_figure_wait_for_a_pointer_and_are_not_drawn_for_a_finger(browser: Any, report: Path) -> None:
    count = "[document.querySelectorAll('.modebar-btn').length, document.querySelectorAll('.modebar--hover').length]"
    buttons, hidden = Visit(browser, report, viewport=DESK).ask(count)
    assert buttons > hidden > 0
    assert Visit(browser, report, viewport=PHONE, is_mobile=True, has_touch=True).ask(count) == [0, 0]


def test_figures_follow_the_dark_scheme(browser: Any, report: Path) -> None:
    ink = "getComputedStyle(document.querySelector('.plot .xtitle')).fill"
    assert Visit(browser, report, viewport=DESK, color_scheme="light").ask(ink) == "rgb(26, 29, 33)"
    assert Visit(browser, report, viewport=DESK, color_scheme="dark").ask(ink) == "rgb(236, 238, 241)"


def test_the_page_prints_with_every_figure_inside_the_sheet(browser: Any, report: Path, tmp_path: Path) -> None:
    visit = Visit(browser, report, viewport=DESK, color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="light")
    visit.ask("window.dispatchEvent(new Event('beforeprint'))")
    widest = "Math.max(...[...document.querySelectorAll('.main-svg')].map(at => at.clientWidth))"
    visit.page.wait_for_function(f"{widest} <= 640")
    printed = visit.page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert visit.said == []


def test_what_is_folded_on_a_screen_is_read_on_paper(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, viewport=DESK)
    folded = "document.querySelectorAll('section > details:not([open])').length"
    before = visit.ask(folded)
    assert before > 0
    visit.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert visit.ask(folded) == 0
    visit.ask("window.dispatchEvent(new Event('afterprint'))")
    assert visit.ask(folded) == before


def test_on_paper_no_column_is_cut_off_no_head_sticks_and_no_caption_outgrows_the_text(
    browser: Any, report: Path
) -> None:
    visit = Visit(browser, report, viewport=SHEET)
    visit.page.emulate_media(media="print")
    visit.ask("window.dispatchEvent(new Event('beforeprint'))")
    cut = "[...document.querySelectorAll('.table')].filter(table => table.scrollWidth > table.clientWidth + 1)"
    assert visit.ask(f"{cut}.map(table => table.ariaLabel)") == []
    sizes = "['body', 'figcaption', 'p.caption'].map(at => getComputedStyle(document.querySelector(at)).fontSize)"
    text, *captions = [float(size.removesuffix("px")) for size in visit.ask(sizes)]
    assert max(captions) < text
    stuck = "[...document.querySelectorAll('thead th')].filter(cell => getComputedStyle(cell).position === 'sticky')"
    assert visit.ask(f"{stuck}.length") == 0


def test_without_scripts_the_page_says_where_its_figures_are(browser: Any, report: Path) -> None:
    said = "Scripts are off, so no figure is drawn."
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert page.get_by_text(said).is_visible()
    assert not Visit(browser, report, viewport=DESK).page.get_by_text(said).is_visible()
