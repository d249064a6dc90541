"""The caller of a request, as its token names it. Handlers and middleware read it from the scope of the request."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import msgspec

ROLES = ("read", "write", "audit", "operate")
KEY = "eventline.caller"


class Caller(msgspec.Struct, frozen=True):
    """A person or a program. Without authentication the subject is empty and the caller has every role."""

    subject: str
    roles: frozenset[str]


ANYBODY = Caller("", frozenset(ROLES))
NOBODY = Caller("", frozenset())  # authentication found no valid token


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Return the caller of a request; ANYBODY if the API authenticates nobody."""
    found: Caller = scope.get(KEY, ANYBODY)
    return found


def set_caller(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Note the caller of a request, once its token is verified."""
    scope[KEY] = caller
