"""The live app in a real browser, served as a user serves it."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from watching import Watched

from scenarios.running import run
from scenarios.scenario import Scenario
from scenarios.scoring import score

pytestmark = pytest.mark.browser

START = "window.before = document.getElementById('level').innerHTML; window.began = performance.now();"
DRAWN = "document.getElementById('level').innerHTML !== window.before"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen([sys.executable, "-m", "scenarios.cli", "app", "--port", str(port)])
    there = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert served.poll() is None, "the server stopped"
            try:
                urllib.request.urlopen(there, timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield there
    finally:
        served.terminate()
        served.wait(timeout=20)


@pytest.fixture
def page(watched: Watched, address: str) -> Any:
    watched.page.goto(address)
    # the first simulation of a process may compile
    watched.page.wait_for_function("document.getElementById('said').textContent.startsWith('In week')", timeout=90_000)
    watched.page.wait_for_function("document.getElementById('person').innerHTML !== ''")
    return watched.page


def press(page: Any, name: str, key: str) -> None:
    """Press a key on a slider and wait for another picture."""
    page.evaluate(START)
    page.get_by_role("slider", name=name, exact=True).press(key)
    page.wait_for_function(DRAWN)


def test_sliders_are_sliders_with_units(page: Any) -> None:
    for name, words in (("Dose", "5 mg/kg"), ("Time between infusions", "8 weeks"), ("Follow-up", "54 weeks")):
        slider = page.get_by_role("slider", name=name, exact=True)
        assert slider.count() == 1
        assert slider.get_attribute("aria-valuetext") == words
    assert 'slider "Dose"' in page.locator("form").aria_snapshot()


def test_the_keyboard_moves_the_picture(page: Any) -> None:
    press(page, "Dose", "ArrowRight")
    assert page.inner_text("#value-dose") == "5.5 mg/kg"
    press(page, "Time between infusions", "End")
    assert page.inner_text("#value-interval") == "16 weeks"


def test_a_new_picture_of_1000_patients_takes_less_than_500_ms(page: Any) -> None:
    took = []
    for _ in range(9):  # another setting each time: nothing comes from an earlier request
        page.evaluate(START)
        page.get_by_role("slider", name="Dose", exact=True).press("ArrowRight")
        page.wait_for_function(DRAWN, polling="raf")
        took.append(page.evaluate("performance.now() - window.began"))
    print(f"slider to picture, 1,000 patients: median {median(took):.0f} ms, longest {max(took):.0f} ms")
    assert median(took) < 500.0


def test_pin_and_compare_by_mouse(page: Any) -> None:
    page.get_by_role("button", name="Pin this regimen").click()
    assert page.inner_text("#pinned") == "Pinned: 5 mg/kg, every 8 weeks."
    page.evaluate(START)
    page.get_by_label("on demand, when the disease comes back").check()
    page.wait_for_function(DRAWN)
    cells = page.locator("#numbers tr td").all_inner_texts()
    assert cells[0::2] != cells[1::2]
    assert page.get_by_role("slider", name="Time between infusions").is_disabled()


def test_downloads_repeat_what_was_shown(page: Any, tmp_path: Path) -> None:
    press(page, "Number of patients", "Home")
    for button, name in (
        ("Download the scenario (TOML)", "my-regimen.toml"),
        ("Download the result (CSV)", "scores.csv"),
    ):
        with page.expect_download() as coming:
            page.get_by_role("button", name=button).click()
        assert coming.value.suggested_filename == name
        coming.value.save_as(tmp_path / name)
    trial = Scenario.load(tmp_path / "my-regimen.toml")
    asked = tomllib.loads((tmp_path / "my-regimen.toml").read_text(encoding="utf-8"))["run"]
    score(run(trial, patients=asked["patients"], seed=asked["seed"])).to_csv(tmp_path / "again.csv")
    assert (tmp_path / "scores.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    with (tmp_path / "scores.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file))[0] == "arm"


def test_follow_one_patient_and_answer_the_quiz(page: Any) -> None:
    before = page.inner_text("#person-words")
    page.get_by_label("Patient number").fill("7")
    page.wait_for_function("document.getElementById('person-words').textContent.startsWith('Patient 7,')")
    assert page.inner_text("#person-words") != before
    page.get_by_role("button", name="Quiz: why did this patient lose response?").click()
    page.wait_for_selector("#answers:not([hidden])")
    page.get_by_role("radio", name="Antibodies carried the drug away").check()
    said = page.inner_text("#verdict")
    assert said.startswith(("Yes.", "Not quite: "))
    assert "before the loss in week" in said


@pytest.mark.parametrize(
    "given",
    [
        '{"dose": 5000}',
        '{"patients": 1000000}',
        '{"timing": "__import__(1)"}',
        '{"extra": 1}',
        '{"dose": "5 mg/kg"}',
        '{"weeks": 54.5}',
    ],
)
def test_what_the_page_cannot_send_is_refused(page: Any, given: str) -> None:
    page.evaluate(f"Shiny.setInputValue('setting', {{...setting(), ...{given}}}, {{priority: 'event'}})")
    page.wait_for_function("document.getElementById('said').textContent.startsWith('This cannot be simulated')")
    press(page, "Dose", "ArrowRight")  # and the session lives on


def test_many_sessions_at_once(browser: Any, address: str, page: Any) -> None:
    context = browser.new_context()
    try:
        others = [context.new_page() for _ in range(6)]
        for other in others:
            other.goto(address)
        for other in others:
            other.wait_for_function("document.getElementById('said').textContent.startsWith('In week')")
        for number, other in enumerate(others):
            other.evaluate(START)
            for _ in range(number + 1):
                other.get_by_role("slider", name="Dose", exact=True).press("ArrowRight")
        for number, other in enumerate(others):
            other.wait_for_function(DRAWN)
            assert other.inner_text("#value-dose") == f"{5 + (number + 1) / 2:g} mg/kg"
    finally:
        context.close()
    press(page, "Dose", "ArrowLeft")


def test_nothing_stands_against_wcag(watched: Watched, page: Any) -> None:
    assert watched.violations() == []
    page.get_by_role("button", name="Quiz: why did this patient lose response?").click()
    page.wait_for_selector("#answers:not([hidden])")
    assert watched.violations() == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_out_of_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
