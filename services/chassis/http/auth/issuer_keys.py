"""Cache of the issuer's keys. Unknown key ids cause at most one read of the key set per interval."""

import asyncio
import math
import threading
import time
from collections.abc import Callable

import structlog
from jwt import PyJWK

from services.chassis.http.auth.key_set import Keys, KeySetError, parse
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.periodic import Periodic

LEAST_S = 10.0  # between two reads
USUAL_S = 300.0  # the longest time that a key is used after the issuer has withdrawn it
CONDITION = "issuer"

log = structlog.get_logger()


class IssuerKeys:
    """The keys by `kid`. Keys that were read stay in use while the issuer is unreachable."""

    def __init__(self, read: Callable[[], bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._tried = -math.inf
        self._reading: asyncio.Future[None] | None = None
        self.keys: Keys = {}

    async def find(self, kid: str) -> PyJWK | None:
        """Return a key; for an unknown `kid` read the set again if it is due, or wait for a read in progress."""
        if kid not in self.keys:
            if (self._reading is None or self._reading.done()) and self._monotonic() - self._tried >= LEAST_S:
                self._tried = self._monotonic()
                self._reading = asyncio.ensure_future(asyncio.to_thread(self._refresh_quietly))
            if self._reading is not None and not self._reading.done():
                await asyncio.wait({self._reading})
        return self.keys.get(kid)

    def refresh(self) -> None:
        """Read the set. Raises KeySetError, and keeps the keys."""
        with self._lock:
            self._tried = self._monotonic()
            found = parse(self._read())
            if {kid: key.key for kid, key in found.items()} != {kid: key.key for kid, key in self.keys.items()}:
                log.info("the issuer has other keys", kids=sorted(found))
                self.keys = found

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except KeySetError as error:
            log.warning("a token has an unknown key id, and the key set cannot be read", error=str(error))


class KeyRefresh(Periodic):
    """Reads the key set at the start and regularly; without keys the service is not ready."""

    name = "key-refresh"

    def __init__(self, keys: IssuerKeys, health: Health) -> None:
        super().__init__(health)
        self._keys = keys
        health.lacks(CONDITION, "not read yet")

    def check(self) -> float:
        """Read the set; report to readiness."""
        try:
            self._keys.refresh()
        except KeySetError as error:
            self._health.lacks(CONDITION, str(error), needed=not self._keys.keys)
            log.warning("the issuer's keys cannot be read", error=str(error))
            return LEAST_S if self._keys.keys else 1.0
        self._health.has(CONDITION)
        return USUAL_S
