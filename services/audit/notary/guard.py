"""The guard: compares the store with every checkpoint that is known outside of it, before anything is signed.

A database that was restored, or failed over to an older state, reads the topics again in another interleaving: chains
are equal then, trees are not. Signing such a tree would be a fork, which every witness and auditor would see.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.tree import Edge, HashReader, check_consistency, consistency_proof


class NotaryError(Exception):
    """Nothing may be signed until somebody has decided; the message has the cause and the remedy."""


class ForkedLogError(NotaryError):
    """A checkpoint was published whose tree is not the beginning of this store's tree."""


class Record(NamedTuple):
    """A checkpoint that is known outside of the store, and where."""

    place: str
    checkpoint: Checkpoint


# Returns the newest checkpoints of one place, none if it has none. Raises ConnectionError while it cannot be read.
Source = Callable[[], Sequence[Record]]

REMEDY = (
    "this database was restored or failed over to an older state and has read the topics in another order since, or "
    "its entries were changed. Nothing is signed. Either start a new log: another APP_AUDIT_ORIGIN, a new key and an "
    "empty database, and keep this one as evidence; or bring back the old order: a replica of the database, or "
    "`restore --from-export` into an empty one. docs/backup.md has both, step by step"
)


def missing_entries(edge: Edge, read: HashReader, records: Sequence[Record]) -> Record | None:
    """Return the largest record if the store is smaller, None if its tree continues every record.

    Raises ForkedLogError for a record that is no beginning of the store's tree.
    """
    for record in records:
        if record.checkpoint.size <= edge.size:
            _require_beginning(edge, read, record)
    largest = max(records, key=lambda record: record.checkpoint.size, default=None)
    return largest if largest and largest.checkpoint.size > edge.size else None


def _require_beginning(edge: Edge, read: HashReader, record: Record) -> None:
    old = record.checkpoint
    try:
        proof = consistency_proof(old.size, edge.size, read)
        check_consistency(old.size, edge.size, proof, old.root, edge.root())
    except ValueError as error:
        raise ForkedLogError(
            f"{record.place} has a checkpoint of {old.size:,} entries with the root {old.root.hex()}, and the tree of "
            f"this store, which has {edge.size:,} entries, does not begin with it ({error}): {REMEDY}"
        ) from error
