"""The report as a person opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from watching import Watched

from scenarios.comparing import compare
from scenarios.report import report_html
from scenarios.running import run
from scenarios.scenario import Scenario
from scenarios.scoring import score

pytestmark = pytest.mark.browser

NAMES = ("scheduled-vs-episodic", "combination-therapy", "adalimumab-regimens")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for name in NAMES:
        trial = Scenario.load(name)
        result = run(trial, patients=100, seed=1)
        page = report_html(result, trial, score(result), compare(result), {"patients": 100, "seed": 1})
        written[name] = folder / f"{name}.html"
        written[name].write_text(page, encoding="utf-8")
    return written


@pytest.fixture(params=NAMES)
def page(request: pytest.FixtureRequest, watched: Watched, reports: dict[str, Path]) -> Any:
    return watched.open(reports[request.param])


def test_nothing_stands_against_wcag(watched: Watched, page: Any) -> None:
    assert watched.violations() == []


def test_pictures_are_shown_and_named(page: Any) -> None:
    pictures = page.get_by_role("img")
    assert pictures.count() == 4
    for picture in pictures.all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 300")
    tree = page.locator("main").aria_snapshot()
    assert 'img "Measured troughs by visit' in tree
    assert 'heading "Answer" [level=2]' in tree


def test_links_lead_to_their_places_by_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Answer"
    link = page.get_by_role("link", name="All key numbers")
    link.focus()
    page.keyboard.press("Enter")
    top = page.locator("#numbers").bounding_box()["y"]
    assert -5 < top < 500


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_out_of_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints(page: Any, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    page.pdf(path=out, format="A4")
    assert out.stat().st_size > 50_000
