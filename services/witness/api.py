"""The witness's API (C2SP tlog-witness): a checkpoint to be cosigned, and the newest one of each log for monitors.

Bodies are text of the specification's own media types, so these routes take no JSON and send none but problems.
"""

from typing import Annotated

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.params import PathParameter, RawBody
from litestar.types import ControllerRouterHandler

from services.chassis.http import problems
from services.chassis.http.application import ApiDocument
from services.chassis.http.problems import Kind, Refused
from services.chassis.transparency.witness_client import SIZE_TYPE
from services.contracts.api_access import ROUTES
from services.witness.domain import (
    InconsistentError,
    MalformedError,
    RefusedError,
    StaleError,
    UnknownLogError,
    UntrustedError,
)
from services.witness.handlers import Witness

LARGEST_BODY = 10 * 1024  # a note with many cosignatures and 63 lines of a proof fit into it
TEXT = "text/plain; charset=utf-8"
STATUS: dict[type[RefusedError], int] = {
    MalformedError: 400,
    UntrustedError: 403,
    UnknownLogError: 404,
    InconsistentError: 422,
}
CATALOGUE = problems.CATALOGUE | {
    400: Kind("Bad Request", "The body has not the specified form.", "Correct the request."),
    403: Kind("Forbidden", "No known key of the log has signed the checkpoint.", "Sign it with the key that is known."),
    404: Kind("Not Found", "The witness does not know the log.", "Ask the operator to add its public key."),
    409: Kind("Conflict", "The body has the size of the newest cosigned checkpoint.", "Prove consistency from there."),
    422: Kind("Unprocessable Content", "It is not proved that the checkpoint extends the last.", "Correct the proof."),
}


class _AddCheckpoint(Operation):
    """The operation with its body, which Litestar infers of JSON alone."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            content={"text/plain": OpenAPIMediaType(schema=Schema(type="string"))},  # type: ignore[arg-type]
            description="`old SIZE`, the lines of a consistency proof, an empty line, the signed checkpoint.",
            required=True,
        )


def routes(witness: Witness) -> list[ControllerRouterHandler]:
    """Return the handlers."""

    @post(
        "/add-checkpoint",
        operation_id="addCheckpoint",
        summary="Cosign a checkpoint",
        description="200 has the witness's signature lines. 409 has the size of the newest cosigned checkpoint.",
        status_code=200,
        request_max_body_size=LARGEST_BODY,
        responses=problems.described(400, 403, 404, 409, 413, 422, 500, 503, catalogue=CATALOGUE),
        operation_class=_AddCheckpoint,
        sync_to_thread=True,
    )
    def add_checkpoint(body: RawBody) -> Response[bytes]:
        try:
            return _text(witness.add(body))
        except StaleError as error:
            # Without a charset: clients compare the whole header.
            return Response(f"{error.size}\n".encode(), status_code=409, headers={"content-type": SIZE_TYPE})
        except RefusedError as error:
            raise Refused(STATUS[type(error)], str(error)) from error

    @get(
        "/{digest:str}/checkpoint",
        operation_id="newestCheckpoint",
        summary="Read the newest cosigned checkpoint",
        description="The signed checkpoint of a log with this witness's cosignature.",
        responses=problems.described(400, 404, 500, 503, catalogue=CATALOGUE),
        sync_to_thread=True,
    )
    def checkpoint(
        digest: Annotated[str, PathParameter(description="SHA-256 of the log's origin, in hex")],
    ) -> Response[bytes]:
        note = witness.newest(digest)
        if note is None:
            raise NotFoundException("no checkpoint of this log has been cosigned, or the log is not known")
        return _text(note, {"cache-control": "no-cache"})

    return [add_checkpoint, checkpoint]


def _text(content: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(content, headers={"content-type": TEXT, **(headers or {})})


DOCUMENT = ApiDocument(
    access=ROUTES["witness"],
    title="Eventline witness",
    tag="Witness",
    tag_description="Cosignatures of checkpoints (C2SP tlog-witness).",
)
