"""The live page of `make run` in a real browser: an event is seen travelling, parts are broken and heal."""

import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.integration.workbench.test_run import running
from tests.support.console_process import Settings, own_settings

pytestmark = pytest.mark.long

ARRIVED_MS = 30_000.0
HEALED_MS = 60_000.0
SIZES = {"wide": (1280, 1000), "phone": (390, 844)}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("live")
    given = own_settings(folder)
    with running(given, folder / "run.log"):
        yield given


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[("wide", "light"), ("wide", "dark"), ("phone", "light")], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser, settings: Settings) -> Iterator[Page]:
    """The page in a size and a colour scheme; nothing but this machine can be reached, and no error may be logged."""
    size, scheme = request.param
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    refused = "Failed to load resource: the server responded with a status of 422"  # Chromium's own line
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{settings['APP_PAGE_PORT']}/")
    yield page
    assert [error for error in errors if not error.startswith(refused)] == []
    context.close()


def register(page: Page) -> None:
    page.get_by_role("button", name="Register the user").click()


def arrived(page: Page) -> None:
    expect(page.locator("#hint")).to_have_text("arrived everywhere", timeout=ARRIVED_MS)


def test_a_registered_user_s_event_is_seen_travelling_until_its_mail_is_read(page: Page) -> None:
    address = page.locator("[name=email]").input_value()
    register(page)
    arrived(page)
    expect(page.locator("#steps li.done")).to_have_count(4)
    expect(page.locator("[data-topic].hit")).to_have_count(4)
    expect(page.locator("#mail")).to_contain_text(f"To {address}: Welcome to Eventline")
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0, "the page is wider than the window"


def test_a_changed_address_leads_to_two_mails_and_its_journey_opens(page: Page) -> None:
    register(page)
    arrived(page)
    page.get_by_role("button", name="Change the address").click()
    expect(page.locator("#answer")).to_contain_text("version 2")
    expect(page.locator("#mail pre")).to_have_count(2, timeout=ARRIVED_MS)
    page.get_by_role("link", name=re.compile("The whole journey")).click()
    expect(page.get_by_role("heading", name="Journey of one command")).to_be_visible()
    page.locator("svg a").first.click()
    expect(page.locator("section.record:target")).to_contain_text("ce_correlationid")


def test_a_refused_command_says_why(page: Page) -> None:
    page.locator("[name=email]").fill("nobody")
    page.get_by_role("button", name="Register the user").click()
    expect(page.locator("#answer")).to_contain_text("422: email")


def test_while_notification_is_killed_the_page_shows_it_and_the_mail_comes_when_it_is_back(page: Page) -> None:
    page.get_by_role("button", name="kill notification").click()
    expect(page.locator("[data-part=notification].down")).to_be_visible()
    register(page)
    expect(page.locator("#steps")).to_contain_text("has not decided about a mail yet", timeout=ARRIVED_MS)
    expect(page.locator("#hint")).to_have_text("arrived everywhere", timeout=HEALED_MS)
    expect(page.locator("[data-part=notification]:not(.down)")).to_be_visible(timeout=HEALED_MS)
    expect(page.locator("#mail pre")).to_have_count(1)


def test_another_site_can_neither_send_commands_nor_break_anything(settings: Settings) -> None:
    base = f"http://127.0.0.1:{settings['APP_PAGE_PORT']}"
    for path in ("/users", "/faults/poison"):
        assert httpx.post(base + path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(f"{base}/faults/flood").status_code == 409
