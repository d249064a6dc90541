"""Settings of the HTTP API."""

from typing import Annotated

import msgspec

from services.chassis.http.auth.settings import AuthSettings
from services.chassis.settings.environment import Port, settings

Requests = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Rate(msgspec.Struct, frozen=True):
    """A rate limit: requests a second, 0 for no limit, and how many may come at once."""

    limit: int
    burst: int


@settings
class HttpSettings(AuthSettings):
    """The port of the API and its rate limits.

    `rate_limit` is in requests a second of one caller, 0 for no limit; `rate_burst` is how many may come at once, 0 for
    as many as the limit. `…_address` is the same for one client address.
    """

    http_port: Port = 8080
    rate_limit: Requests = 0
    rate_burst: Requests = 0
    rate_limit_address: Requests = 0
    rate_burst_address: Requests = 0

    @property
    def caller_rate(self) -> Rate:
        """The rate limit of a caller."""
        return Rate(self.rate_limit, self.rate_burst or self.rate_limit)

    @property
    def address_rate(self) -> Rate:
        """The rate limit of a client address."""
        return Rate(self.rate_limit_address, self.rate_burst_address or self.rate_limit_address)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        pairs = {
            "": (self.rate_limit, self.rate_burst),
            "_ADDRESS": (self.rate_limit_address, self.rate_burst_address),
        }
        return super().problems() + [
            f"APP_RATE_BURST{suffix} is {burst} without APP_RATE_LIMIT{suffix}: give the limit, or remove the burst"
            for suffix, (limit, burst) in pairs.items()
            if burst and not limit
        ]
