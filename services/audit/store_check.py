"""Verification of the audit service's store from its first entry to its last; the store may be in use."""

from contextlib import closing

from rich.console import Console

from services.audit import report, store
from services.audit.settings import StoreSettings
from services.audit.verification import Verification


def verify(settings: StoreSettings, output: Console) -> None:
    """Check the whole store and print a summary. Raises BadEntryError, or StoreError for another log's store."""
    verification = Verification(settings.audit_origin)
    with store.existing(settings.database) as connection, closing(store.read_entries(connection)) as entries:
        size = store.read_size(connection, settings.audit_origin)
        verification.check(report.followed(entries, size, output))
        verification.compare(size, store.read_chains(connection))
    output.print(report.summary(list(verification.chains.values()), settings.audit_origin))
