"""Sources of evidence on compose and kind: Mailpit's API and psql, and a part that does not answer yet."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from k8s.command import CommandError
from services.workbench.reconcile import checks, mailpit, psql
from services.workbench.reconcile.checks import is_well, settled
from services.workbench.reconcile.evidence import Evidence, Mail, Place

ALERT = 7  # the number of a mail that no command led to
FORGOTTEN = 9  # the number of one that is gone when it is read
MAILS = 2 * mailpit.PAGE + 3


def api(request: httpx.Request) -> httpx.Response:
    """Answer as Mailpit does."""
    if request.url.path == "/api/v1/messages":
        start, limit = (int(request.url.params[name]) for name in ("start", "limit"))
        page = range(start, min(start + limit, MAILS))
        return httpx.Response(200, json={"messages": [{"ID": str(n), "To": [{"Address": f"{n}@x"}]} for n in page]})
    number = int(request.url.path.split("/")[4])
    if number == FORGOTTEN:
        return httpx.Response(404)
    command = "" if number == ALERT else f"X-Correlation-ID: c{number}\r\n"
    return httpx.Response(200, content=f"Message-ID: <{number}@y>\r\n{command}\r\nText\r\n".encode())


def test_each_mail_of_a_command_is_read_over_all_pages_but_alerts_and_forgotten_ones() -> None:
    with httpx.Client(base_url="http://mail", transport=httpx.MockTransport(api)) as client:
        found = mailpit.mails(client)
    assert found == [Mail(f"<{n}@y>", f"c{n}", [f"{n}@x"]) for n in range(MAILS) if n not in {ALERT, FORGOTTEN}]


def test_rows_are_what_psql_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = {
        ("in", "container", *psql.argv("user", "SELECT user_id, version FROM users")): "u1=3\nu2=14\n",
        ("in", "container", *psql.argv("notification", psql.DEAD)): "user.notices.v1 2=17\nuser.notices.v1 0=4\n",
    }
    monkeypatch.setattr(psql, "run", lambda *argv: printed[argv])
    assert psql.versions(("in", "container"), "user", "users") == {"u1": 3, "u2": 14}
    assert psql.dead(("in", "container")) == {Place("user.notices.v1", 2, 17), Place("user.notices.v1", 0, 4)}


def after(failures: int) -> Callable[[], Evidence]:
    """Return a collection that fails some times first, as that of a database that is just started."""
    outcomes: Iterator[Evidence | None] = iter([None] * failures + [Evidence(seen={})])

    def collect() -> Evidence:
        evidence = next(outcomes)
        if evidence is None:
            raise CommandError(("psql",), 2, "the database system is starting up")
        return evidence

    return collect


def test_a_part_that_does_not_answer_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PAUSE_S", 0.0)
    assert is_well(settled(after(2), within=60.0))


def test_a_part_that_does_not_answer_in_time_is_reported() -> None:
    with pytest.raises(ConnectionError, match=r"(?s)cannot be compared now.*starting up"):
        settled(after(1), within=-1.0)
