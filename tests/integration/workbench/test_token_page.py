"""An API with tokens in a real browser: a page asks for a token, and then the journey is shown in its place."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.audit import api
from services.audit.bootstrap import REVISIONS
from services.audit.journeys import api as journeys
from services.audit.journeys import search
from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.workbench.soak.synthetic_log import USER, Command, fill
from tests.support.browser import overflow, watched_page
from tests.support.issuer import KeyServer, a_token, served
from tests.support.schemas import upgrade

pytestmark = pytest.mark.long

ENTRIES = 94
SHORT = "command-0"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Command]]:
    """Where the protected journeys are served, and the long command."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('journeys')}/audit.db")
    upgrade(database, REVISIONS)
    long = fill(database, ENTRIES)
    app = application(journeys.routes(database.reader(search.find)), api.DOCUMENT, protected=True)
    with KeyServer() as keys, served(app, keys.verifier()) as port:
        yield f"http://127.0.0.1:{port}/audit/journeys", long
    database.close()


@pytest.fixture(params=[("wide", "light"), ("phone", "dark")], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    with watched_page(browser, *request.param, 401, 403) as page:
        yield page


def give(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Show the page").click()


def refused(page: Page, status: int) -> None:
    expect(page.get_by_role("alert")).to_contain_text(f"{status}: ")


def test_a_token_given_once_opens_every_page_of_the_tab_and_is_in_no_address(
    page: Page, log: tuple[str, Command]
) -> None:
    base, long = log
    token, addresses = a_token("read"), list[str]()
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{base}/{long.id_of(USER)}.html")
    expect(page.get_by_role("heading", name="This page needs a token")).to_be_visible()
    assert overflow(page) == 0
    give(page, token)
    page.get_by_role("link", name=long.correlation_id).click()
    expect(page.locator("svg a")).to_have_count(49)
    page.locator("svg a").first.click()
    expect(page.locator("section.record:target")).to_contain_text("ce_correlationid")
    page.reload()
    expect(page.locator("section.record:target")).to_contain_text("ce_correlationid")
    page.locator("section.record:target").get_by_role("link", name="close").click()
    page.get_by_role("link", name="as JSON").click()
    expect(page.locator("pre")).to_contain_text(f'"correlation_id": "{long.correlation_id}"')
    assert len(addresses) > 5
    assert not [address for address in addresses if token in address]


def test_a_refusal_is_shown_and_another_token_may_be_given(page: Page, log: tuple[str, Command]) -> None:
    page.goto(f"{log[0]}/{SHORT}.html")
    give(page, "no token")
    refused(page, 401)
    give(page, "\N{SNOWMAN}")
    expect(page.get_by_role("alert")).to_contain_text("the text is no token")
    give(page, a_token("read"))
    page.get_by_role("link", name="show it").click()
    refused(page, 403)
    expect(page.get_by_role("alert")).to_contain_text("needs: audit")
    give(page, a_token("audit"))
    page.locator("svg a").first.click()
    expect(page.locator("section.record:target pre")).to_contain_text("user0@example.org")


def test_a_token_is_kept_by_its_tab_alone(page: Page, log: tuple[str, Command]) -> None:
    page.goto(f"{log[0]}/{SHORT}.html")
    give(page, a_token("read"))
    expect(page.get_by_role("heading", name="Journey of one command")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="This page needs a token")).to_be_visible()


def test_the_page_is_a_refusal_without_data_and_programs_get_a_problem_detail(log: tuple[str, Command]) -> None:
    address = f"{log[0]}/{SHORT}.html"
    page = httpx.get(address, headers=HTML)
    assert (page.status_code, page.headers["www-authenticate"]) == (401, 'Bearer realm="eventline"')
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert page.content == httpx.get(f"{log[0]}/nobody.html", headers=HTML).content
    assert SHORT not in page.text
    assert httpx.get(address).headers["content-type"] == "application/problem+json"
    assert httpx.post(address, headers=HTML).headers["content-type"] == "application/problem+json"
