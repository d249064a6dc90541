"""Share of the connections per recipient domain: a domain that answers slowly does not hold up the mails of others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLOW_S = 1.0  # a mail that takes longer makes its domain slow
SLOW_FOR_S = 60.0  # after its last slow mail; a quick one ends it
REMEMBERED = 50  # slow domains at a time, as each lengthens the query for due mails

Domains = frozenset[str]


class RecipientDomains:
    """The recipient domains of one process's senders. Thread-safe.

    At most `share` connections at a time have a mail under way to one domain, and as many to all slow domains together.
    A domain is slow as soon as a mail to it has taken SLOW_S; then its mails are claimed apart from all others.
    """

    def __init__(self, share: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._until: dict[str, float] = {}  # the slow domains; the longest known first
        self._under_way: dict[object, tuple[str, float]] = {}  # domain and start of each mail

    def slow(self) -> Domains:
        """Return the domains that are slow now."""
        with self._changed:
            return self._slow()

    def has_place(self) -> bool:
        """Return whether a connection is left for a mail to a slow domain."""
        with self._changed:
            slow = self._slow()
            return sum(domain in slow for domain, _ in self._under_way.values()) < self._share

    @contextmanager
    def place(self, recipient: str) -> Iterator[bool]:
        """Yield whether a mail to a recipient may start now; wait up to SLOW_S for the mails of a quick domain."""
        domain, mail = domain_of(recipient), object()
        with self._changed:
            patience = 0 if domain in self._slow() else SLOW_S
            started = self._changed.wait_for(lambda: self._crowd(domain) < self._share, patience)
            if started:
                self._under_way[mail] = (domain, self._monotonic())
        try:
            yield started
        finally:
            if started:
                self._end(mail)

    def _end(self, mail: object) -> None:
        with self._changed:
            domain, started_at = self._under_way.pop(mail)
            now = self._monotonic()
            self._until.pop(domain, None)
            if now - started_at >= SLOW_S:
                self._until[domain] = now + SLOW_FOR_S
                if len(self._until) > REMEMBERED:
                    del self._until[next(iter(self._until))]
            self._changed.notify()

    def _slow(self) -> Domains:
        now = self._monotonic()
        remembered = [domain for domain, until in self._until.items() if now < until]
        return frozenset(remembered).union(d for d, start in self._under_way.values() if now - start >= SLOW_S)

    def _crowd(self, domain: str) -> int:
        slow = self._slow()
        alike = slow if domain in slow else {domain}
        return sum(other in alike for other, _ in self._under_way.values())


def domain_of(recipient: str) -> str:
    """Return the domain of an address."""
    return recipient.rpartition("@")[2]
