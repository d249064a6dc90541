"""The API of the transparency log: `/checkpoint` and `/tile/…`, up to the newest published checkpoint."""

import gzip
from collections.abc import Callable
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from services.chassis.http.problems import Refused, described
from services.chassis.transparency.tiles import TilePath

FOR_EVER = "public, max-age=31536000, immutable"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
NONE_YET = "no checkpoint has been published: the service has no key (APP_AUDIT_KEY_FILE), or no witness has answered"
UNKNOWN = "no published checkpoint covers such a tile or bundle; paths are those of C2SP tlog-tiles"


def routes(
    checkpoint: Callable[[], bytes | None], resource: Callable[[TilePath], bytes | None]
) -> list[ControllerRouterHandler]:
    """Return the handlers. `checkpoint` reads the newest published note, `resource` a tile or bundle."""

    @get(
        "/checkpoint",
        operation_id="getCheckpoint",
        summary="Read the newest published checkpoint",
        description="The size and root of the log as a signed note, with the cosignatures of witnesses.",
        responses=described(404, 500, 503),
        sync_to_thread=True,
    )
    def newest() -> Response[bytes]:
        note = checkpoint()
        if note is None:
            raise Refused(404, NONE_YET)
        return Response(note, headers={"content-type": TEXT, "cache-control": "no-cache"})

    @get(
        "/tile/{path:path}",
        operation_id="getTile",
        summary="Read a tile of hashes or a bundle of entries",
        description=(
            "`LEVEL/N` has 256 hashes, `entries/N` 256 entries, each after its length in two bytes; `.p/W` after "
            "either the first W of them. Those that a published checkpoint covers never change."
        ),
        responses=described(400, 404, 500, 503),
        sync_to_thread=True,
    )
    def tile(path: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        try:
            wanted = TilePath.parse(f"tile{path}")
        except ValueError as error:
            raise Refused(404, UNKNOWN) from error
        content = resource(wanted)
        if content is None:
            raise Refused(404, UNKNOWN)
        headers = {"content-type": BYTES, "cache-control": FOR_EVER}
        if wanted.level is None:  # hashes cannot be compressed
            headers["vary"] = "accept-encoding"
            if _takes_gzip(request.headers.get("accept-encoding", "")):
                headers["content-encoding"] = "gzip"
                content = gzip.compress(content, mtime=0)
        return Response(content, headers=headers)

    return [newest, tile]


def _takes_gzip(accepted: str) -> bool:
    for choice in accepted.split(","):
        name, _, quality = choice.partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
