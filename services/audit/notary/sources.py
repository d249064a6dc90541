"""The places that hold published checkpoints outside of the database: the topic, the file, and the witnesses."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from services.audit.notary.cosigning import Witness
from services.audit.notary.guard import NotaryError, Record
from services.chassis.kafka.latest_published import BACK, TopicEnd
from services.chassis.messages.record import partitions_of
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import Note
from services.chassis.transparency.witness_client import WitnessRefusedError
from services.contracts.catalog import AUDIT_CHECKPOINTS


def topic_records(end: TopicEnd, origin: str) -> list[Record]:
    """Return the checkpoint of the largest size near the end of the topic. Raises ConnectionError.

    Two replicas may have published in another order than that of their sizes.
    """
    place = partitions_of(AUDIT_CHECKPOINTS.name, AUDIT_CHECKPOINTS.partitions)
    for back in BACK:
        if found := largest(origin, ((one.place, one.value or b"") for one in end.read(place, back))):
            return found
    return []


def file_records(path: Path, origin: str) -> list[Record]:
    """Return the checkpoint in the file, none if there is no file. Raises NotaryError for other contents."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotaryError(f"APP_AUDIT_CHECKPOINT_FILE cannot be read: {error}") from error
    if not (found := list(_of_log(origin, [(str(path), content)]))):
        raise NotaryError(
            f"the file {path} holds no checkpoint of {origin}: move it elsewhere if it is evidence of "
            "another log, or name another file in APP_AUDIT_CHECKPOINT_FILE"
        )
    return found


def witness_records(clients: Mapping[str, Witness], origin: str) -> list[Record]:
    """Return what each witness has cosigned last. Raises ConnectionError if none of them answers.

    One that does not answer is left out, as a quorum may do without it: later it refuses what it cannot cosign.
    """
    held, reasons = [], []
    for name, client in clients.items():
        try:
            held.append((f"the witness {name}", client.latest(origin) or b""))
        except (ConnectionError, WitnessRefusedError) as error:
            reasons.append(f"{name}: {error}")
    if reasons and not held:
        raise ConnectionError(f"no witness answers: {'; '.join(reasons)}")
    return list(_of_log(origin, held))


def largest(origin: str, held: Iterable[tuple[str, bytes]]) -> list[Record]:
    """Return the checkpoint of a log's largest size among values with their places."""
    return sorted(_of_log(origin, held), key=lambda record: record.checkpoint.size)[-1:]


def _of_log(origin: str, held: Iterable[tuple[str, bytes]]) -> Iterator[Record]:
    """Yield the checkpoints of a log; signatures are not checked, as the log's key may have been rotated since."""
    for place, content in held:
        try:
            checkpoint = Checkpoint.parse(Note.parse(content).text)
        except ValueError:
            continue
        if checkpoint.origin == origin:
            yield Record(place, checkpoint)
