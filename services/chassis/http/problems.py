"""Problem details (RFC 9457): maps exceptions to HTTP statuses and describes the statuses for OpenAPI."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import Send

from services.chassis.database.database import UNAVAILABLE

MEDIA_TYPE = "application/problem+json"


class Kind(msgspec.Struct, frozen=True):
    """A status: its reason phrase (RFC 9110), its meaning here, and the next step for the client."""

    title: str
    meaning: str
    remedy: str


CATALOGUE = {
    400: Kind(
        "Bad Request",
        "The body is not JSON in UTF-8 or has a key twice, or a header is not of its form or given twice.",
        "Correct the request.",
    ),
    401: Kind(
        "Unauthorized",
        "The request has no valid token; the reason is in the service's log.",
        "Send a valid one as Authorization: Bearer TOKEN.",
    ),
    403: Kind(
        "Forbidden",
        "The token is valid, but has none of the roles that the request needs.",
        "WWW-Authenticate lists them in `scope`.",
    ),
    404: Kind("Not Found", "There is no such path or resource.", "Check the path and the id."),
    405: Kind(
        "Method Not Allowed", "The path does not have this method.", "The header Allow lists the methods that it has."
    ),
    408: Kind("Request Timeout", "The request did not arrive in time.", "Send it without pauses."),
    409: Kind("Conflict", "The state of the resource does not allow this.", "Read the resource."),
    412: Kind("Precondition Failed", "The resource has another version.", "Read it and send its ETag."),
    413: Kind("Content Too Large", "The body is above the limit.", "Send less."),
    415: Kind(
        "Unsupported Media Type",
        "The body is not application/json, or it is compressed.",
        "Send Content-Type: application/json and no Content-Encoding.",
    ),
    422: Kind(
        "Unprocessable Content",
        "A field or a parameter is unknown, of a wrong type, out of range or given more than once.",
        "`errors` and `detail` name the fields: correct them.",
    ),
    428: Kind("Precondition Required", "If-Match is missing.", "Send the ETag of the version you read, or *."),
    429: Kind(
        "Too Many Requests",
        "The caller, or the client's address, has sent more requests than its rate limit allows.",
        "Repeat the request after the seconds of Retry-After, and send fewer.",
    ),
    431: Kind("Request Header Fields Too Large", "The head of the request is above the limit.", "Send less."),
    500: Kind(
        "Internal Server Error", "A bug; the log has it under the correlation id.", "Report the id to the operator."
    ),
    503: Kind(
        "Service Unavailable",
        "The database is unreachable, busy, full or read-only, or the service stops.",
        "Repeat the request with the same Idempotency-Key after the seconds of Retry-After.",
    ),
}
log = structlog.get_logger()


class Problem(msgspec.Struct, omit_defaults=True):
    """A problem detail. `detail` gives the fault and the next step, `errors` the fields."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[dict[str, Any]] = []


class Refused(Exception):  # noqa: N818  # an HTTP response, not a fault
    """Refusal of a request with a given status, and headers of the answer."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}


def problem(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Problem:
    """Return a problem with the phrase of its status."""
    kind = CATALOGUE.get(status)
    return Problem(kind.title if kind else "Error", status, detail, errors=errors or [])


def described(*statuses: int, catalogue: Mapping[int, Kind] = CATALOGUE) -> dict[int, ResponseSpec]:
    """Return the OpenAPI responses of some statuses and of 429, which each request may get, each with an example."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=f"{catalogue[status].meaning} {catalogue[status].remedy}",
            media_type=MEDIA_TYPE,
            examples=[Example(value=msgspec.to_builtins(problem(status, catalogue[status].meaning)))],
        )
        for status in sorted({*statuses, 429})
    }


def answer(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Response[Problem]:
    """Return a problem as a response."""
    headers = {"Retry-After": "1"} if status == 503 else {}  # noqa: PLR2004  # a status code is its own name
    return Response(problem(status, detail, errors), status_code=status, media_type=MEDIA_TYPE, headers=headers)


async def send_problem(send: Send, status: int, detail: str, headers: Mapping[str, str]) -> None:
    """Send a problem from ASGI middleware, which no handler of exceptions surrounds."""
    body = msgspec.json.encode(problem(status, detail))
    fields = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **headers}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def on_refused(_: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    """Respond to a handler's refusal."""
    response = answer(error.status, str(error))
    response.headers.update(error.headers)
    return response


def on_validation(_: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """Respond to well-formed JSON, or a parameter, that does not fit the schema."""
    errors = [dict(item) for item in error.extra] if isinstance(error.extra, list) else []
    return answer(422, error.detail, errors)


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Respond to a refusal of the framework: unknown path, wrong method, body too large."""
    if isinstance(error.__cause__, SerializationException):
        return answer(422, error.detail)
    response = answer(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def on_unavailable(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Respond while the database is unreachable, answers too late, or the service stops."""
    log.warning("unavailable", error=str(error) or "not done in time")
    return answer(503, "the service cannot do this now; repeat the request with the same Idempotency-Key")


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Respond to an unexpected exception: details go to the log only."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return answer(500, "an unexpected error; it is in the log under this request's correlation id")


HANDLERS: dict[Any, Any] = {
    Refused: on_refused,
    ValidationException: on_validation,
    HTTPException: on_http,
    **dict.fromkeys(UNAVAILABLE, on_unavailable),
    ConnectionError: on_unavailable,
    TimeoutError: on_unavailable,
    Exception: on_bug,
}
