"""The pages of docs in a real browser, opened as files: they fit phone and desk, light and dark, offline."""

import re

import pytest
from playwright.sync_api import Browser, expect

from services.workbench.documents.html.index import DOCS
from tests.support.browser import SIZES

WIDER = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["index.html", "events.html"])
def test_a_page_fits_and_follows_the_colour_scheme(browser: Browser, name: str, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]  # two literals
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((DOCS / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(f"{WIDER}.map(e => e.outerHTML.slice(0, 80))") == []
    [brightness] = re.findall(r"rgb\((\d+),", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (int(brightness) < 128) is (scheme == "dark")
    expect(page.locator("h1")).to_be_visible()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()
