"""A witness without HTTP, which answers as specified by C2SP tlog-witness and keeps its state in a file.

Its rows outlive the processes that ask it, and it remembers each status that it has answered.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer, Verifier
from services.chassis.transparency.note import Note
from services.chassis.transparency.tree import EMPTY_ROOT, check_consistency
from services.chassis.transparency.witness_client import WitnessBehindError, WitnessRefusedError

OK, STALE, INCONSISTENT = 200, 409, 422
TIME = 1_764_000_000


class StoredWitness:
    """Cosigns checkpoints of one log."""

    def __init__(self, path: Path, signer: Signer, log: Verifier) -> None:
        self._path = path
        self._signer = signer
        self._log = log
        with self._state() as state:
            state.execute("CREATE TABLE IF NOT EXISTS held (size INTEGER, root BLOB, note BLOB)")
            state.execute("CREATE TABLE IF NOT EXISTS answers (status INTEGER)")

    def add(self, old: int, proof: Sequence[bytes], note: bytes) -> list[str]:
        """Return the cosignature. Raises WitnessBehindError for 409, and WitnessRefusedError for 422."""
        parsed = Note.parse(note)
        self._log.check(parsed)
        status, size = self._judge(old, proof, Checkpoint.parse(parsed.text), note)
        if status == STALE:
            raise WitnessBehindError(size)
        if status == INCONSISTENT:
            raise WitnessRefusedError(status, "the checkpoint does not extend the cosigned one")
        return [self._signer.cosign(parsed.text, TIME)]

    def latest(self, _origin: str) -> bytes | None:
        """Return the newest checkpoint that it has cosigned."""
        with self._state() as state:
            row = state.execute("SELECT note FROM held ORDER BY size DESC LIMIT 1").fetchone()
        return row[0] if row else None

    def cosigned(self) -> list[bytes]:
        """Return every checkpoint that it has cosigned."""
        with self._state() as state:
            return [note for (note,) in state.execute("SELECT note FROM held")]

    def answers(self) -> list[int]:
        """Return every status that it has answered."""
        with self._state() as state:
            return [status for (status,) in state.execute("SELECT status FROM answers")]

    def _judge(self, old: int, proof: Sequence[bytes], new: Checkpoint, note: bytes) -> tuple[int, int]:
        with self._state() as state:
            held = state.execute("SELECT size, root FROM held ORDER BY size DESC LIMIT 1").fetchone() or (0, EMPTY_ROOT)
            status = STALE if old != held[0] else _consistency(held, new, proof)
            if status == OK:
                state.execute("INSERT INTO held VALUES (?, ?, ?)", (new.size, new.root, note))
            state.execute("INSERT INTO answers VALUES (?)", (status,))
        return status, held[0]

    @contextmanager
    def _state(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as state:
            state.execute("BEGIN IMMEDIATE")
            yield state
            state.execute("COMMIT")


def _consistency(held: tuple[int, bytes], new: Checkpoint, proof: Sequence[bytes]) -> int:
    try:
        check_consistency(held[0], new.size, proof, held[1], new.root)
    except ValueError:
        return INCONSISTENT
    return OK
