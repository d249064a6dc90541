"""HTTP clients of the APIs: they send the token of APP_TOKEN, or tokens made with the key of APP_TOKEN_KEY_FILE."""

import os
from collections.abc import Generator
from typing import Any

import aiohttp
import httpx

from services.console.tokens.sent import SentToken, of_environment


def api_session(**options: Any) -> aiohttp.ClientSession:  # noqa: ANN401  # those of aiohttp
    """Return a session whose requests have a valid token, however long it lives. Raises IssuerError, SettingsError."""
    sent = of_environment(os.environ)

    async def authorized(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers.update(sent.headers())
        return await send(request)

    return aiohttp.ClientSession(middlewares=(authorized,), **options)


class ApiAuth(httpx.Auth):
    """The same for httpx: `auth=ApiAuth()`. Raises IssuerError, SettingsError."""

    def __init__(self) -> None:
        self._sent: SentToken = of_environment(os.environ)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token to a request; httpx's hook."""
        request.headers.update(self._sent.headers())
        yield request
