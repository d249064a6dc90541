"""Interface of a system under end-to-end test: addresses, mails, and starting and stopping its parts.

Implementations: `local_target`, `compose_target` and `kind_target`.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from services.chassis.kafka.settings import KafkaSettings
from services.workbench.local.sink import Mail

BROKER = "broker"
DATABASE = "database"


class Target(Protocol):
    """A system. A part is a service's name, BROKER or, if it runs on its own, DATABASE."""

    @property
    def urls(self) -> Mapping[str, str]:
        """The address of each service's API."""

    @property
    def kafka(self) -> KafkaSettings:
        """Settings with which a person on this machine reads topics."""

    @property
    def administrator(self) -> KafkaSettings:
        """Settings with which anything can be done at the broker."""

    def login(self, principal: str) -> KafkaSettings:
        """Return the settings of one login, by its name in `services.contracts.access`."""

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables by which the commands of the workbench find the system."""

    @property
    def parts(self) -> frozenset[str]:
        """The parts that can be stopped."""

    def mails(self, address: str) -> list[Mail]:
        """Return the mails to an address."""

    def stop(self, part: str) -> None:
        """Stop a part with SIGTERM until it is started."""

    def kill(self, part: str) -> None:
        """Stop a part with SIGKILL until it is started."""

    def start(self, part: str) -> None:
        """Start a stopped part and wait until it is ready."""

    def rebuild_notification(self) -> None:
        """Recover from the loss of the notification database: stop, empty, migrate, start; wait until ready.

        The service then restores its intents from `notification.events.v1` and reads `user.state.v1` from the start.
        """

    def misfortunes(self) -> dict[str, str]:
        """Return each part that crashed or ran out of memory, with its log."""

    def replica(self) -> dict[str, str]:
        """Return the version and digest of each user in notification's replica."""


@contextlib.contextmanager
def stopped(target: Target, part: str) -> Iterator[None]:
    """Stop a part with SIGTERM for the duration of the block."""
    target.stop(part)
    try:
        yield
    finally:
        target.start(part)


@contextlib.contextmanager
def killed(target: Target, part: str) -> Iterator[None]:
    """Stop a part with SIGKILL for the duration of the block."""
    target.kill(part)
    try:
        yield
    finally:
        target.start(part)
