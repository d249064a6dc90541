"""Verification of the audit service's store from its first entry to its last; the store may be in use."""

from contextlib import closing

from rich.console import Console
from sqlalchemy import Connection

from services.audit import report, store
from services.audit.settings import StoreSettings
from services.audit.tree import node_store
from services.audit.verification import BadEntryError, Verification, compare_nodes
from services.chassis.messages.terminal import print_line

INCOMPLETE = "no entry was changed, but the audit log is incomplete: it was recorded, or restored, after those records"


def verify(settings: StoreSettings, output: Console) -> None:
    """Check the whole store and print a summary and a verdict. Raises BadEntryError, StoreError for another log."""
    verification = Verification(settings.audit_origin)
    with store.existing(settings.database) as connection, closing(store.read_entries(connection)) as entries:
        size = store.read_size(connection, settings.audit_origin)
        verification.check(report.followed(entries, size, output))
        _compare_tree(verification, connection)
        verification.compare(size, node_store.read_edge(connection), store.read_chains(connection))
    found = list(verification.chains.values())
    output.print(report.summary(found, settings.audit_origin))
    lines = list(report.missing(found, {}))
    for line in lines:
        print_line(output, line)
    print_line(output, INCOMPLETE if lines else "the audit log is whole")


def _compare_tree(verification: Verification, connection: Connection) -> None:
    filled = verification.filled()
    compare_nodes(filled, node_store.read_nodes(connection, filled))
    if (stored := node_store.count_nodes(connection)) != verification.nodes:
        raise BadEntryError(f"the tree has {stored:,} stored nodes, but its entries give {verification.nodes:,}")
