"""The faults of `make run` from another process: by its live page, which owns the system's processes."""

from http import HTTPStatus

import aiohttp
import msgspec

from services.workbench.faults.breaker import Status
from services.workbench.faults.table import Fault, FaultError

BEGIN_S = 30.0  # reading the log's end, and taking three SQLite locks, may take some seconds


class Order(msgspec.Struct, frozen=True):
    """A fault to be caused, and its seconds."""

    verb: str
    target: str
    seconds: float


class Begun(msgspec.Struct, frozen=True):
    """The answer to an order: the number of the report that will cover it."""

    number: int


class RemoteBreaker:
    """A breaker behind the live page at an address; see `breaker.Breaker`. Raises aiohttp.ClientError."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/faults"

    async def status(self) -> Status:
        """Return the present status."""
        return msgspec.json.decode(await self._exchange("GET"), type=Status)

    async def begin(self, fault: Fault, seconds: float) -> int:
        """Cause a fault. Raises FaultError."""
        order = Order(fault.verb, fault.target, seconds)
        return msgspec.json.decode(await self._exchange("POST", order), type=Begun).number

    async def heal(self) -> list[str]:
        """Heal everything now."""
        return msgspec.json.decode(await self._exchange("DELETE"), type=list[str])

    async def _exchange(self, method: str, order: Order | None = None) -> bytes:
        content = None if order is None else msgspec.json.encode(order)
        timeout = aiohttp.ClientTimeout(BEGIN_S)
        async with self._session.request(method, self._url, data=content, timeout=timeout) as answer:
            body = await answer.read()
            if answer.status == HTTPStatus.CONFLICT:
                raise FaultError(msgspec.json.decode(body)["detail"])
            answer.raise_for_status()
        return body
