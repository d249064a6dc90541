"""From exceptions to RFC 9457 problem details: the one place that decides the status of an error."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException

from services.chassis.database import UNAVAILABLE

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    428: "Precondition Required",
    500: "Internal Server Error",
    503: "Service Unavailable",
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


def answer(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Response[Problem]:
    """Return a problem as a response."""
    problem = Problem(TITLES.get(status, "Error"), status, detail, errors=errors or [])
    headers = {"Retry-After": "1"} if status == 503 else {}  # noqa: PLR2004  # a status code is its own name
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def on_refused(_: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    """Answer what a handler refused."""
    return answer(error.status, str(error))


def on_validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """Answer well-formed JSON of the wrong shape (422), or what is no JSON at all (400)."""
    if request.headers.get("content-length") == "0":
        return answer(400, "the body is not valid JSON: it is empty")
    if isinstance(error.__cause__, (SerializationException, msgspec.DecodeError)) and not isinstance(
        error.__cause__, msgspec.ValidationError
    ):
        return answer(400, f"the body is not valid JSON: {error.__cause__}")
    errors = [dict(item) for item in error.extra] if isinstance(error.extra, list) else []
    return answer(422, error.detail, errors)


def on_malformed(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer a body that is not JSON, not UTF-8 or nested too deep."""
    return answer(400, f"the body is not valid JSON: {error}")


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses: unknown path, wrong method, body too large."""
    if isinstance(error.__cause__, SerializationException):
        return answer(400, f"the body is not valid JSON: {error.detail}")
    return answer(error.status_code, error.detail)


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
    SerializationException: on_malformed,
    UnicodeDecodeError: on_malformed,
    RecursionError: on_malformed,
    HTTPException: on_http,
    **dict.fromkeys(UNAVAILABLE, on_unavailable),
    ConnectionError: on_unavailable,
    Exception: on_bug,
}
