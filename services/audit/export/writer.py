"""Writer of an export: everything that the newest published checkpoint covers, as files.

Each file is renamed into place when it is whole, and none is written again: an export that was interrupted, or that is
older than the log, goes on. The checkpoint comes after all that it covers.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace
from rich.console import Console
from sqlalchemy import Connection, LargeBinary, func, select

from services.audit import report, store
from services.audit.domain import Entry, LargeValue
from services.audit.export.layout import ExportError, Layout, SavedNote, encoded
from services.audit.notary import checkpoint_store
from services.audit.notary.checkpoint_store import Published
from services.audit.store import PIECE, entries
from services.audit.tiles import published
from services.audit.tree import node_store
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import Note
from services.chassis.transparency.tiles import HIGHEST_LEVEL, TilePath, resources, widths
from services.chassis.transparency.tree import check_consistency, consistency_proof

NONE = (
    "no checkpoint is published yet, and an export has what one covers: audit signs with the key of APP_AUDIT_KEY_FILE"
)


def write(connection: Connection, layout: Layout, origin: str, output: Console) -> int:
    """Write what is missing, and return the number of entries that the export has then. Raises ExportError."""
    store.read_size(connection, origin)
    newest = checkpoint_store.newest_published(connection)
    if newest is None:
        raise ExportError(NONE)
    _begin(layout, origin)
    before = _size_before(connection, layout, newest)
    for _ in report.followed(_copied(connection, layout, origin, newest.size), newest.size, output, "exported"):
        pass
    with replacing(layout.checkpoint) as file:
        file.write(newest.note)
    _write_checkpoints(connection, layout, newest.size)
    _remove_partial(layout, before, newest.size)
    return newest.size


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes this path when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.new")
    with written.open("wb") as file:
        yield file
    written.replace(path)


def _begin(layout: Layout, origin: str) -> None:
    if layout.origin.exists():
        if (other := layout.origin.read_text()) != f"{origin}\n":
            raise ExportError(
                f"{layout.folder} is an export of {other.strip()!r}, not of {origin!r}: name another folder"
            )
        return
    if layout.folder.exists() and any(layout.folder.iterdir()):
        raise ExportError(f"{layout.folder} is not empty, and no export: name another folder")
    (layout.folder / "records").mkdir(mode=0o700, parents=True)  # personal data
    (layout.folder / "values").mkdir(mode=0o700)
    with replacing(layout.origin) as file:
        file.write(f"{origin}\n".encode())


def _size_before(connection: Connection, layout: Layout, newest: Published) -> int:
    if not layout.checkpoint.exists():
        return 0
    try:
        before = Checkpoint.parse(Note.parse(layout.checkpoint.read_bytes()).text)
        now = Checkpoint.parse(Note.parse(newest.note).text)
        proof = consistency_proof(before.size, now.size, node_store.reader(connection))
        check_consistency(before.size, now.size, proof, before.root, now.root)
    except ValueError as error:
        raise ExportError(f"the log does not continue the export in {layout.folder}, verify both: {error}") from error
    return before.size


def _copied(connection: Connection, layout: Layout, origin: str, size: int) -> Iterator[int]:
    for path in resources(size):
        if path.level is None and not layout.records(path).exists():
            _write_records(connection, layout, path)
        if not layout.resource(path).exists():
            content = published.resource(connection, path, origin)
            if content is None:
                raise ExportError(f"{path.text()} cannot be made from the store: verify it")
            with replacing(layout.resource(path)) as file:
                file.write(content)
        if path.level is None:
            yield from range(path.first, path.first + path.width)


def _write_records(connection: Connection, layout: Layout, path: TilePath) -> None:
    with (
        replacing(layout.records(path)) as file,
        closing(store.read_entries(connection, path.first, path.width)) as rows,
    ):
        for entry in rows:
            file.write(encoded(_with_value_file(connection, layout, entry)))


def _with_value_file(connection: Connection, layout: Layout, entry: Entry) -> Entry:
    value = entry.value
    if not isinstance(value, LargeValue):
        return entry
    with replacing(layout.value(entry.position)) as file:
        for offset in range(1, value.size + 1, PIECE):
            piece = select(func.substr(entries.c.value, offset, PIECE, type_=LargeBinary))
            file.write(connection.execute(piece.where(entries.c.position == entry.position)).scalar_one())
    return replace(entry, value=LargeValue(b"", value.size, value.sha256))


def _write_checkpoints(connection: Connection, layout: Layout, size: int) -> None:
    with (
        replacing(layout.checkpoints) as file,
        closing(checkpoint_store.all_stored(connection)) as rows,
    ):
        for stored in rows:
            if stored.size <= size:
                file.write(encoded(SavedNote(stored.size, stored.content.decode())))


def _remove_partial(layout: Layout, before: int, now: int) -> None:
    for path in set(_partial(before)) - set(_partial(now)):
        layout.resource(path).unlink(missing_ok=True)
        if path.level is None:
            layout.records(path).unlink(missing_ok=True)


def _partial(size: int) -> Iterator[TilePath]:
    for level in (None, *range(HIGHEST_LEVEL + 1)):
        full, width = widths(size, level or 0)
        if width:
            yield TilePath(level, full, width)
