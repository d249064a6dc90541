"""ASGI middleware: authentication names the caller of a request, authorization compares its roles with the route's.

Authentication is outside of the application, so that a rate limit between them knows the caller. Authorization is
inside, where the route is known; the body of a refused request is not read.
"""

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from prometheus_client import Counter

from services.chassis.http.auth import sign_in
from services.chassis.http.auth.access import EVERYBODY, Routes, needed
from services.chassis.http.auth.caller import KEY, NOBODY, Caller, set_caller
from services.chassis.http.auth.refusals import forbidden, unauthenticated
from services.chassis.http.auth.tokens import MALFORMED, REFUSED, TokenError, TokenVerifier
from services.chassis.http.problems import Refused

HEADER = b"authorization"
SCHEME = b"bearer"
UNAUTHENTICATED = 401
ACCEPTED, NO_ROLE = "accepted", "no_role"  # no role: valid, but only public routes take it

log = structlog.get_logger()


class Authentication:
    """Notes the caller that a request's token names, NOBODY without a valid one. Counts tokens by their outcome."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, tokens: Counter) -> None:
        self._app = app
        self._verifier = verifier
        self._outcomes = {outcome: tokens.labels(outcome) for outcome in (ACCEPTED, NO_ROLE, *REFUSED)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        if scope["type"] == ScopeType.HTTP:
            set_caller(scope, await self._caller(scope))  # type: ignore[arg-type]  # a scope has more keys than its type
        await self._app(scope, receive, send)

    async def _caller(self, scope: HTTPScope) -> Caller:
        given = [value for name, value in scope["headers"] if name == HEADER]
        if not given:
            return NOBODY
        try:
            caller = await self._verifier.caller(_token(given))
        except TokenError as error:
            self._outcomes[error.reason].inc()
            log.info("token refused", reason=str(error))
            return NOBODY
        self._outcomes[ACCEPTED if caller.roles else NO_ROLE].inc()
        return caller


class Authorization:
    """Refuses a request whose caller has no role of the route, unless the route is public."""

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        if scope["type"] != ScopeType.HTTP or (refused := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
        elif refused.status == UNAUTHENTICATED and sign_in.is_wanted(scope):
            await sign_in.send_page(send, refused.headers)
        else:
            raise refused

    def _refusal(self, scope: HTTPScope) -> Refused | None:
        roles = needed(self._routes, scope["method"], scope["path_template"])
        caller: Caller = scope.get(KEY, NOBODY)  # type: ignore[assignment]  # as above
        if roles == EVERYBODY or roles & caller.roles:
            return None
        if caller is NOBODY:
            return unauthenticated(with_token=any(name == HEADER for name, _ in scope["headers"]))
        log.info("forbidden", subject=caller.subject, roles=sorted(caller.roles), needed=sorted(roles))
        return forbidden(roles)


def _token(given: list[bytes]) -> bytes:
    if len(given) > 1:
        raise TokenError(MALFORMED, "the header Authorization is given more than once")
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != SCHEME:
        raise TokenError(MALFORMED, "the scheme of Authorization is not Bearer")
    return token.strip(b" ")
