"""Verification of an export: what `verify` does with a store, done with files, a policy, and no database."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from services.audit import report
from services.audit.export.layout import ExportError, Layout
from services.audit.export.reader import Export
from services.audit.notary.stored_notes import StoredNotes
from services.audit.verification import BadEntryError, CutError, Verification, check_log, compare_nodes
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.policy import Policy


def verify(folder: Path, output: Console, policy: Policy) -> None:
    """Check an export, and print a summary and a verdict.

    Raises ExportError if there is none, BadEntryError, CutError, ForkedError, NoteError.
    """
    layout = Layout(folder)
    if not layout.checkpoint.is_file():
        raise ExportError(f"{folder} is no export, or one that was interrupted: it has no {layout.checkpoint.name}")
    note = layout.checkpoint.read_bytes()
    newest = policy.check(note).checkpoint
    notes = StoredNotes(newest.origin, policy)
    verification, export = Verification(newest.origin), Export(layout, newest.size)
    followed = report.followed(export.entries(), newest.size, output)
    check_log(verification, followed, _checkpoints(export, notes, newest))
    compare_nodes(verification.filled(), export.nodes())
    report.verdict(list(verification.chains.values()), newest.origin, notes.unknown, output)


def _checkpoints(export: Export, notes: StoredNotes, newest: Checkpoint) -> Iterator[Checkpoint]:
    for size, note in export.checkpoints():
        found = notes.earlier(note)
        if found.size != size:
            raise BadEntryError(f"the stored checkpoint of {size:,} entries has a note for {found.size:,}")
        if size > newest.size:
            raise CutError(f"it has a checkpoint of {size:,} entries, but the newest one covers {newest.size:,}")
        yield found
    yield newest
