"""HTTP errors of the user API: statuses of refused commands and texts that only this API has."""

from functools import partial

from services.chassis.http import problems
from services.chassis.http.problems import Kind
from services.user.domain import Because

STATUS = {
    Because.INVALID: 422,
    Because.NOT_FOUND: 404,
    Because.TAKEN: 409,
    Because.STALE: 412,
    Because.DEACTIVATED: 409,
    Because.KEY_REUSED: 422,
    Because.TOO_LARGE: 413,
}
CATALOGUE = problems.CATALOGUE | {
    404: Kind("Not Found", "There is no such path, or no user with this id.", "Check the path and the id."),
    409: Kind(
        "Conflict",
        "Another user has the login or the address (in any case and Unicode form), or the user is deactivated.",
        "Choose another login or address.",
    ),
    412: Kind("Precondition Failed", "The user is not at the version of If-Match.", "Read the user, send its ETag."),
    413: Kind("Content Too Large", "The body, or the event it would lead to, is above the limit.", "Send less."),
    422: Kind(
        "Unprocessable Content",
        "JSON that does not fit the schema: an unknown or read-only field, a wrong type, an invalid name "
        "or address; or a parameter that is unknown or out of range, such as a moment in the future; "
        "or an Idempotency-Key used for another request.",
        "`errors` and `detail` name the fields and the allowed range: correct them.",
    ),
}
described = partial(problems.described, catalogue=CATALOGUE)
