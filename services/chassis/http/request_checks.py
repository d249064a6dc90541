"""Checks of every request before its schema: media type, well-formed JSON, and query parameters by name."""

import json
import re
from collections import Counter
from difflib import get_close_matches
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import MultiDict
from litestar.openapi.spec import Parameter

from services.chassis.http.problems import Refused

METHODS = ("get", "post", "put", "patch", "delete")  # as OpenAPI names operations
SINGLE_HEADERS = ("Content-Type", "Idempotency-Key")  # a choice between two values would be a guess
Incoming = Request[Any, Any, Any]
LONGEST_SHOWN = 200
LARGEST_INTEGER = 2**63 - 1  # of both databases and of Kafka
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class RequestChecks:
    """Refuses malformed requests, and query parameters that the application's OpenAPI document does not list.

    Litestar ignores an unknown parameter: a filter with a typo in its name would find everything. Litestar's guards
    would do for parameters, but each guard costs a copy of the route handler, and a thread if it is no coroutine.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], frozenset[str]] = {}

    def learn(self, app: Litestar) -> None:
        """Read the parameters of each operation."""
        for path, item in (app.openapi_schema.paths or {}).items():
            for method in METHODS:
                if operation := getattr(item, method):
                    self._names[path, method.upper()] = _query(operation.parameters or [])

    async def __call__(self, request: Incoming) -> Response[None] | None:
        """Raise Refused for a malformed request; answer OPTIONS: Litestar 2.25 lists one method of several."""
        if request.method == "OPTIONS":
            return _options(request)
        if request.scope["query_string"]:
            known = self._names.get((request.scope["path_template"], request.method), frozenset())
            _refuse_other_parameters(request.query_params, known)
        for name in SINGLE_HEADERS:
            if len(request.headers.getall(name, [])) > 1:
                raise Refused(400, f"the header {name} is given more than once: send it once")
        if "data" in request.route_handler.parsed_fn_signature.parameters:  # the route takes a body
            _refuse_other_media(request)
            _refuse_malformed(await request.body())
        return None


def _options(request: Incoming) -> Response[None]:
    paths = (route for route in request.app.routes if route.path_format == request.scope["path_template"])
    allowed = ", ".join(sorted(method for route in paths for method in route.methods))
    return Response(None, status_code=204, headers={"Allow": allowed})


def _refuse_other_parameters(given: MultiDict[Any], known: frozenset[str]) -> None:
    """Raise Refused for an unknown or a repeated parameter."""
    if invalid := sorted(name for name in given if any("\0" in value for value in given.getall(name))):
        raise Refused(422, f"parameter {', '.join(invalid)[:LONGEST_SHOWN]!r} has a NUL, which is no character")
    if unknown := sorted(set(given) - known):
        raise Refused(422, _unknown(unknown, known))
    if repeated := sorted(name for name in known if len(given.getall(name, [])) > 1):
        raise Refused(422, f"parameter {', '.join(repeated)} is given more than once")


def _refuse_other_media(request: Incoming) -> None:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, f"Content-Type is {kind[:100]!r}, send application/json")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Refused(415, f"Content-Encoding {encoding[:100]!r} is not supported, send the body uncompressed")


def _refuse_malformed(body: bytes) -> None:
    """Raise Refused for a body that is not JSON, or has a key twice: readers would disagree about its value.

    The schema's decoder alone would give answers that depend on the field: it skips a number out of range where it
    expects a text, and stops at an unknown field before the malformed part behind it.
    """
    try:
        msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_refuse_repeated)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if SURROGATE.search(body) and _is_json(body):
            raise Refused(422, "the body has half of a surrogate pair, which is no character: leave it out") from None
        raise Refused(400, f"the body is not valid JSON: {error if body else 'it is empty'}") from None


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    given = Counter(key for key, _ in pairs)
    if len(given) < len(pairs):
        repeated = given.most_common(1)[0][0]
        raise Refused(400, f"the body has the key {repeated[:LONGEST_SHOWN]!r} more than once: send it once")


def _is_json(body: bytes) -> bool:
    # The standard library lets through what msgspec does not: escapes of lone surrogates.
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _query(parameters: list[Any]) -> frozenset[str]:
    return frozenset(each.name for each in parameters if isinstance(each, Parameter) and each.param_in == "query")


def _unknown(unknown: list[str], known: frozenset[str]) -> str:
    nearest = get_close_matches(unknown[0], known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return (
        f"unknown parameters {', '.join(unknown)[:LONGEST_SHOWN]!r}; {hint}"
        f"known parameters: {', '.join(sorted(known)) or 'none'}"
    )
