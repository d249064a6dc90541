"""From exceptions to RFC 9457 problem details: the one place that decides the status of an error.

`python -m services.chassis.http.problems` prints the catalogue of errors, which is `docs/errors.md`.
"""

import sys
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from services.chassis.database.database import UNAVAILABLE

MEDIA_TYPE = "application/problem+json"


class Kind(msgspec.Struct, frozen=True):
    """A status: its phrase (RFC 9110), what it says here, what to do."""

    title: str
    meaning: str
    remedy: str


CATALOGUE = {
    400: Kind("Bad Request", "The body is not JSON in UTF-8, or a header is not of its form.", "Correct the request."),
    404: Kind("Not Found", "There is no such path, or nobody with this id.", "Look at the path and the id."),
    405: Kind("Method Not Allowed", "The path does not have this method.", "The header Allow names those it has."),
    408: Kind("Request Timeout", "The request did not arrive in time.", "Send it without pauses."),
    409: Kind(
        "Conflict",
        "Somebody else has the login or the address (in any case and Unicode form), or the user is deactivated.",
        "Choose another login or address.",
    ),
    412: Kind("Precondition Failed", "The user is not at the version of If-Match.", "Read the user, try its ETag."),
    413: Kind("Content Too Large", "The body, or the event it would lead to, is above the limit.", "Send less."),
    415: Kind(
        "Unsupported Media Type",
        "The body is not application/json, or it is compressed.",
        "Send Content-Type: application/json and no Content-Encoding.",
    ),
    422: Kind(
        "Unprocessable Content",
        "JSON of another shape: an unknown or read-only field, a wrong type, a text that cannot be a name or an "
        "address; or a parameter that is unknown or out of range; or an Idempotency-Key used for another request.",
        "`errors` and `detail` name the fields: correct them.",
    ),
    428: Kind("Precondition Required", "If-Match is missing.", "Send the ETag of the version you read, or *."),
    431: Kind("Request Header Fields Too Large", "The head of the request is above the limit.", "Send less."),
    500: Kind("Internal Server Error", "A bug; the log has it under the correlation id.", "Tell the operator the id."),
    503: Kind(
        "Service Unavailable",
        "The database is away, busy, full or read-only, or the service stops.",
        "Repeat the request with the same Idempotency-Key after the seconds of Retry-After.",
    ),
}
log = structlog.get_logger()


class Problem(msgspec.Struct, omit_defaults=True):
    """A problem detail. `detail` says what is wrong and what to do, `errors` names fields."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[dict[str, Any]] = []


class Refused(Exception):  # noqa: N818  # it is an answer, not a fault
    """A request that is refused with a status of our choice."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def problem(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Problem:
    """Return a problem with the phrase of its status."""
    kind = CATALOGUE.get(status)
    return Problem(kind.title if kind else "Error", status, detail, errors=errors or [])


def described(*statuses: int) -> dict[int, ResponseSpec]:
    """Return statuses as an operation's description in OpenAPI names them, each with an example."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=f"{CATALOGUE[status].meaning} {CATALOGUE[status].remedy}",
            media_type=MEDIA_TYPE,
            examples=[Example(value=msgspec.to_builtins(problem(status, CATALOGUE[status].meaning)))],
        )
        for status in statuses
    }


def markdown() -> str:
    """Return the catalogue of errors as a page."""
    rows = [f"| {status} {kind.title} | {kind.meaning} | {kind.remedy} |" for status, kind in CATALOGUE.items()]
    head = (
        "# Errors\n"
        f"Every error of an HTTP API is a problem detail (RFC 9457, `{MEDIA_TYPE}`): `title`, `status`, `detail`, and\n"
        "`errors` where fields can be named. `X-Correlation-ID` is in every answer; the log has it too.\n"
        "This page is printed by `python -m services.chassis.http.problems`.\n\n"
        "| Status | What it says | What to do |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def answer(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Response[Problem]:
    """Return a problem as a response."""
    headers = {"Retry-After": "1"} if status == 503 else {}  # noqa: PLR2004  # a status code is its own name
    return Response(problem(status, detail, errors), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def on_refused(_: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    """Answer what a handler refused."""
    return answer(error.status, str(error))


def on_validation(_: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """Answer well-formed JSON, or a parameter, of the wrong shape."""
    errors = [dict(item) for item in error.extra] if isinstance(error.extra, list) else []
    return answer(422, error.detail, errors)


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses: unknown path, wrong method, body too large."""
    if isinstance(error.__cause__, SerializationException):
        return answer(422, error.detail)
    response = answer(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def on_unavailable(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer while the database is away or the service stops: try again, with the same Idempotency-Key."""
    log.warning("unavailable", error=str(error))
    return answer(503, "the service cannot do this now; repeat the request with the same Idempotency-Key")


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer what should not happen; the log has the details, the client has not."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return answer(500, "an unexpected error; it is in the log under this request's correlation id")


HANDLERS: dict[Any, Any] = {
    Refused: on_refused,
    ValidationException: on_validation,
    HTTPException: on_http,
    **dict.fromkeys(UNAVAILABLE, on_unavailable),
    ConnectionError: on_unavailable,
    Exception: on_bug,
}

if __name__ == "__main__":
    sys.stdout.write(markdown())
