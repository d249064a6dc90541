"""A log with its notary: entries, key, witness, and a topic that is a list."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from services.audit.notary import sources
from services.audit.notary.cosigning import Witness, Witnesses
from services.audit.notary.guard import Record, Source
from services.audit.notary.notary import Notary, Outside, SignedLog
from services.audit.notary.publication import Publication
from services.audit.notary.sources import file_records, witness_records
from services.chassis.database.database import Database
from services.chassis.messages.publisher import Publisher
from services.chassis.telemetry.telemetry import telemetry
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.key_set import policy
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from services.chassis.transparency.policy import Policy
from tests.support.stored_witness import StoredWitness

ORIGIN = "eventline.local/audit"
KEY = Signer(ORIGIN, bytes(range(32)))
WITNESS, URL = "own", "http://127.0.0.1:1"  # the name is that of the policy; nobody asks by the address
WITNESS_KEY = Signer("eventline.local/witness", bytes(range(1, 33)))


class Topic(Protocol):
    """The topic of checkpoints: a fake."""

    def open_producer(self) -> Publisher:
        """Return a producer."""

    def values(self) -> Sequence[bytes | None]:
        """Return every value."""


def one_of_one() -> Policy:
    """Return the policy of the log with one witness."""
    return Policy.parse(policy(KEY.vkey, WITNESS_KEY.cosignature_vkey, URL))


def notary(database: Database, topic: Topic, folder: Path, witness: Witness | None) -> Notary:
    """Return a notary as a process has it at its start; its sources are the topic, the file, and the witness."""
    file = folder / "checkpoint"
    clients = {} if witness is None else {WITNESS: witness}
    places: list[Source] = [
        partial(topic_records, topic),
        partial(file_records, file, ORIGIN),
        partial(witness_records, clients, ORIGIN),
    ]
    outside = Outside(
        Publication(ORIGIN, topic.open_producer, file),
        None if witness is None else Witnesses(one_of_one(), clients),
        tuple(places),
    )
    return Notary(SignedLog(database, KEY), outside, telemetry("audit"))


def a_witness(folder: Path) -> StoredWitness:
    """Return the witness whose state is in a folder."""
    return StoredWitness(folder / "witness.db", WITNESS_KEY, KEY.verifier)


def topic_records(topic: Topic) -> list[Record]:
    """Return the largest checkpoint on the topic."""
    return sources.largest(ORIGIN, (("the topic", value or b"") for value in topic.values()))


def sizes(topic: Topic) -> list[int]:
    """Return the size of each checkpoint on the topic, in order."""
    return [checkpoint_of(value or b"").size for value in topic.values()]


def checkpoint_of(content: bytes) -> Checkpoint:
    """Return the checkpoint of a note with the log's signature."""
    note = Note.parse(content)
    KEY.verifier.check(note)
    return Checkpoint.parse(note.text)
