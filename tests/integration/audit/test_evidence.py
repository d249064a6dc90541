"""Proofs of entries: made from either database, checked without any."""

import uuid
from pathlib import Path

import msgspec
import pytest

from services.audit.__main__ import app
from services.audit.notary import checkpoint_store
from services.audit.tree import node_store
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from tests.support.audit_log import ORIGIN, a_fact, open_log, record_all
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope
from tests.support.in_process import invoke

SIZE = 300
LOG = Signer(ORIGIN, bytes(32))


@pytest.fixture
def recorded(database: Database) -> Database:
    """A log of a full and a partial tile, and two entries after its published checkpoint."""
    open_log(database)
    record_all(database, *map(a_fact, range(SIZE)))
    publish(database)
    record_all(database, *map(a_fact, range(SIZE, SIZE + 2)))
    return database


def run(*argv: object, url: str = "") -> tuple[int, str]:
    done = invoke(app, *argv, url=url)
    return done.exit_code, done.output


def a_policy(folder: Path, signer: Signer = LOG) -> Path:
    file = folder / "policy"
    file.write_text(f"log {signer.vkey}\nquorum none\n")
    return file


@pytest.mark.parametrize("position", [0, 255, 256, SIZE - 1])
@pytest.mark.usefixtures("recorded")
def test_an_entry_is_proven_without_the_database(tmp_path: Path, database_url: str, position: int) -> None:
    proof = tmp_path / "proof"
    assert run("prove", position, "--into", proof, url=database_url)[0] == 0
    code, output = run("check", proof, "--policy", a_policy(tmp_path))
    assert code == 0, output
    assert f"]@{position}, timestamp" in output
    assert f"checkpoint of {ORIGIN}: {SIZE} entries, cosigned by no witness" in output


EVENT = "01981f6e-0000-7000-8000-00000000abcd"  # NOW is far from its time


def an_event(event_id: str, offset: int, **changed: object) -> Record:
    envelope = an_envelope(id=event_id, subject="user-of-the-event")
    return msgspec.structs.replace(a_record(envelope, a_user_registered()), offset=offset, **changed)


def publish(database: Database) -> None:
    with database.write() as connection:
        edge = node_store.edge_of(connection)
        note = keys.signed(Checkpoint(ORIGIN, edge.size, edge.root()).text(), [LOG])
        checkpoint_store.add(connection, edge.size, edge.root(), note, NOW)
        checkpoint_store.mark_published(connection, edge.size, NOW)


def proven(folder: Path, database_url: str, event_id: str) -> tuple[str, str]:
    """Return what `prove` wrote about an event, and the output of `check` about its proof."""
    proof = folder / "proof"
    code, written = run("prove", event_id, "--into", proof, url=database_url)
    assert code == 0, written
    code, checked = run("check", proof, "--policy", a_policy(folder))
    assert code == 0, checked
    return written, checked


def test_an_event_is_proven_by_its_id(tmp_path: Path, database_url: str, recorded: Database) -> None:
    at_its_time = str(uuid.UUID(int=(int(NOW.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 5))
    record_all(recorded, an_event(EVENT, SIZE + 2), an_event(at_its_time, SIZE + 3), an_event("no-uuid", SIZE + 4))
    publish(recorded)
    for event_id, offset in ((EVENT, SIZE + 2), (at_its_time, SIZE + 3), ("no-uuid", SIZE + 4)):
        written, checked = proven(tmp_path, database_url, event_id)
        assert "times" not in written
        assert f"user.events.v1[0]@{offset}, timestamp" in checked


def test_of_an_event_that_is_logged_several_times_the_first_entry_is_proven_and_the_others_are_named(
    tmp_path: Path, database_url: str, recorded: Database
) -> None:
    record_all(recorded, an_event(EVENT, SIZE + 2), an_event(EVENT, 0, topic="user.state.v1"))
    caused_by_it = [("ce_causationid", EVENT.encode())]
    record_all(recorded, a_fact(SIZE + 3, headers=caused_by_it), an_event(EVENT, 0, topic="user.notices.v1"))
    publish(recorded)
    written, checked = proven(tmp_path, database_url, EVENT)
    assert "the event is logged 3 times: 302 is proven, not 303, 305" in written
    assert f"user.events.v1[0]@{SIZE + 2}, timestamp" in checked


def test_an_event_that_is_not_in_the_log_has_no_proof(tmp_path: Path, database_url: str, recorded: Database) -> None:
    record_all(recorded, a_fact(SIZE + 2, headers=[]))
    publish(recorded)
    proof = tmp_path / "proof"
    for unknown in (EVENT, "unknown", ""):
        code, output = run("prove", unknown, "--into", proof, url=database_url)
        assert (code, f"not proven: no entry has the event id {unknown!r}" in output) == (1, True), output
    assert not proof.exists()


@pytest.mark.usefixtures("recorded")
def test_a_proof_can_be_written_to_the_output(tmp_path: Path, database_url: str) -> None:
    done = invoke(app, "prove", "7", "--into", "-", url=database_url)
    assert done.exit_code == 0
    proof = tmp_path / "proof"
    proof.write_bytes(done.stdout_bytes)
    assert run("check", proof, "--policy", a_policy(tmp_path))[0] == 0


@pytest.mark.parametrize("position", [SIZE, SIZE + 5, -1])
@pytest.mark.usefixtures("recorded")
def test_an_entry_that_no_published_checkpoint_covers_has_no_proof(database_url: str, position: int) -> None:
    code, output = run("prove", "--", position, url=database_url)
    assert (code, "covers entries 0 to 299" in output) == (1, True), output


def test_a_proof_with_another_entry_key_or_form_is_refused(
    tmp_path: Path, database_url: str, recorded: Database
) -> None:
    proof = tmp_path / "proof"
    assert run("prove", 7, "--into", proof, url=database_url)[0] == 0
    other = a_policy(tmp_path, Signer(ORIGIN, b"\x01" * 32))
    assert run("check", proof, "--policy", other)[0] == 5
    policy, whole = a_policy(tmp_path), proof.read_bytes()
    proof.write_bytes(whole.replace(b"index 7\n", b"index 8\n"))
    assert run("check", proof, "--policy", policy)[0] == 1
    proof.write_bytes(whole[1:])
    assert run("check", proof, "--policy", policy)[0] == 2
    assert run("check", tmp_path / "missing", "--policy", policy)[0] == 2
    recorded.close()
