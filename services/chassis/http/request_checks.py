"""Checks of every request before its schema: media type, and well-formed JSON."""

import json
import re
from typing import Any

import msgspec
from litestar import Request, Response

from services.chassis.http.problems import Refused

BODY_METHODS = frozenset({"POST", "PATCH", "PUT"})
Incoming = Request[Any, Any, Any]
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


async def check(request: Incoming) -> Response[None] | None:
    """Raise Refused for a malformed request; answer OPTIONS, for which Litestar 2.25 lists one method of several."""
    if request.method == "OPTIONS":
        paths = (route for route in request.app.routes if route.path_format == request.scope["path_template"])
        allowed = ", ".join(sorted(method for route in paths for method in route.methods))
        return Response(None, status_code=204, headers={"Allow": allowed})
    if request.method in BODY_METHODS:
        _refuse_other_media(request)
        _refuse_malformed(await request.body())
    return None


def _refuse_other_media(request: Incoming) -> None:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, f"Content-Type is {kind[:100]!r}, send application/json")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Refused(415, f"Content-Encoding {encoding[:100]!r} is not supported, send the body uncompressed")


def _refuse_malformed(body: bytes) -> None:
    """Raise Refused for a body that is not JSON.

    The schema's decoder alone would give answers that depend on the field: it skips a number out of range where it
    expects a text, and stops at an unknown field before the malformed part behind it.
    """
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if SURROGATE.search(body) and _is_json(body):
            raise Refused(422, "the body has half of a surrogate pair, which is no character: leave it out") from None
        raise Refused(400, f"the body is not valid JSON: {error if body else 'it is empty'}") from None


def _is_json(body: bytes) -> bool:
    # The standard library lets through what msgspec does not: escapes of lone surrogates.
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
