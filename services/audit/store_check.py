"""Verification of the audit service's store from its first entry to its last; the store may be in use."""

from collections.abc import Generator
from contextlib import closing

from rich.console import Console
from sqlalchemy import Connection

from services.audit import report, store
from services.audit.notary import checkpoint_store
from services.audit.notary.stored_notes import StoredNotes
from services.audit.settings import StoreSettings
from services.audit.tree import node_store
from services.audit.verification import BadEntryError, Verification, check_log, compare_nodes
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import UnknownKeyError
from services.chassis.transparency.policy import Policy


def verify(settings: StoreSettings, output: Console, policy: Policy | None = None) -> None:
    """Check the whole store, and its checkpoints; print a summary and a verdict.

    With a policy, the newest published checkpoint must fulfil it. Raises StoreError for another log, BadEntryError,
    CutError, ForkedError, NoteError.
    """
    origin = settings.audit_origin
    verification, notes = Verification(origin), StoredNotes(origin, policy)
    with (
        store.existing(settings.database) as connection,
        closing(store.read_entries(connection)) as entries,
        closing(_checkpoints(connection, notes)) as checkpoints,  # both are read from at the same time
    ):
        size = store.read_size(connection, origin)
        if policy is not None:
            _check_published(connection, notes)
        check_log(verification, report.followed(entries, size, output), checkpoints)
        _compare_tree(verification, connection)
        verification.compare(size, node_store.read_edge(connection), store.read_chains(connection))
    report.verdict(list(verification.chains.values()), origin, notes.unknown, output)


def _check_published(connection: Connection, notes: StoredNotes) -> None:
    published = checkpoint_store.newest_published(connection)
    if published is None:
        raise UnknownKeyError("no checkpoint has been published yet, so no signature fulfils the policy")
    notes.newest(published.note)


def _checkpoints(connection: Connection, notes: StoredNotes) -> Generator[Checkpoint]:
    with closing(checkpoint_store.all_stored(connection)) as rows:
        for stored in rows:
            # SQLite's columns have no strict types: a manual edit may replace bytes by text.
            content: object = stored.content
            found = notes.earlier(content) if isinstance(content, bytes) else None
            if found is None or (found.size, found.root) != (stored.size, stored.root):
                raise BadEntryError(f"the checkpoint of {stored.size:,} entries has another size or root than its note")
            yield found


def _compare_tree(verification: Verification, connection: Connection) -> None:
    filled = verification.filled()
    compare_nodes(filled, node_store.read_nodes(connection, filled))
    if (stored := node_store.count_nodes(connection)) != verification.nodes:
        raise BadEntryError(f"the tree has {stored:,} stored nodes, but its entries give {verification.nodes:,}")
