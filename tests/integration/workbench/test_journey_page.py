"""The journey pages in a real browser: two widths, two colour schemes, nothing from the network, no errors."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from services.audit.bootstrap import REVISIONS
from services.chassis.database.database import Database
from services.workbench.soak.journey_page import served
from services.workbench.soak.synthetic_log import USER, Command, fill
from tests.support.browser import overflow, watched_page
from tests.support.schemas import upgrade

pytestmark = pytest.mark.long

ENTRIES = 94  # 45, and 49 of the long command: its last mail is not sent yet
SHORT = "command-0"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Command]]:
    """Where the journeys are served, and the long command."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('journeys')}/audit.db")
    upgrade(database, REVISIONS)
    long = fill(database, ENTRIES)
    with served(database) as port:
        yield f"http://127.0.0.1:{port}/audit/journeys", long
    database.close()


@pytest.fixture(params=[("wide", "light"), ("wide", "dark"), ("phone", "light"), ("phone", "dark")], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    size, scheme = request.param
    with watched_page(browser, size, scheme, 404) as page:
        yield page


def test_from_a_user_to_a_command_to_its_records_as_they_were_on_the_wire(page: Page, log: tuple[str, Command]) -> None:
    base, long = log
    page.goto(f"{base}/{long.id_of(USER)}.html")
    page.get_by_role("link", name=long.correlation_id).click()
    expect(page.get_by_role("heading", name="Journey of one command")).to_be_visible()
    expect(page.locator("svg a")).to_have_count(49)
    expect(page.locator(".note")).to_contain_text("Still missing: mail welcome")
    assert overflow(page) == 0
    for link in (page.locator("svg a").first, page.locator("a.tag").last):
        link.click()
        expect(page.locator("section.record:target")).to_contain_text("ce_correlationid")
        page.locator("section.record:target").get_by_role("link", name="close").click()
        expect(page.locator("section.record:target")).to_have_count(0)


def test_a_complete_journey_and_an_unknown_id_say_what_they_are(page: Page, log: tuple[str, Command]) -> None:
    page.goto(f"{log[0]}/{SHORT}.html")
    expect(page.locator(".note")).to_contain_text("Complete: 5 records on 4 topics")
    page.get_by_role("link", name="show it").click()
    page.locator("svg a").first.click()
    expect(page.locator("section.record:target pre")).to_contain_text("user0@example.org")
    page.goto(f"{log[0]}/nobody.html")
    expect(page.get_by_role("heading", name="No journey")).to_be_visible()
    assert overflow(page) == 0
