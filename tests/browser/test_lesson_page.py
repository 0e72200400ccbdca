"""The static lesson as a person uses it: keyboard, mouse, screen reader, printer."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import pytest
from watching import Watched

from scenarios import lesson

pytestmark = pytest.mark.browser

LESSON = """
title = "Dose and interval"
question = "What does a longer interval do?"
intro = ["Guess first."]
scenario = "scheduled-vs-episodic"
patients = 60
tasks = ["Try."]

[[control]]
sets = "timing"
label = "When"
values = ["scheduled", "episodic"]
labels = ["on schedule", "on demand"]
up = "Waiting until it is gone."
down = "Not waiting."

[[control]]
sets = "interval"
label = "Interval"
hint = "after week 6"
values = ["4 weeks", "8 weeks", "12 weeks"]
start = 1
up = "More weeks with little drug."
down = "Fewer weeks with little drug."
"""

# From the event of a control to the end of the frame that shows it.
TIMING = """async () => {
  const slider = document.getElementById('interval'), took = [];
  for (let k = 0; k < 20; k++) {
    await new Promise((ready) => requestAnimationFrame(() => setTimeout(ready)));
    const start = performance.now();
    slider.value = (k + 2) % 3;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((ready) => requestAnimationFrame(() => setTimeout(ready)));
    took.push(performance.now() - start);
  }
  return took;
}"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "small.toml").write_text(LESSON, encoding="utf-8")
    out = folder / "small.html"
    out.write_text(lesson.lesson_html(lesson.load(folder / "small.toml")), encoding="utf-8")
    return out


@pytest.fixture
def page(watched: Watched, page_file: Path) -> Any:
    return watched.open(page_file)


def level_line(page: Any) -> str:
    return str(page.locator("#level path[stroke-width='2.6']").get_attribute("d"))


def test_a_slider_is_a_slider_and_says_its_value(page: Any) -> None:
    slider = page.get_by_role("slider", name="Interval")
    assert slider.count() == 1
    assert slider.get_attribute("aria-valuetext") == "8 weeks"
    tree = page.locator("main").aria_snapshot()
    assert 'slider "Interval"' in tree
    assert 'radio "on schedule" [checked]' in tree
    assert 'group "Interval"' in tree
    assert 'img "Drug in the blood' in tree
    assert "status" in tree


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert reached[:3] == ["timing", "interval", "pin"]
    page.get_by_role("slider").focus()
    before = level_line(page)
    page.keyboard.press("ArrowRight")
    assert level_line(page) != before
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "12 weeks"
    assert page.inner_text("#value-interval") == "12 weeks"
    said = page.get_by_role("status").inner_text()
    assert said.startswith("Interval: 8 weeks → 12 weeks.")
    assert said.endswith("Why: More weeks with little drug.")
    page.keyboard.press("Home")
    assert page.inner_text("#value-interval") == "4 weeks"
    assert page.get_by_role("status").inner_text().endswith("Why: Fewer weeks with little drug.")


def test_the_mouse_moves_slider_and_choices(page: Any) -> None:
    slider = page.get_by_role("slider")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert page.inner_text("#value-interval") == "12 weeks"
    before = level_line(page)
    page.get_by_label("on demand").check()
    assert level_line(page) != before
    assert slider.is_disabled()
    assert "Waiting until it is gone." in page.get_by_role("status").inner_text()
    page.get_by_label("on schedule").check()
    assert not slider.is_disabled()
    assert level_line(page) == before


def test_a_pinned_setting_stays_for_comparison(page: Any) -> None:
    page.get_by_role("button", name="Pin this setting").click()
    assert page.inner_text("#pinned") == "Pinned: When: on schedule; Interval: 8 weeks."
    page.get_by_role("slider").press("ArrowRight")
    cells = page.locator("#numbers tr td").all_inner_texts()
    assert cells[0::2] != cells[1::2]
    assert page.locator("#level path[stroke-dasharray]").count() == 1
    page.get_by_role("slider").press("ArrowLeft")
    cells = page.locator("#numbers tr td").all_inner_texts()
    assert cells[0::2] == cells[1::2]
    page.get_by_role("button", name="Remove the pin").press("Enter")
    assert page.locator("#level path[stroke-dasharray]").count() == 0


def test_the_hundred_patients_are_a_hundred(page: Any) -> None:
    for press in ("Home", "ArrowRight", "End"):
        page.get_by_role("slider").press(press)
        assert page.locator("#people rect[width='13']").count() == 104  # and four in the legend


def test_a_new_picture_takes_less_than_100_ms(page: Any) -> None:
    took = page.evaluate(TIMING)
    print(f"slider to picture: median {median(took):.0f} ms, longest {max(took):.0f} ms")
    assert median(took) < 100.0


