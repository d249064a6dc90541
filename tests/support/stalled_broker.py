"""A program whose broker stalls between two requests: `python -m tests.support.stalled_broker ADDRESS PID`."""

import os
import signal
import sys
from datetime import timedelta
from typing import Any

from confluent_kafka.admin import AdminClient

from services.chassis.kafka import admin
from services.chassis.kafka.settings import KafkaSettings
from services.workbench.polling import until

PATIENCE_S = 1.0
GROUP = "stalled"


def main(address: str, broker: int) -> None:
    """Ask for the members of a group while the broker answers, and then while it stalls."""
    settings = KafkaSettings(kafka_bootstrap_servers=address, kafka_request_timeout=timedelta(seconds=PATIENCE_S))
    asked = admin.KafkaAdmin(settings, GROUP)
    until("an answer", lambda: _members(asked), lambda found: found == "[]")

    class Stalling(AdminClient):
        def list_topics(self, *args: Any, **options: Any) -> Any:
            found = super().list_topics(*args, **options)
            os.kill(broker, signal.SIGSTOP)
            return found

    admin.AdminClient = Stalling  # type: ignore[attr-defined]
    try:
        sys.stdout.write(_members(asked))
    finally:
        os.kill(broker, signal.SIGCONT)
    admin.AdminClient = AdminClient  # type: ignore[attr-defined]
    until("an answer", lambda: _members(asked), lambda found: found == "[]")


def _members(asked: admin.KafkaAdmin) -> str:
    try:
        return str(asked.member_ids([GROUP])[GROUP])
    except admin.BrokerUnavailableError as error:
        return str(error)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
