"""The notary on SQLite and PostgreSQL: one text for each size, whatever fails, and every step in its order."""

from pathlib import Path

import pytest

from services.audit.notary import checkpoint_store
from services.audit.notary.checkpoint_store import Published, Stored
from services.audit.notary.guard import ForkedLogError, NotaryError
from services.audit.notary.notary import Notary, Outside, SignedLog
from services.audit.notary.publication import Publication, to_file
from services.audit.notary.sources import largest
from services.chassis.database.database import Database
from services.chassis.messages.publisher import PublishError
from services.chassis.telemetry.telemetry import telemetry
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from tests.support.audit_log import a_fact, open_log, record_all
from tests.support.fakes import FakeLog
from tests.support.notary_log import KEY, ORIGIN, WITNESS_KEY, a_witness, checkpoint_of, notary, sizes
from tests.support.stored_witness import StoredWitness


class World:
    """A log, its topic, and what is outside of the database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.topic = FakeLog()
        self.witness = a_witness(folder)
        self.notary = self.started()
        self._offsets = 0
        open_log(database)

    def started(self) -> Notary:
        """Return the notary of a process that starts now."""
        return notary(self.database, self.topic, self.folder, self.witness)

    def append(self, number: int) -> None:
        """Append entries of the next records."""
        offsets = range(self._offsets, self._offsets + number)
        record_all(self.database, *map(a_fact, offsets))
        self._offsets += number

    def stored(self) -> Stored | None:
        """Return the newest checkpoint."""
        with self.database.read() as connection:
            return checkpoint_store.newest(connection)

    def published(self) -> Published | None:
        """Return the newest published checkpoint."""
        with self.database.read() as connection:
            return checkpoint_store.newest_published(connection)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def test_new_entries_are_signed_cosigned_and_published_with_the_same_bytes_everywhere(world: World) -> None:
    world.append(3)
    world.notary.step()
    (content,) = world.topic.values()
    assert (world.folder / "checkpoint").read_bytes() == content
    assert world.published() == (3, content)
    note = Note.parse(content or b"")
    KEY.verifier.check(note)
    WITNESS_KEY.cosignature_verifier.check(note)
    (record,) = world.topic.records
    assert (record.key, record.headers) == (ORIGIN.encode(), [("content-type", b"text/plain; charset=utf-8")])


def test_nothing_is_made_for_an_empty_log_or_while_nothing_is_added(world: World) -> None:
    world.notary.step()
    assert world.stored() is None
    world.append(2)
    for _ in range(3):
        world.notary.step()
    assert sizes(world.topic) == [2]
    world.append(300)
    world.notary.step()
    assert sizes(world.topic) == [2, 302]


def test_a_checkpoint_that_cannot_be_published_is_published_before_a_larger_one_is_made(world: World) -> None:
    world.append(1)
    world.topic.refuse = 1
    with pytest.raises(PublishError):
        world.notary.step()
    world.append(1)
    world.notary.step()
    world.notary.step()
    assert (sizes(world.topic), covered(world)) == ([1, 1, 2], 2)
    assert world.topic.values()[0] == world.topic.values()[1]


def covered(world: World) -> int:
    found = world.published()
    return found.size if found else 0


def test_a_checkpoint_that_is_not_cosigned_is_not_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(1)
    with monkeypatch.context() as patch:
        patch.setattr(StoredWitness, "add", unreachable)
        with pytest.raises(ConnectionError, match="is unreachable"):
            world.notary.step()
        world.append(1)
        with pytest.raises(ConnectionError):
            world.notary.step()
    assert (world.topic.values(), world.published()) == ([], None)
    world.notary.step()
    world.notary.step()
    assert sizes(world.topic) == [1, 2]


def unreachable(*_: object) -> list[bytes]:
    raise ConnectionError("the witness is unreachable")


def test_two_replicas_sign_the_same_bytes_and_publish_what_was_cosigned_first(world: World) -> None:
    other = world.started()
    for number in (1, 2, 3):
        world.append(number)
        for replica in (other, world.notary):
            replica.step()
    assert sizes(world.topic) == [1, 3, 6]
    assert set(world.witness.answers()) == {200}


def test_a_replica_whose_witness_is_ahead_goes_on_with_the_newest_checkpoint(world: World) -> None:
    world.append(1)
    world.notary.step()
    other = world.started()
    world.append(1)
    other.step()
    world.append(1)
    other.step()
    world.append(1)
    world.notary.step()
    assert sizes(world.topic) == [1, 2, 3, 4]
    assert world.witness.answers().count(409) > 0


def test_a_process_goes_on_where_the_one_before_it_was_killed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(2)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_store, "mark_published", killed)
        with pytest.raises(KeyboardInterrupt):
            world.notary.step()
    world.append(2)
    started = world.started()
    started.step()
    started.step()
    first, again, _ = world.topic.values()
    assert first == again
    assert sizes(world.topic) == [2, 2, 4]


def nothing(*_: object) -> None:
    return None


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_after_a_rotation_a_note_that_has_not_been_used_is_signed_with_the_new_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(1)
    with monkeypatch.context() as patch:
        patch.setattr(StoredWitness, "add", unreachable)
        with pytest.raises(ConnectionError):
            world.notary.step()
    new = Signer(ORIGIN, bytes(32))
    monkeypatch.setattr("tests.support.notary_log.KEY", new)
    monkeypatch.setattr(world.witness, "_log", new.verifier)
    world.started().step()
    (content,) = world.topic.values()
    assert checkpoint_of(content or b"").size == 1


@pytest.mark.parametrize("place", ["topic", "file", "witness"])
def test_a_store_that_is_smaller_than_what_was_published_signs_nothing_until_it_has_caught_up(
    world: World, place: str
) -> None:
    world.append(4)
    world.notary.step()
    before = world.topic.values()
    restore(world, place)
    record_all(world.database, *map(a_fact, range(3)))
    started = world.started()
    started.step()
    assert world.stored() is None
    record_all(world.database, a_fact(3))
    started.step()
    assert covered(world) == 4
    assert set(world.topic.values()) <= {before[0]}


@pytest.mark.parametrize("place", ["topic", "file", "witness"])
def test_a_store_with_another_order_is_refused_once_it_is_as_large(world: World, place: str) -> None:
    world.append(4)
    world.notary.step()
    restore(world, place)
    record_all(world.database, *(a_fact(offset, partition=1) for offset in range(3)))
    started = world.started()
    started.step()
    record_all(world.database, a_fact(3, partition=1))
    with pytest.raises(
        ForkedLogError, match=r"has a checkpoint of 4 entries.*another APP_AUDIT_ORIGIN.*docs/backup.md"
    ):
        started.step()
    assert world.stored() is None


def test_after_a_restored_backup_a_log_with_a_new_origin_is_signed_beside_the_old_one(world: World) -> None:
    world.append(4)
    world.notary.step()
    restore(world, "topic")
    record_all(world.database, *(a_fact(offset, partition=1) for offset in range(5)))
    with pytest.raises(ForkedLogError):
        world.started().step()
    new = Signer("eventline.local/audit-2", bytes(32))
    publication = Publication(new.name, world.topic.open_producer, world.folder / "checkpoint-2")
    sources = (lambda: largest(new.name, (("the topic", value or b"") for value in world.topic.values())),)
    Notary(SignedLog(world.database, new), Outside(publication, None, sources), telemetry("audit")).step()
    old, added = (Note.parse(value or b"") for value in world.topic.values())
    KEY.verifier.check(old)
    new.verifier.check(added)
    assert [record.key for record in world.topic.records] == [ORIGIN.encode(), new.name.encode()]


def restore(world: World, place: str) -> None:
    """Empty the database, as an old backup does, and leave what was published in one place only."""
    with world.database.write() as connection:
        for table in ("entries", "chains", "nodes", "checkpoints"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  # a constant
        connection.exec_driver_sql("UPDATE log SET size = 0, edge = ''")
    if place != "topic":
        world.topic.records.clear()
    if place != "file":
        (world.folder / "checkpoint").unlink()
    if place != "witness":
        (world.folder / "witness.db").unlink()
        world.witness = a_witness(world.folder)


def test_entries_that_were_changed_since_the_last_checkpoint_was_signed_are_not_signed(world: World) -> None:
    world.append(3)
    world.notary.step()
    with world.database.write() as connection:
        connection.exec_driver_sql("UPDATE entries SET leaf = chain WHERE position = 1")
    world.append(1)
    with pytest.raises(ForkedLogError, match=r"the table checkpoints has a checkpoint of 3 entries"):
        world.notary.step()


def test_a_witness_that_refuses_a_fork_stops_the_notary(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(3)
    world.notary.step()
    restore(world, "witness")
    monkeypatch.setattr(StoredWitness, "latest", nothing)  # it cannot be asked, as litewitness
    record_all(world.database, *(a_fact(offset, partition=1) for offset in range(5)))
    with pytest.raises(NotaryError, match="422"):
        world.started().step()
    assert world.published() is None


def test_a_witness_that_is_ahead_of_a_smaller_store_stops_all_signing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(3)
    world.notary.step()
    restore(world, "witness")
    monkeypatch.setattr(StoredWitness, "latest", nothing)
    record_all(world.database, *map(a_fact, range(2)))
    with pytest.raises(ConnectionError, match="has cosigned 3 entries of this log, this store has 2"):
        world.started().step()
    assert world.published() is None


def test_the_file_never_goes_back_and_another_logs_file_is_kept(world: World) -> None:
    file = world.folder / "checkpoint"
    world.append(1)
    world.notary.step()
    first = file.read_bytes()
    world.append(1)
    world.notary.step()
    second = file.read_bytes()
    to_file(file, ORIGIN, 1, first)
    assert file.read_bytes() == second
    with pytest.raises(NotaryError, match="move it elsewhere"):
        to_file(file, "example.org/other", 3, b"")
    assert file.read_bytes() == second
