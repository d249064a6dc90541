"""A change of rights is sent again where the client itself has closed the connection of the first request."""

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.chassis.kafka.access.acls import AccessAdmin
from services.chassis.kafka.admin import BrokerUnavailableError
from services.chassis.kafka.error_codes import REPLACED
from services.chassis.kafka.settings import KafkaSettings

UNREACHED = KafkaError._TRANSPORT  # noqa: SLF001  # a constant


class Client:
    """An admin client whose first answers are errors."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.requests = 0

    def alter_user_scram_credentials(self, users: list[object]) -> dict[object, Future[None]]:
        """Answer one request."""
        self.requests += 1
        future = Future[None]()
        if self._codes:
            future.set_exception(KafkaException(KafkaError(self._codes.pop(0))))
        else:
            future.set_result(None)
        return {str(user): future for user in users}


@pytest.mark.parametrize(
    ("codes", "requests", "fails"),
    [((), 1, False), ((REPLACED,), 2, False), ((REPLACED,) * 2, 2, True), ((UNREACHED,), 1, True)],
)
def test_a_replaced_connection_is_no_outage(
    codes: tuple[int, ...], requests: int, *, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, client = AccessAdmin(KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1"), "test"), Client(*codes)
    monkeypatch.setattr(admin, "_admin", client)
    failed = False
    try:
        admin.admit({"ada": "password"})
    except BrokerUnavailableError:
        failed = True
    assert (client.requests, failed) == (requests, fails)
