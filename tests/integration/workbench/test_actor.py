"""From a token to a journey, on a whole system with its own broker: who asked for a change is named all the way."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.console import journey
from services.console.tokens.issuer import Issuer, new_key, read_key
from services.contracts.service_list import LAG_EXPORTER, SERVICES, WITH_API
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, local_programs
from services.workbench.local.trial import settings_on_free_ports
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings

ISSUER, AUDIENCE = "https://issuer.example.org", "eventline"
ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}
ROOT_EVENTS = ["user.registered", "notification.queued", "notification.sent"]


class Protected:
    """A running system whose APIs need tokens."""

    def __init__(self, settings: WorkbenchSettings, issuer: Issuer) -> None:
        self._settings = settings
        self._issuer = issuer

    def client(self, service: str, subject: str, role: str) -> httpx.Client:
        """Return a client of a service's API, with the token of a caller."""
        token = self._issuer.token(subject, [role], timedelta(minutes=10))
        url = f"http://{HOST}:{self._settings.port(service)}"
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def audit(self, path: str, **params: str) -> Any:  # JSON
        """Return an answer of the audit API to somebody who may see everything."""
        with self.client("audit", "auditor-1", "audit") as client:
            answer = client.get(path, params=params)
        return answer.json() if answer.status_code == 200 else None

    def page(self, correlation_id: str) -> str:
        with self.client("audit", "auditor-1", "audit") as client:
            return client.get(f"/audit/journeys/{correlation_id}.html").text


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    folder = tmp_path_factory.mktemp("protected")
    settings = replace(settings_on_free_ports(0), deadline=timedelta(minutes=4))
    private, public = new_key(folder / "issuer")
    programs = [
        program.with_environment(authentication(public)) if program.name in WITH_API else program
        for program in local_programs(settings, folder)
        if program.name != LAG_EXPORTER
    ]
    with System(programs) as running:
        Lifecycle(running, settings).start([*SERVICES, "witness"])
        yield Protected(settings, read_key(private, ISSUER, AUDIENCE))


def authentication(public: Path) -> Mapping[str, str]:
    return {
        "APP_AUTH": "jwt",
        "APP_AUTH_JWKS_FILE": str(public),
        "APP_AUTH_ISSUER": ISSUER,
        "APP_AUTH_AUDIENCE": AUDIENCE,
    }


def test_who_asked_is_named_from_the_token_to_the_journey(system: Protected) -> None:
    with system.client("user", "support-7", "write") as client:
        registered = client.post("/users", json=ADA)
    assert registered.status_code == 201, registered.text
    user_id, command = registered.headers["location"].rpartition("/")[2], registered.headers["x-correlation-id"]
    with system.client("user", "https://issuer.example.org/ada", "write") as client:
        changed = client.patch(f"/users/{user_id}", json={"email": "new@example.org"}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text

    found = complete_journey(system, command)
    assert [event["type"] for event in found["events"]] == ROOT_EVENTS
    assert {event["actor"] for event in found["events"]} == {"support-7"}
    headers = [dict(record["headers"]) for event in found["events"] for record in event["records"]]
    assert [each["ce_actor"] for each in headers] == ["support-7"] * 5
    assert system.page(command).count("asked for by support-7") == len(ROOT_EVENTS)
    lines = list(journey.lines({"journey": found, "choices": []}, "http://audit"))
    assert sum("asked for by support-7" in line for line in lines) == len(ROOT_EVENTS)

    complete_journey(system, changed.headers["x-correlation-id"])
    facts = system.audit("/audit/entries", subject=user_id, topic="user.events.v1")["items"]
    assert [(fact["type"], fact["actor"]) for fact in facts] == [
        ("user.registered", "support-7"),
        ("user.email_changed", "https://issuer.example.org/ada"),
    ]
    led_to = system.audit("/audit/entries", actor="support-7")["items"]
    assert len(led_to) == 5
    assert {entry["correlation_id"] for entry in led_to} == {command}


def complete_journey(system: Protected, command: str) -> Any:  # JSON
    """Return the journey of a command once nothing of it is missing."""
    found = until(
        f"a complete journey of {command}",
        lambda: system.audit(f"/audit/journeys/{command}"),
        lambda body: bool(body) and not body["journey"]["missing"],
    )
    return found["journey"]


def test_nobody_without_a_token_leaves_an_event(system: Protected) -> None:
    with system.client("user", "reader-1", "read") as client:
        assert client.post("/users", json=ADA).status_code == 403
        del client.headers["Authorization"]
        assert client.post("/users", json=ADA).status_code == 401
    assert system.audit("/audit/entries", actor="reader-1")["items"] == []
