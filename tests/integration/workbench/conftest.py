"""The browser of the tests of pages, and the turn of the tests whose commands use the ports of `make run`."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; not for the session, as its event loop is that of the thread."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def default_ports() -> Iterator[None]:
    """Wait until no other worker's test uses the ports of `make run`."""
    with (Path(tempfile.gettempdir()) / "eventline-tests-default-ports").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
