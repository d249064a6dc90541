"""Rate limits of an API: a token bucket per caller and one per address, answered by 429 (RFC 6585) with `Retry-After`.

The algorithm is GCRA (ITU-T I.371, annex A): a token bucket that needs one number per key. Each process has buckets of
its own: of N replicas behind a balancer, a caller gets up to N times the limit.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import Counter

from services.chassis.http.auth.caller import caller_of
from services.chassis.http.problems import send_problem
from services.chassis.http.settings import Rate

MOST_BUCKETS = 10_000  # about 2 MB
NETWORK_BITS = 64  # of an IPv6 address: what one host or one site is given

Key = Callable[[Scope], str]


class Buckets:
    """Token buckets by key, all with the same rate and burst. Of more than `most`, the least recently used one leaves.

    A bucket that left is a full one when its key comes again.
    """

    def __init__(self, rate: Rate, most: int = MOST_BUCKETS) -> None:
        self._interval = 1 / rate.limit
        self._tolerance = self._interval * (rate.burst - 1)
        self._most = most
        self._due: OrderedDict[str, float] = OrderedDict()  # the "theoretical arrival time" of GCRA

    def __len__(self) -> int:
        """Return the number of buckets."""
        return len(self._due)

    def take(self, key: str, now: float) -> float:
        """Take a token; return 0, or the seconds until there is one. `now` is a monotonic time in seconds."""
        due = max(self._due.get(key, now), now)
        wait = due - self._tolerance - now
        self._due[key] = due if wait > 0 else due + self._interval
        self._due.move_to_end(key)
        if len(self._due) > self._most:
            self._due.popitem(last=False)
        return max(wait, 0.0)


class RateLimit:
    """ASGI middleware: refuses a request whose key has no token left, before anything else is done for it."""

    def __init__(self, app: ASGIApp, rate: Rate, key: Key, refused: Counter) -> None:
        self._app = app
        self._rate = rate
        self._buckets = Buckets(rate)
        self._key = key
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        wait = self._buckets.take(self._key(scope), time.monotonic()) if scope["type"] == ScopeType.HTTP else 0
        if not wait:
            await self._app(scope, receive, send)
            return
        self._refused.inc()
        seconds = math.ceil(wait)
        detail = f"too many requests: the limit is {self._rate.limit} a second; repeat this one in {seconds} s"
        await send_problem(send, 429, detail, {"retry-after": str(seconds)})


def limited(app: ASGIApp, rate: Rate, key: Key, refused: Counter) -> ASGIApp:
    """Return an application with a rate limit; the application itself if the limit is off."""
    return RateLimit(app, rate, key, refused) if rate.limit else app


def by_address(scope: Scope) -> str:
    """Return the address of the connection, of IPv6 the network: one host may use every address of it.

    No header is read: a client can write any. So everybody behind one proxy shares a bucket.
    """
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, NETWORK_BITS), strict=False))


def by_caller(scope: Scope) -> str:
    """Return the caller's subject; without one the address, in a form that no subject has: those are printable."""
    return caller_of(scope).subject or f"\0{by_address(scope)}"
