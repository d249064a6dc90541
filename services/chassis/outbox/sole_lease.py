"""The lease of a service without an outbox: it has no relay of events, and publishes dead letters only."""

import time
from collections.abc import Callable

from services.chassis.outbox.lease import Lease, LeaseLostError, Leases

RENEW_S = 5.0


class SoleLease:
    """Takes the lease when it is free and renews it, by being asked for it again and again."""

    def __init__(self, leases: Leases, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._monotonic = monotonic
        self._lease: Lease | None = None
        self._look_at = 0.0

    def leads(self) -> bool:
        """Return whether this process has the lease. Raises an error of UNAVAILABLE."""
        now = self._monotonic()
        if now >= self._look_at:
            self._lease = self._renewed() or self._taken()
            self._look_at = now + RENEW_S
        return self._lease is not None

    def _renewed(self) -> Lease | None:
        if self._lease is None:
            return None
        try:
            self._leases.renew(self._lease)
        except LeaseLostError:
            return None
        return self._lease

    def _taken(self) -> Lease | None:
        taken = self._leases.take()
        return taken if isinstance(taken, Lease) else None
