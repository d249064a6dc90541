"""A server of short-lived processes that append entries and sign checkpoints, and are killed at a given point.

`python -m tests.support.notary_crash` reads a line of JSON for each round: the runs that go on side by side. It forks a
process for each, which takes milliseconds, and answers with their exit codes.
"""

import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from services.audit import handlers
from services.audit.chain_heads import Heads
from services.audit.notary import checkpoint_store, publication
from services.audit.notary.notary import TRANSIENT, Notary
from services.audit.store import Log, read_chains
from services.audit.tree import node_store
from services.chassis.database.database import Database
from services.chassis.messages.record import Outgoing, Record
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from tests.support.audit_log import ORIGIN, TOPIC_IDS, a_fact, record_all
from tests.support.builders import NOW
from tests.support.notary_log import KEY, notary
from tests.support.witness_process import RecordingClient, add_line, lines_of

ROUNDS = 3  # of appending and signing in a process that is not killed
PARTITIONS = 3
FAILED = 70
MOST_OFFSETS = 4  # records of a partition in one batch


class Topic:
    """The topic as a file: a line of base64 for each record, written for good before it is acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, records: Iterable[Outgoing]) -> Counter[str]:
        """Write records."""
        for record in records:
            add_line(self._path, record.value or b"")
        return Counter()

    def poll(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def open_producer(self) -> "Topic":
        """Return a producer."""
        return self

    def values(self) -> list[bytes]:
        """Return every value."""
        return lines_of(self._path)


# Name of a point -> class or module, and its function. A kill before or after its n-th call in a process.
POINTS: dict[str, tuple[Any, str]] = {
    "append, in its transaction": (Log, "append"),
    "checkpoint, in its transaction": (checkpoint_store, "add"),
    "read back": (Notary, "_read_back"),
    "witness": (RecordingClient, "add"),
    "cosignature, in its transaction": (checkpoint_store, "keep_cosigned"),
    "topic": (Topic, "publish"),
    "file": (publication, "replace"),
    "published, in its transaction": (checkpoint_store, "mark_published"),
    "step": (Notary, "step"),
}


class Run(msgspec.Struct, frozen=True):
    """One process: its database, folder and witness, where it is killed, and the seed of its order of records.

    With `wrong` it signs inside the append's transaction, which is the order that forks.
    """

    url: str
    folder: str
    witness: str
    point: str
    when: str
    number: int
    seed: int
    wrong: bool = False


def killed_at(run: Run) -> None:
    """Let the process end by SIGKILL at the run's point."""
    owner, name = POINTS[run.point]
    inner, calls = getattr(owner, name), Counter[str]()

    def call(*arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        if calls[name] == run.number and run.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*arguments, **named)
        if calls[name] == run.number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, call)


def work(run: Run) -> None:
    """Append and sign some times."""
    folder, database, order = Path(run.folder), Database(run.url), random.Random(run.seed)  # no secret
    topic, witness = Topic(folder / "topic"), RecordingClient(run.witness, folder / "cosigned")
    signing = notary(database, topic, folder, witness)
    killed_at(run)
    for _ in range(ROUNDS):
        if run.wrong:
            append_and_sign(database, topic, records(database, order))
            continue
        record_all(database, *records(database, order))
        quietly(signing.step)
    database.close()


def quietly(step: Callable[[], object]) -> None:
    """Take a step; another replica may have been faster."""
    try:
        step()
    except TRANSIENT as error:
        sys.stderr.write(f"{error}\n")


def records(database: Database, order: random.Random) -> list[Record]:
    """Return the next records of each partition, in an interleaving that is another each time, as Kafka's is."""
    with database.read() as connection:
        chains = {chain.partition: chain.next_offset for chain in read_chains(connection).values()}
    places = [partition for partition in range(PARTITIONS) for _ in range(order.randrange(MOST_OFFSETS))]
    order.shuffle(places)
    found = []
    for partition in places:
        offset = chains.get(partition, 0)
        chains[partition] = offset + 1
        found.append(a_fact(offset, partition=partition))
    return found


def append_and_sign(database: Database, topic: Topic, added: list[Record]) -> None:
    """Append, sign and publish in one transaction: the wrong order."""
    with database.write() as connection:
        handlers.record(Log(connection, ORIGIN, Heads()), added, TOPIC_IDS.__getitem__, NOW)
        edge = node_store.edge_of(connection)
        text = Checkpoint(ORIGIN, edge.size, edge.root()).text()
        topic.publish([Outgoing("topic", None, keys.signed(text, [KEY]), [])])


def fork(run: Run) -> int:
    """Start a process for a run and return its id."""
    if pid := os.fork():
        return pid
    try:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the answers are the server's: log lines go elsewhere
        work(run)
    except BaseException:  # noqa: BLE001  # nothing of the server may run in the child
        traceback.print_exc()
        os._exit(FAILED)
    os._exit(0)


def main() -> None:
    """Serve rounds until the input ends."""
    for line in sys.stdin:
        pids = [fork(run) for run in msgspec.json.decode(line, type=list[Run])]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        sys.stdout.write(msgspec.json.encode(codes).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
