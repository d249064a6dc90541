"""`console topics`: the broker is waited for and given the topics of the catalog. In Kubernetes this is a Job."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from services.chassis.kafka.admin import BrokerUnavailableError, Described
from services.chassis.net.backoff import Backoff
from services.contracts import catalog

BACKOFF_S = (0.1, 0.2, 0.5, 1.0)
T = TypeVar("T")


class Broker(Protocol):
    """The queries; see `chassis.kafka.admin.KafkaAdmin`."""

    def ensure(self, topics: Sequence[Described]) -> list[str]:
        """Create what is missing and return its names. Raises BrokerUnavailableError."""


def ensure(broker: Broker, patience: timedelta, say: Callable[[str], None]) -> list[str]:
    """Create the topics that are missing and return their names; each new reason to wait is printed once.

    Raises BrokerUnavailableError with the last reason when the patience is over, TopicsError at once.
    """
    return waiting(partial(broker.ensure, catalog.TOPICS), patience, say)


def waiting(attempt: Callable[[], T], patience: timedelta, say: Callable[[str], None]) -> T:
    """Try until it succeeds and return the result; each new reason to wait is printed once.

    Raises BrokerUnavailableError with the last reason when the patience is over, any other error at once.
    """
    backoff = Backoff(*BACKOFF_S)
    deadline, reported = time.monotonic() + patience.total_seconds(), ""
    while True:
        try:
            return attempt()
        except BrokerUnavailableError as error:
            if time.monotonic() > deadline:
                raise
            if str(error) != reported:
                say(f"waiting: {error}")
            reported = str(error)
        time.sleep(backoff.next())
