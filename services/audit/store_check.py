"""Verification of the audit service's store from its first entry to its last; the store may be in use."""

from contextlib import closing
from itertools import islice

from rich.console import Console
from sqlalchemy import Connection

from services.audit import report, store
from services.audit.notary import checkpoint_store
from services.audit.settings import StoreSettings
from services.audit.tree import node_store
from services.audit.verification import BadEntryError, Verification, compare_nodes
from services.chassis.messages.terminal import print_line
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import Note, UnknownKeyError
from services.chassis.transparency.policy import Policy

INCOMPLETE = "no entry was changed, but the audit log is incomplete: it was recorded, or restored, after those records"


class CutError(Exception):
    """The log has fewer entries than its checkpoint covers."""


class ForkedError(Exception):
    """The checkpoint has another root than the entries that it covers."""


def verify(settings: StoreSettings, output: Console, policy: Policy | None = None) -> None:
    """Check the whole store, and its newest checkpoint; print a summary and a verdict.

    With a policy, that is the newest published checkpoint, and its signatures are checked too. Raises StoreError for
    another log, BadEntryError, CutError, ForkedError, NoteError.
    """
    verification = Verification(settings.audit_origin)
    with store.existing(settings.database) as connection, closing(store.read_entries(connection)) as entries:
        size = store.read_size(connection, settings.audit_origin)
        signed = _checkpoint(connection, policy)
        followed = report.followed(entries, size, output)
        if signed is not None:
            verification.check(islice(followed, signed.size))
            _compare_checkpoint(verification, signed)
        verification.check(followed)
        _compare_tree(verification, connection)
        verification.compare(size, node_store.read_edge(connection), store.read_chains(connection))
    found = list(verification.chains.values())
    output.print(report.summary(found, settings.audit_origin))
    lines = list(report.missing(found, {}))
    for line in lines:
        print_line(output, line)
    print_line(output, INCOMPLETE if lines else "the audit log is whole")


def _checkpoint(connection: Connection, policy: Policy | None) -> Checkpoint | None:
    if policy is None:
        newest = checkpoint_store.newest(connection)
        return None if newest is None else Checkpoint.parse(Note.parse(newest.content).text)
    published = checkpoint_store.newest_published(connection)
    if published is None:
        raise UnknownKeyError("no checkpoint has been published yet, so no signature fulfils the policy")
    return policy.check(published.note).checkpoint


def _compare_checkpoint(verification: Verification, signed: Checkpoint) -> None:
    if verification.size < signed.size:
        raise CutError(f"it has {verification.size:,} entries, but its checkpoint covers {signed.size:,}")
    if verification.edge.root() != signed.root:
        raise ForkedError(f"its first {signed.size:,} entries have another root than its checkpoint")


def _compare_tree(verification: Verification, connection: Connection) -> None:
    filled = verification.filled()
    compare_nodes(filled, node_store.read_nodes(connection, filled))
    if (stored := node_store.count_nodes(connection)) != verification.nodes:
        raise BadEntryError(f"the tree has {stored:,} stored nodes, but its entries give {verification.nodes:,}")
