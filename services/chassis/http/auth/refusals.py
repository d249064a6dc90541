"""Refusals of a caller: 401 and 403 with `WWW-Authenticate` (RFC 6750). The reason is in the log only."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.chassis.http.auth.caller import caller_of
from services.chassis.http.problems import Refused

REALM = 'Bearer realm="eventline"'
UNAUTHENTICATED = "the request has no valid token: send the header Authorization: Bearer TOKEN"
FORBIDDEN = "the token is valid, but has no role that this request needs"


def unauthenticated(*, with_token: bool) -> Refused:
    """Return the refusal of a request without a valid token."""
    value = f'{REALM}, error="invalid_token"' if with_token else REALM
    return Refused(401, UNAUTHENTICATED, {"WWW-Authenticate": value})


def forbidden(needed: Iterable[str]) -> Refused:
    """Return the refusal of a valid token; one of the roles is needed."""
    scope = " ".join(sorted(needed))
    value = f'{REALM}, error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")
    return Refused(403, FORBIDDEN, {"WWW-Authenticate": value})


def require_role(scope: Mapping[str, Any], role: str) -> None:
    """Check that the caller of a request has a role. Raises Refused with 403."""
    if role not in caller_of(scope).roles:
        raise forbidden([role])
