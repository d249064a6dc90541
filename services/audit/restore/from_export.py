"""`restore --from-export`: appends the entries of an export in their old order, so that tree and checkpoints agree.

The store is empty, or a backup that the service has not run on since; it ends with what the export's checkpoint covers.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rich.console import Console

from services.audit import store
from services.audit.chain_heads import Heads
from services.audit.domain import Entry, LargeValue
from services.audit.export import export_check
from services.audit.export.layout import Layout
from services.audit.export.reader import Export
from services.audit.restore.command import RestoreError
from services.audit.tree import node_store
from services.chassis.consumer.offset_store import progress
from services.chassis.database import bulk
from services.chassis.database.database import Database
from services.chassis.messages.terminal import print_line
from services.chassis.transparency.policy import Policy
from services.chassis.transparency.tree import TILE_WIDTH, Edge, extend

Batch = tuple[Entry, ...]


def run(database: Database, origin: str, folder: Path, policy: Policy, output: Console) -> None:
    """Verify the export, append what the store lacks of it, and compare the roots.

    Raises RestoreError, and what the verification of an export raises.
    """
    export_check.verify(folder, output, policy)
    layout = Layout(folder)
    newest = policy.check(layout.checkpoint.read_bytes()).checkpoint
    if newest.origin != origin:
        raise RestoreError(f"the export has the log {newest.origin!r}, but APP_AUDIT_ORIGIN is {origin!r}")
    store.create_log(database, origin)
    entries = Export(layout, newest.size).entries()
    before = _beginning(database, entries)
    heads = Heads()
    for batch in _batches(entries):
        _append(database, _with_values(layout, batch), origin, heads)
    with database.read() as connection:
        edge = node_store.edge_of(connection)
    if (edge.size, edge.root()) != (newest.size, newest.root):
        raise RestoreError(
            "the store has another tree than the export's checkpoint: begin again with an empty database"
        )
    print_line(output, f"{newest.size - before:,} entries added to {before:,}: the tree is that of the checkpoint")
    print_line(output, "start the service: it goes on behind the last entry of each partition")


def _beginning(database: Database, entries: Iterator[Entry]) -> int:
    """Skip the entries that the store has, and return their number. Raises RestoreError if it has others."""
    with database.snapshot() as connection:
        stored = node_store.edge_of(connection)
    edge = Edge()
    for batch in _batches(islice(entries, stored.size)):
        edge, _ = extend(edge, [entry.leaf for entry in batch])
    if edge != stored:
        raise RestoreError(
            f"the store has {stored.size:,} entries, which are not the first ones of the export: it has read the "
            "topics in another order since, or is newer; name an empty database in APP_DATABASE_URL, or a backup "
            "on which the service has not run"
        )
    return stored.size


def _append(database: Database, batch: Batch, origin: str, heads: Heads) -> None:
    with database.write() as connection:
        log = store.Log(connection, origin, heads)
        if log.size != batch[0].position:
            raise RestoreError("another process has added entries: stop every instance of the audit service")
        for entry in batch:
            log.chain(entry.topic, entry.topic_id, entry.partition).add(entry)
        log.append(batch)
        positions = [(entry.topic, entry.partition, entry.topic_id, entry.offset + 1) for entry in batch]
        bulk.upsert(connection, progress, positions)


def _batches(entries: Iterator[Entry]) -> Iterator[Batch]:
    while batch := tuple(islice(entries, TILE_WIDTH)):
        yield batch


def _with_values(layout: Layout, batch: Batch) -> Batch:
    for entry in batch:
        if isinstance(entry.value, LargeValue):
            entry.value = layout.value(entry.position).read_bytes()
    return batch
