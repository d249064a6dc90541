"""The machine's Chromium, and pages that may reach this machine only."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SIZES = {"wide": (1280, 1000), "phone": (390, 844)}
ELSEWHERE = re.compile(r"^(?!http://127\.0\.0\.1[:/]|data:)")
Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the browser; without one the test is skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched_page(browser: Browser, size: str, scheme: Scheme, *statuses: int) -> Iterator[Page]:
    """Yield a page; at the end, none of its requests left this machine and the console has no error.

    Chromium itself logs an error for each answer of one of the expected `statuses`.
    """
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, errors, elsewhere = context.new_page(), list[str](), list[str]()
    context.route(ELSEWHERE, lambda route: route.abort())
    page.on("request", lambda request: elsewhere.append(request.url) if ELSEWHERE.match(request.url) else None)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert elsewhere == []
    expected = tuple(f"Failed to load resource: the server responded with a status of {status}" for status in statuses)
    assert [error for error in errors if not error.startswith(expected)] == []
    context.close()


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
