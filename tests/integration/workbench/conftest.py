"""The browser of the tests of pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; not for the session, as its event loop is that of the thread."""
    with chromium() as browser:
        yield browser
