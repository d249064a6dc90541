"""A whole system that the stories are told to: where it answers, where its mails end, how its parts are taken away.

Three kinds stand behind it: `local_target`, `compose_target` and `kind_target`. The stories know none of them.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from services.workbench.local.sink import Mail

SERVICES = ("user", "notification", "audit")
BROKER = "broker"
DATABASE = "database"


class Target(Protocol):
    """What every system offers. A part is a service's name, BROKER or, where it is a part of its own, DATABASE."""

    @property
    def urls(self) -> Mapping[str, str]:
        """The address of each service's API."""

    @property
    def bootstrap_servers(self) -> str:
        """Where the broker answers a client on this machine."""

    @property
    def parts(self) -> frozenset[str]:
        """What can be taken away."""

    def mails(self, address: str) -> list[Mail]:
        """Return the mails that an address was sent."""

    def stop(self, part: str) -> None:
        """End a part in order; it stays away until it is started."""

    def kill(self, part: str) -> None:
        """End a part with SIGKILL; it stays away until it is started."""

    def start(self, part: str) -> None:
        """Start a part that is away, and wait until it can be used."""

    def rebuild_notification(self) -> None:
        """Do what an operator does whose notification database is lost: stop, empty, migrate, start; wait until ready.

        The service then restores its intents from `notification.events.v1` and reads `user.state.v1` from the start.
        """

    def misfortunes(self) -> dict[str, str]:
        """Return each part that ended by itself or ran out of memory, with what it said."""

    def replica(self) -> dict[str, str]:
        """Return the version and digest of each user's state as notification's replica has it."""


@contextlib.contextmanager
def stopped(target: Target, part: str) -> Iterator[None]:
    """Take a part away in order for the length of the block."""
    target.stop(part)
    try:
        yield
    finally:
        target.start(part)


@contextlib.contextmanager
def killed(target: Target, part: str) -> Iterator[None]:
    """Take a part away without warning for the length of the block."""
    target.kill(part)
    try:
        yield
    finally:
        target.start(part)
