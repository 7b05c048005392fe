"""A page in Debian's Chromium, with the network off, that keeps what went wrong in it.

Needs a Chromium on the machine (``apt-get install chromium``) and its driver, which downloads no browser (``pip install
'isoflops[browser]'``). Without either, the tests that ask for a page are skipped, and say what is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as BrowserPage

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 30_000  # a busy machine draws slowly; what never comes fails after it


class Faults(list[str]):
    """What a page complained of: console errors and warnings, exceptions, requests that left the disk."""

    def watch(self, page: BrowserPage) -> None:
        page.on("console", lambda said: self.append(f"{said.type}: {said.text}") if said.type in LOUD else None)
        page.on("pageerror", lambda error: self.append(f"exception: {error}"))
        page.on("request", lambda asked: self.append(f"request: {asked.url}") if _leaves(asked.url) else None)
        page.on("requestfailed", lambda asked: self.append(f"failed request: {asked.url}"))
        page.on("crash", lambda _: self.append("the page crashed"))


LOUD = ("error", "warning")


def _leaves(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:", "about:"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for these tests, skipped where the machine has none.

    Not for the session: the driver keeps an event loop in this thread, in which no later test could start its own.
    """
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    if find_spec("playwright") is None:
        pytest.skip("no driver for Chromium; pip install 'isoflops[browser]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Without a sandbox: tests run as root in containers, and open only pages that they wrote themselves. /dev/shm
        # is small in containers, and there is no GPU.
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        running = driver.chromium.launch(executable_path=chromium, args=flags, timeout=120_000)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[BrowserPage]:
    """A page of 1280x800 with the network off; the test fails if the page complained of anything.

    `page.faults` is what it complained of; a test that means to provoke a complaint clears it.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    context.set_default_timeout(TIMEOUT_MS)
    opened = context.new_page()
    faults = Faults()
    faults.watch(opened)
    opened.faults = faults  # type: ignore[attr-defined]
    yield opened
    context.close()
    assert not faults, faults


@pytest.fixture
def written(page: BrowserPage, tmp_path: Path):
    """Write HTML to the disk, open it from there, and return the page."""

    def write(html: str) -> BrowserPage:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        return page

    return write


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of one of each."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from bench.report.html.data import gather
    from bench.report.html.page import page as html_of
    from tests.report.results import everything

    return html_of(gather(everything(tmp_path_factory.mktemp("everything"))))


@pytest.fixture
def report(written, whole: str):
    """That report, drawn."""
    page = written(whole)
    page.wait_for_selector("html[data-ready=true]")
    return page