def test_nothing_stands_against_wcag(watched: Watched, page: Any) -> None:
    assert watched.violations() == []
    page.get_by_label("on demand").check()
    page.get_by_role("button", name="Pin this setting").click()
    assert watched.violations() == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_out_of_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert clipped(page) == []


def test_the_shipped_lessons_work_and_stay_small(watched: Watched, tmp_path: Path) -> None:
    """With few patients: what is tested is the page, not its numbers."""
    for name in lesson.names():
        out = tmp_path / f"{name}.html"
        told = lesson.load(name).model_copy(update={"patients": 50})
        out.write_text(lesson.lesson_html(told), encoding="utf-8")
        assert out.stat().st_size < 1_000_000
        page = watched.open(out)
        for slider in page.get_by_role("slider").all():
            for press in ("End", "Home"):
                slider.press(press)
                assert "Why:" in page.get_by_role("status").inner_text()
        for radio in page.get_by_role("radio").all():
            already = radio.is_checked()
            radio.check()
            assert already or "Why:" in page.get_by_role("status").inner_text()
        page.get_by_role("button", name="Pin this setting").click()
        assert clipped(page) == []
        assert watched.violations() == []


def clipped(page: Any) -> Any:
    """Words of pictures that run out of them."""
    return page.evaluate(
        """() => [...document.querySelectorAll('svg text')].filter((text) => {
          const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
          return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
        }).map((text) => text.textContent)"""
    )


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two lessons that compare strategies, with fewer patients."""
    folder = tmp_path_factory.mktemp("shipped")
    written = {}
    for name, patients in (("titre", 1000), ("monitoring", 100)):
        written[name] = folder / f"{name}.html"
        told = lesson.load(name).model_copy(update={"patients": patients})
        written[name].write_text(lesson.lesson_html(told), encoding="utf-8")
    return written


def test_titre_by_keyboard_from_band_to_band(watched: Watched, shipped: dict[str, Path]) -> None:
    page = watched.open(shipped["titre"])
    tree = page.locator("main").aria_snapshot()
    assert 'slider "Antibody before response was lost"' in tree
    assert 'img "Who has the drug back' in tree
    page.get_by_label("5 mg/kg every 4 weeks", exact=True).check()
    page.get_by_role("slider").focus()
    share = page.locator("#numbers tr").nth(1).locator("td").first
    seen = [share.inner_text()]
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        said = page.get_by_role("status").inner_text()
        assert "the share who keep a level of 3 µg/mL or more" in said
        assert "Why: More antibody takes more molecules of drug" in said
        seen.append(share.inner_text())
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "9 µg/mL-eq or more"
    shares = [float(one.removesuffix(" %")) for one in seen]
    assert shares[0] > shares[-1]
    assert "Yanai 2015: above 9, a higher dose fails" in page.locator("#regained-level").text_content()
    assert "17 % (1 of 6)" in page.inner_text("#regained-response-words")


def test_strategies_by_mouse_and_pinned(watched: Watched, shipped: dict[str, Path]) -> None:
    page = watched.open(shipped["monitoring"])
    page.get_by_role("button", name="Pin this setting").click()
    page.get_by_role("radio", name="measured at every infusion (proactive)").check()
    said = page.get_by_role("status").inner_text()
    assert "The share in the target window" in said
    assert "the share in response" in said
    assert said.endswith("What keeps response is the drug that they get.")
    dark = page.locator("#side-by-side rect[fill='#0072b2']")
    assert dark.count() == 3
    assert page.locator("#side-by-side rect[stroke-dasharray]").count() == 3
    frame = page.locator("#side-by-side rect[stroke-dasharray]").first.get_attribute("width")
    page.get_by_role("slider").press("End")
    assert page.locator("#side-by-side rect[stroke-dasharray]").first.get_attribute("width") == frame
    cells = page.locator("#numbers tr td").all_inner_texts()
    assert cells[0::2] != cells[1::2]


NEXT = """async () => {
  const slider = document.querySelector('input[type=range]'), took = [];
  for (let k = 0; k < 20; k++) {
    await new Promise((ready) => requestAnimationFrame(() => setTimeout(ready)));
    const start = performance.now();
    slider.value = (k + 1) % 3;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((ready) => requestAnimationFrame(() => setTimeout(ready)));
    took.push(performance.now() - start);
  }
  return took;
}"""


@pytest.mark.parametrize("name", ["titre", "monitoring"])
def test_comparing_pictures_are_quick_and_fit(watched: Watched, shipped: dict[str, Path], name: str) -> None:
    page = watched.open(shipped[name])
    took = page.evaluate(NEXT)
    print(f"{name}, slider to picture: median {median(took):.0f} ms, longest {max(took):.0f} ms")
    assert median(took) < 100.0
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert clipped(page) == []
