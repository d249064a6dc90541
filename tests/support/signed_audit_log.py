"""An audit log in a database with checkpoints of several sizes, signed by its key and cosigned by a witness."""

from collections.abc import Sequence
from pathlib import Path

from services.audit.notary import checkpoint_store
from services.audit.tree import node_store
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from tests.support.audit_log import ORIGIN, record_all
from tests.support.builders import NOW

LOG = Signer(ORIGIN, b"\x01" * 32)
OTHER = Signer(ORIGIN, b"\x03" * 32)  # of the same name, unknown to the policy
WITNESS = Signer("witness.example/w1", b"\x02" * 32)
POLICY = f"log {LOG.vkey}\nwitness w1 {WITNESS.cosignature_vkey}\nquorum w1\n"
SECONDS = 1_700_000_000


def a_note(size: int, root: bytes, signer: Signer = LOG, *, cosigned: bool = True) -> bytes:
    """Return a checkpoint with its signature, and with the cosignature of the witness."""
    text = Checkpoint(signer.verifier.name, size, root).text()
    lines = [WITNESS.cosign(text, SECONDS)] if cosigned else []
    return bytes(Note.parse(keys.signed(text, [signer])).with_lines(lines))


def append(database: Database, records: Sequence[Record]) -> None:
    """Append a batch, and publish the checkpoint of the log as it is then."""
    record_all(database, *records)
    with database.write() as connection:
        edge = node_store.edge_of(connection)
        note = a_note(edge.size, edge.root(), cosigned=False)
        checkpoint_store.add(connection, edge.size, edge.root(), note, NOW)
        checkpoint_store.keep_cosigned(connection, edge.size, a_note(edge.size, edge.root()))
        checkpoint_store.mark_published(connection, edge.size, NOW)


def a_policy(folder: Path, text: str = POLICY) -> Path:
    """Write the policy that its checkpoints fulfil."""
    folder.mkdir(exist_ok=True)
    file = folder / "policy"
    file.write_text(text)
    return file
