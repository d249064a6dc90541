"""The log that a running audit service serves over HTTP: its checkpoint, and the hashes of its tiles."""

from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import Note
from services.chassis.transparency.tiles import TilePath, widths
from services.chassis.transparency.tree import TILE_WIDTH
from services.workbench.local.ports import HOST

HASH = 32  # bytes
TIMEOUT_S = 10.0
NOT_SERVED = (OSError, HTTPException, LookupError)  # the service is down, or has published nothing


class ServedLog:
    """A log at a port. `read` gives hashes as of the size of the last checkpoint that was fetched."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tiles: dict[TilePath, bytes] = {}
        self.checkpoint = Checkpoint("", 0, b"")

    @property
    def url(self) -> str:
        """The address that judges read from."""
        return f"http://{HOST}:{self._port}"

    def note(self) -> bytes:
        """Fetch the newest checkpoint, and return its note. Raises NOT_SERVED."""
        content = self._fetched("checkpoint")
        self.checkpoint = Checkpoint.parse(Note.parse(content).text)
        return content

    def size(self) -> int:
        """Return the size of the newest checkpoint. Raises NOT_SERVED."""
        self.note()
        return self.checkpoint.size

    def read(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """Return hashes of a tile level."""
        return [self._hash(level, index) for index in range(first, first + count)]

    def _hash(self, level: int, index: int) -> bytes:
        tile, place = divmod(index, TILE_WIDTH)
        full, partial = widths(self.checkpoint.size, level)
        path = TilePath(level, tile, TILE_WIDTH if tile < full else partial)
        if path not in self._tiles:
            self._tiles[path] = self._fetched(path.text())
        return self._tiles[path][place * HASH : (place + 1) * HASH]

    def _fetched(self, path: str) -> bytes:
        connection = HTTPConnection(HOST, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", f"/{path}")
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise LookupError(f"/{path}: {response.status} {content!r}")
        return content
