"""Proofs of entries from the stored tree, and the record that a proven entry covers.

A proof has the entry's bytes as its `extra`, so that a check needs nothing but the proof and a policy.
"""

import struct
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from services.audit.notary import checkpoint_store
from services.audit.tiles.published import encoded
from services.audit.tree import node_store
from services.chassis.transparency.policy import Checked, Policy
from services.chassis.transparency.proof import Proof, ProofError
from services.chassis.transparency.tree import inclusion_proof, leaf_hash

# After version and topic: partition, offset, timestamp type, timestamp, flags, three digests, head of the chain.
_AFTER_TOPIC = struct.Struct(">IQBqB32s32s32s32s")
VERSION = 1


class NotProvenError(Exception):
    """There is no proof of an entry; the message gives the reason."""


class ProvenEntry(NamedTuple):
    """The record that an entry covers: its place, its time in milliseconds since 1970, and digests of its parts."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    headers: bytes


def prove(connection: Connection, position: int, origin: str) -> Proof:
    """Return the proof of the entry at a position under the newest published checkpoint. Raises NotProvenError."""
    published = checkpoint_store.newest_published(connection)
    if published is None:
        raise NotProvenError("no checkpoint is published yet: audit signs with the key of APP_AUDIT_KEY_FILE")
    if not 0 <= position < published.size:
        last = published.size - 1
        raise NotProvenError(f"entry {position}: the newest published checkpoint covers entries 0 to {last}")
    entry = next(encoded(connection, position, 1, origin), None)
    if entry is None:
        raise NotProvenError(f"entry {position} is missing: `verify` names what was changed")
    hashes = inclusion_proof(position, published.size, node_store.reader(connection))
    return Proof(position, tuple(hashes), published.note, entry)


def check(proof: Proof, policy: Policy) -> tuple[ProvenEntry, Checked]:
    """Return the entry that a proof proves, and its checkpoint. Raises NoteError, ProofError."""
    if proof.extra is None:
        raise ProofError("the proof has no entry as its extra data")
    checked = proof.check(leaf_hash(proof.extra), policy)
    return decoded(proof.extra), checked


def decoded(entry: bytes) -> ProvenEntry:
    """Return the record that the bytes of an entry cover. Raises ProofError."""
    try:
        version, length = entry[0], entry[1]
        partition, offset, _, timestamp, _, *digests, _ = _AFTER_TOPIC.unpack(entry[2 + length :])
        topic = entry[2 : 2 + length].decode()
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ProofError(f"the proven bytes are no entry of an audit log: {error}") from None
    if version != VERSION:
        raise ProofError(f"the proven entry has version {version}")
    return ProvenEntry(topic, partition, offset, timestamp, *digests)


def read_policy(file: Path) -> Policy:
    """Return the policy of a file. Raises OSError, ValueError."""
    return Policy.parse(file.read_text())
