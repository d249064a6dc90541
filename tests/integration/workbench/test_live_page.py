"""The live page of `make run` in a real browser: an event is seen travelling, parts are broken and heal."""

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.contracts.service_list import SERVICES
from services.workbench.local.system import clean_environment
from tests.integration.workbench.test_run import await_text, running
from tests.support.browser import watched_page
from tests.support.console_process import DEADLINE, Settings, argv, console, own_settings

pytestmark = pytest.mark.long

ARRIVED_MS = 30_000.0
HEALED_MS = 60_000.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("live")
    given = own_settings(folder)
    with running(given, folder / "run.log"):
        yield given


@pytest.fixture(params=[("wide", "light"), ("wide", "dark"), ("phone", "light")], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser, settings: Settings) -> Iterator[Page]:
    """The page in a size and a colour scheme; nothing but this machine can be reached, and no error may be logged."""
    with watched_page(browser, *request.param, 422) as page:
        page.goto(f"http://127.0.0.1:{settings['APP_PAGE_PORT']}/")
        yield page


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


def test_every_link_at_the_top_answers(page: Page) -> None:
    links: list[str] = page.eval_on_selector_all("#links a", "links => links.map(link => link.href)")
    assert len(links) == 2 * len(SERVICES) + 3
    assert {link: httpx.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_any_id_leads_to_a_journey_or_a_list_to_choose_from(page: Page) -> None:
    register(page)
    arrived(page)
    user_id = page.locator("#answer").inner_text().partition("user ")[2].partition(",")[0]
    page.get_by_label("Any id").fill(user_id)
    page.get_by_role("button", name="Show its journey").click()
    expect(page.get_by_role("heading", name="Commands of one user")).to_be_visible()
    page.locator("ol.choices a").click()
    expect(page.locator(".note")).to_contain_text("Complete: 5 records on 4 topics")


def test_a_refused_command_says_why(page: Page) -> None:
    page.locator("[name=email]").fill("nobody")
    page.get_by_role("button", name="Register the user").click()
    expect(page.locator("#answer")).to_contain_text("422: email")


def test_while_notification_is_killed_the_page_shows_it_and_the_mail_comes_when_it_is_back(page: Page) -> None:
    page.get_by_role("button", name="kill notification").click()
    expect(page.locator("[data-part=notification].down")).to_be_visible()
    register(page)
    expect(page.locator("#broken")).to_contain_text("kill notification: heals in")
    expect(page.locator("#steps")).to_contain_text("has not decided about a mail yet", timeout=ARRIVED_MS)
    page.get_by_role("button", name="heal now").click()
    expect(page.locator("#hint")).to_have_text("arrived everywhere", timeout=HEALED_MS)
    expect(page.locator("[data-part=notification]:not(.down)")).to_be_visible(timeout=HEALED_MS)
    expect(page.locator("#mail pre")).to_have_count(1)
    expect(page.locator("#report")).to_contain_text("kill notification", timeout=HEALED_MS)
    expect(page.locator("#report")).to_contain_text("nothing: ")
    expect(page.locator("#broken")).to_have_text("Nothing is broken.")


def test_a_terminal_breaks_the_system_by_a_seed_and_counts_what_became_of_its_commands(settings: Settings) -> None:
    code, output = console(settings, "break", "poison", "--seed", "3", "--for", "1s")
    assert code == 0, output
    assert "seed 3 chooses: poison " in output
    assert re.search(r"lost +nothing: (\d+) of \1 mails .* (\d+) of \2 records .* (\d+) of \3 audit entries", output)
    assert "3 of 3 poison records are on a dead-letter topic" in output


def test_ctrl_c_heals_a_fault_of_a_terminal_before_its_time(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "break.log"
    with log.open("wb") as output:
        command = argv("break", "pause", "audit", "--for", "10m")
        process = subprocess.Popen(command, env=clean_environment(settings), stdout=output, stderr=output)
    await_text(log, "pause audit: heals in")
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0, log.read_text()
    assert "nothing: " in log.read_text()
    assert console(settings, "break", "heal")[1].endswith("healed: nothing was broken\n")


def test_another_site_can_neither_send_commands_nor_break_anything(settings: Settings) -> None:
    base = f"http://127.0.0.1:{settings['APP_PAGE_PORT']}"
    evil = {"Origin": "http://evil.example"}
    for path in ("/users", "/faults"):
        assert httpx.post(base + path, headers=evil).status_code == 403
    assert httpx.delete(f"{base}/faults", headers=evil).status_code == 403


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (("flood", "user"), "no verb 'flood'"),
        (("kill", "database"), "`pause database` locks the files"),
        (("kill", "user", "--for", "soon"), "write a number with its unit, such as 500ms, 10s or 5m"),
    ],
    ids=["verb", "impossible", "duration"],
)
def test_what_cannot_be_broken_is_answered_with_what_can(settings: Settings, given: Sequence[str], advice: str) -> None:
    code, output = console(settings, "break", *given)
    assert (code, advice in output) == (2, True), output
