"""One running system for all tests here."""

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import NOTIFICATION_EVENTS
from services.contracts.envelope import to_headers
from services.contracts.notification import EVENTS, NotificationFailed, Recipient
from services.contracts.service_list import WITH_API
from services.workbench.local.measured_system import Running, running
from tests.support.builders import an_envelope

ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running system: somebody has registered, a mail has left, a bounce has come, every API was asked."""
    with running(tmp_path_factory.mktemp("metrics")) as system:
        user_id = httpx.post(f"{system.urls['user']}/users", json=ADA).raise_for_status().json()["user_id"]
        asked = dict.fromkeys(WITH_API, "/nothing") | {"notification": f"/notifications?user_id={user_id}"}
        for service, path in asked.items():
            httpx.get(system.urls[service] + path)
        system.publish(a_bounce(user_id))
        yield system


def a_bounce(user_id: str) -> Outgoing:
    """Return the record that a user's address refuses mail: all that the user service subscribes to."""
    who = (new_id(), user_id, "550 no such mailbox")
    bounce = NotificationFailed(*who, permanent=True, tries=1, personal=Recipient(ADA["email"]))
    envelope = an_envelope(
        id=new_id(), source=EVENTS, type="notification.failed", subject=user_id, version=99, time=utc_now()
    )
    return Outgoing(NOTIFICATION_EVENTS.name, user_id.encode(), msgspec.json.encode(bounce), to_headers(envelope))
