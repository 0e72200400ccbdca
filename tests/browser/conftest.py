"""A real browser: Debian's Chromium, driven by Playwright; run with `pytest -m browser tests/browser`.

Every page is watched: an error in its console or a request to anywhere but itself fails the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from watching import Watched


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # here: other tests are collected without it

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("no chromium: apt-get install chromium, or name it in CHROMIUM")
    with sync_playwright() as drive:
        # root in a container has no sandbox to offer; nothing but our own files is opened
        started = drive.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    seen = Watched(page=context.new_page())
    seen.page.on("console", lambda said: seen.errors.append(said.text) if said.type in ("error", "warning") else None)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    home = ("file:", "data:", "about:", "blob:", "http://127.0.0.1:", "ws://127.0.0.1:")
    seen.page.on("request", lambda asked: None if asked.url.startswith(home) else seen.outside.append(asked.url))
    yield seen
    context.close()
    assert seen.errors == []
    assert seen.outside == []
